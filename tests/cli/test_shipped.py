"""The shipped systems at inputs that once gave wrong answers, through files, against loops and brute force."""

import itertools

import numpy as np
import pytest

HETNET = {"noise_w": 10 ** ((-128.1 - 30) / 10), "bandwidth_hz": 1e6, "efficiency": 0.3, "target": 10.0}
BUDGETS_W = np.array([12.0, 1.2, 1.2])


def hetnet_rates(gain, assignment, power_w):
    """Spectral efficiency [...] of powers [..., bs, subchannel], summed over BSs and subchannels one by one."""
    total = 0.0
    num_bs, num_subchannels = assignment.shape
    for n, k in itertools.product(range(num_bs), range(num_subchannels)):
        user = assignment[n, k]
        heard = sum(gain[k, user, m] * power_w[..., m, k] for m in range(num_bs) if m != n)
        total = total + np.log2(1 + gain[k, user, n] * power_w[..., n, k] / (heard + HETNET["noise_w"]))
    return total


def best_on_the_grid(gain, circuit_w):
    """The largest energy efficiency over all assignments and all power vectors of the grid that meet the target."""
    levels = np.concatenate([[0.0], 10 ** np.linspace(-4, 0, 5)])
    vectors = [v for v in itertools.product(levels, repeat=2) if sum(v) <= 1 + 1e-5]
    power_w = np.array(list(itertools.product(vectors, repeat=3))) * BUDGETS_W[:, None]
    consumed_w = power_w.sum((1, 2)) / HETNET["efficiency"] + circuit_w
    best = -np.inf
    for order in itertools.product((0, 1), repeat=3):
        assignment = np.array([[2 * n + first, 2 * n + 1 - first] for n, first in enumerate(order)])
        rate = hetnet_rates(gain, assignment, power_w)
        met = rate / 2 >= HETNET["target"] * (1 - 1e-6)  # over the bandwidth of both subchannels
        best = max(best, (HETNET["bandwidth_hz"] * rate[met] / consumed_w[met]).max(initial=-np.inf))
    return best


@pytest.mark.parametrize("circuit_w", [0.0, 12.0])
def test_exhaustive_search_without_circuit_power(in_folder, run, circuit_w):
    """0/0 of the silent candidate once won the search, and budgets were broken."""
    assert run("sample hetnet-ee --count 20 --seed 3 --out g.npz")[0] == 0
    powers = f"--set circuit_power_macro_w={10 * circuit_w / 12} --set circuit_power_micro_w={circuit_w / 12}"
    status, _, error = run(f"solve hetnet-ee --method exhaustive --channels g.npz {powers} --out out.npz")
    assert status == 0, error
    assert "warning" not in error
    result, gain = np.load("out.npz"), np.load("g.npz")["gain"].astype(float)
    assert result["feasible"].all()
    assert result["proven"].all()
    assert (result["power_w"].sum(2) <= BUDGETS_W * (1 + 1e-5)).all()
    assert (result["power_w"] >= 0).all()
    for b in range(20):
        power_w, assignment = result["power_w"][b].astype(float), result["assignment"][b]
        assert sorted(assignment.ravel()) == list(range(6))
        rate = hetnet_rates(gain[b], assignment, power_w)
        assert rate / 2 >= HETNET["target"] * (1 - 1e-5)
        value = HETNET["bandwidth_hz"] * rate / (power_w.sum() / HETNET["efficiency"] + circuit_w)
        np.testing.assert_allclose(result["energy_efficiency"][b], value, rtol=1e-5)
        np.testing.assert_allclose(result["spectral_efficiency"][b], rate / 2, rtol=1e-5)
    for b in (0, 13):
        np.testing.assert_allclose(result["energy_efficiency"][b], best_on_the_grid(gain[b], circuit_w), rtol=1e-5)


def test_a_target_that_no_power_reaches_is_said_of_the_instances(in_folder, run):
    status, _, error = run(
        "solve hetnet-ee --method exhaustive --count 20 --seed 3 --set min_spectral_efficiency=1000 --out out.npz"
    )
    assert status == 3
    assert "20 of 20 instances have no feasible solution that it could find (first: index 0)" in error
    assert not np.load("out.npz")["feasible"].any()
    assert np.isfinite(np.load("out.npz")["power_w"]).all()


@pytest.mark.slow
def test_a_search_that_cannot_prove_its_result_says_so(in_folder, run):
    """Larger networks are searched by Dinkelbach's iteration, exact unless the target binds."""
    command = "solve hetnet-ee --method exhaustive --count 4 --seed 1 --set num_micro=3 --set users_per_bs=1"
    command += " --set num_subchannels=3 --out out.npz --overwrite --set min_spectral_efficiency="
    status, _, error = run(f"{command}0")
    assert status == 0
    assert "not proven" not in error
    rate = np.load("out.npz")["spectral_efficiency"]
    status, _, error = run(f"{command}{1.01 * rate.min()}")  # binds for one of them
    assert status == 0
    assert "wirelax: warning: exhaustive: 1 of 4 results are not proven to be optimal" in error
    np.testing.assert_array_equal(np.load("out.npz")["proven"], rate > rate.min())


@pytest.mark.parametrize("sizes", ["num_micro=16 num_subchannels=4", "num_micro=6 users_per_bs=4 num_subchannels=4"])
@pytest.mark.parametrize("method", ["exhaustive", "exhaustive+polish", "dinkelbach", "dnn", "cnn+ee+best-of-8"])
def test_only_what_enumerates_refuses_a_large_network(in_folder, refused, sizes, method):
    options = " ".join(f"--set {size}" for size in sizes.split())
    refused(f"solve hetnet-ee --method {method} --count 2 {options} --out out.npz", f"'{method}'", "assignment")
    assert list(in_folder.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("method", ["max-power", "random-power", "gradient"])
def test_what_does_not_enumerate_runs_at_any_size(in_folder, run, method):
    sizes = "--set num_micro=6 --set users_per_bs=4 --set num_subchannels=4"
    assert run(f"solve hetnet-ee --method {method} --count 2 {sizes} --out out.npz")[0] in (0, 3)
    result = np.load("out.npz")
    for assignment in result["assignment"]:
        assert set(assignment.ravel()) == set(range(28))
    budgets = np.array([12.0] + [1.2] * 6)
    assert (result["power_w"].sum(2) <= budgets * (1 + 1e-5)).all()


@pytest.fixture
def noma_gain():
    return np.random.default_rng(0).exponential(size=(3, 4, 5))


def noma_rate(gain, scheduled, power_w, noise_w, residual=0.05):
    """Sum rate of one channel in float64 loops: stronger users cancel weaker ones' signals but for a residual."""
    total = 0.0
    for n in range(gain.shape[0]):
        users = [m for m in np.argsort(-gain[n]) if scheduled[n, m]]
        for place, user in enumerate(users):
            heard = gain[n, user] * sum(power_w[n, other] for other in users[:place])
            heard += residual * gain[n, user] * sum(power_w[n, other] for other in users[place + 1 :])
            total += np.log2(1 + gain[n, user] * power_w[n, user] / (heard + noise_w))
    return total


@pytest.mark.parametrize("method", ["max-power", pytest.param("interior-point", marks=pytest.mark.slow)])
def test_only_the_ratio_of_gain_and_noise_counts(in_folder, run, noma_gain, method):
    """Thermal noise in W once lost 7 to 12 % of the sum rate."""
    results = []
    for scale in (1.0, 1e-12):
        np.savez("g.npz", gain=noma_gain * scale)
        status, _, error = run(
            f"solve noma --method {method} --channels g.npz --set noise_power_w={0.1 * scale} --out out.npz --overwrite"
        )
        assert status == 0
        assert "warning" not in error
        results.append(np.load("out.npz"))
    np.testing.assert_allclose(results[1]["sum_rate"], results[0]["sum_rate"], rtol=1e-5)
    for b in range(3):
        power_w = results[0]["power_w"][b].astype(float)
        np.testing.assert_allclose(power_w.sum(), 10**1.3, rtol=1e-5)
        value = noma_rate(noma_gain[b], results[0]["assignment"][b], power_w, 0.1)
        np.testing.assert_allclose(results[0]["sum_rate"][b], value, rtol=1e-5)


@pytest.mark.parametrize("method", ["max-power", pytest.param("swap-matching", marks=pytest.mark.slow)])
def test_users_that_nobody_reaches_take_no_place(in_folder, run, noma_gain, method):
    gain = noma_gain.copy()
    gain[:, :, 3:] = 0
    np.savez("g.npz", gain=gain)
    status, _, error = run(f"solve noma --method {method} --channels g.npz --out out.npz")
    result = np.load("out.npz")
    assert status == 0, error
    assert not result["assignment"][:, :, 3:].any()
    assert result["assignment"][:, :, :3].any((1, 2)).all()
    assert (result["sum_rate"] > 1).all()


def test_nobody_reachable_is_no_error(in_folder, run, noma_gain):
    np.savez("g.npz", gain=0 * noma_gain)
    status, _, error = run("solve noma --method max-power --channels g.npz --out out.npz")
    assert status == 3
    assert "3 of 3 instances have no feasible solution" in error
    assert np.isfinite(np.load("out.npz")["power_w"]).all()


def test_no_least_rate(in_folder, run):
    options = "--count 3 --set num_users=5 --set num_subchannels=4 --set min_rate=0"
    assert run(f"solve noma --method random-power {options} --out out.npz")[0] == 0
    assert np.load("out.npz")["feasible"].all()


def test_a_policy_of_another_size_names_itself_and_the_command(in_folder, refused):
    refused(
        "solve noma --method dnn --count 2 --set num_users=12 --out out.npz",
        "method 'dnn' was trained for num_subchannels=10, num_users=10",
        "num_users=12",
        "wirelax train noma --policy dnn --set num_subchannels=10 --set num_users=12 --out RUN_DIR",
        "policy:RUN_DIR",
    )


@pytest.mark.slow
def test_munich_channels(in_folder, run):
    assert run("sample hetnet-ee --set scenario=munich --count 4 --out munich.npz")[0] == 0
    gain = np.load("munich.npz")["gain"]
    assert gain.shape == (4, 2, 6, 3)
    assert (gain.max((1, 2, 3)) > 0).all()
