"""The NOMA system: channels, features, feasible outputs, and its methods through real files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax import systems
from wirelax.channels import load_munich_wideband
from wirelax.cli import main
from wirelax.systems.run import VIOLATION_TOLERANCE, sample_channels, solve_batch

SMALL = {"num_subchannels": 4, "num_users": 5}
NOISE, EPS, TOTAL = 0.1, 0.05, 10**1.3


def pair_rates(gain, assignment, power, form):
    """Eq. (4), pair by pair, float64."""
    rates = np.zeros(gain.shape)
    for i, j in np.argwhere(assignment):
        heard = NOISE
        for k in np.flatnonzero(assignment[i]):
            carried = float(power[i, k]) * float(gain[i, j] if form == "receiver" else gain[i, k])
            if k != j:
                heard += carried * (1.0 if (-gain[i, k], k) < (-gain[i, j], j) else EPS)
        rates[i, j] = np.log2(1 + float(power[i, j]) * float(gain[i, j]) / heard)
    return rates


@pytest.fixture(scope="module")
def small():
    return systems.get("noma", **SMALL)


@pytest.fixture(scope="module")
def channels(small):
    return sample_channels(small, 16, seed=3)


def test_it_follows_the_protocol(small):
    assert isinstance(small, systems.System)
    assert {"interior-point", "max-power", "random-power", "swap-matching", "paus", "paus-ip", "joint", "dnn"} <= set(
        small.methods
    )


def test_samples(channels):
    assert channels["gain"].shape == channels["assignment"].shape == (16, 4, 5)
    assert (channels["assignment"].sum(2) == 3).all()
    assert (channels["assignment"].sum(1) <= 4).all()
    assert abs(sample_channels(systems.get("noma"), 200, seed=0)["gain"].mean() - 1) < 0.03


def test_weights_are_sampled_where_asked_for():
    weight = sample_channels(systems.get("noma", weights="random", **SMALL), 4, seed=0)["weight"]
    assert weight.shape == (4, 5)
    assert ((weight >= 0.1) & (weight <= 2)).all()


def test_munich_gains_are_means_over_resource_blocks_and_noise_normalised():
    system = systems.get("noma", scenario="munich", num_subchannels=8, num_users=3)
    gain = sample_channels(system, 3, seed=1)["gain"]
    map_gain = load_munich_wideband().downlink_gain[:, :, 0].astype(float)
    grouped = map_gain.reshape(8, 6, -1).mean(1)
    noise_w = 1.380649e-23 * 290 * 6 * 360e3 * 10**0.7
    scaled = grouped * 0.1 / noise_w
    for users in gain.transpose(0, 2, 1).reshape(-1, 8):
        assert np.abs(scaled.T / users - 1).max(1).min() < 1e-3


@pytest.mark.parametrize("sizes", [{"num_subchannels": 49}, {"num_users": 600}])
def test_munich_has_so_many(sizes):
    with pytest.raises(ValueError, match="the map of Munich has"):
        systems.get("noma", scenario="munich", **sizes)


def test_every_output_is_feasible(small, channels):
    """Whatever a network says, total power and R_min hold after the repair; without a schedule the greedy one."""

    def worst(gain, assignment, key):
        outputs = 20 * jax.random.normal(key, gain.shape)
        found = []
        for channel in ({"gain": gain, "assignment": assignment}, {"gain": gain}):
            for head in ("split", "simplex"):
                violations = small.violations(small.decode(outputs, channel, head), channel)
                found.append(jnp.max(jnp.stack([jnp.asarray(v) for v in violations.values()])))
        return jnp.stack(found)

    keys = jax.random.split(jax.random.key(0), 16)
    found = jax.jit(jax.vmap(worst))(channels["gain"], channels["assignment"], keys)
    assert found.max() <= VIOLATION_TOLERANCE


def test_raw_outputs_are_a_softmax_over_scheduled_pairs(small, channels):
    gain, assignment = channels["gain"][0], channels["assignment"][0]
    outputs = np.random.default_rng(0).normal(size=gain.shape)
    power = small.power(jnp.asarray(outputs), {"gain": gain, "assignment": jnp.asarray(assignment)}, "raw")
    wanted = np.where(assignment, np.exp(outputs), 0)
    np.testing.assert_allclose(power, TOTAL * wanted / wanted.sum(), rtol=1e-5)


@pytest.mark.parametrize(
    ("form", "method"),
    [
        pytest.param("receiver", "interior-point", marks=pytest.mark.slow),
        ("receiver", "max-power"),
        ("paper", "random-power"),
    ],
)
def test_solve_through_files(tmp_path, form, method):
    """Channel file in, allocation out; every number recomputed from the equations."""
    file, out = str(tmp_path / "channels.npz"), str(tmp_path / "solved.npz")
    settings = ["--set", f"interference_gain={form}", "--set", "num_subchannels=4", "--set", "num_users=5"]
    assert main(["sample", "noma", *settings, "--count", "5", "--seed", "1", "--out", file]) == 0
    code = main(["solve", "noma", *settings[:2], "--method", method, "--channels", file, "--out", out])
    channels, result = np.load(file), np.load(out)
    assert {"assignment", "power_w", "sum_rate", "feasible"} <= set(result)
    assert (code == 0) == result["feasible"].all()
    np.testing.assert_array_equal(result["assignment"], channels["assignment"])
    for i, gain in enumerate(channels["gain"]):
        power, assignment = result["power_w"][i], result["assignment"][i]
        rates = pair_rates(gain, assignment, power, form)
        np.testing.assert_allclose(result["sum_rate"][i], rates.sum(), rtol=1e-5)
        np.testing.assert_allclose(power.sum(), TOTAL, rtol=1e-5)
        assert (power[~assignment] == 0).all()
        assert result["feasible"][i] == (rates[assignment].min() >= 0.01 * (1 - 1e-5))
    if method == "interior-point":
        assert result["feasible"].all()


def test_an_infeasible_minimum_rate_is_reported_per_instance(tmp_path, capsys):
    out = tmp_path / "out.npz"
    arguments = ["solve", "noma", "--method", "dnn", "--count", "4", "--set", "min_rate=3", "--out", str(out)]
    assert main(arguments) == 3
    assert "4 of 4 instances have no feasible solution" in capsys.readouterr().err
    result = np.load(out)
    assert not result["feasible"].any()
    assert np.isfinite(result["power_w"]).all()


def test_a_minimum_rate_may_come_with_the_channels(small, channels):
    """Violations, feasibility and repair as with that minimum rate in the configuration."""
    drawn = {name: jnp.asarray(array[0]) for name, array in channels.items()}
    strict = systems.get("noma", **SMALL, min_rate=0.05)

    def seen(system):
        def of(channel):
            outputs = jnp.zeros(channel["gain"].shape)
            raw, repaired = system.decode(outputs, channel, "raw"), system.decode(outputs, channel)
            pairs = system.metrics(raw, channel)["violated_pairs"]
            return system.violations(raw, channel)["min_rate"], pairs, repaired["power_w"]

        return jax.jit(of)

    wanted = seen(strict)(drawn)
    of_channel = seen(small)
    for found, value in zip(of_channel({**drawn, "min_rate": jnp.asarray(0.05)}), wanted, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-6)
    assert wanted[0] != of_channel({**drawn, "min_rate": jnp.asarray(0.01)})[0]


def test_schedule_and_weights_from_a_file(tmp_path):
    rng = np.random.default_rng(0)
    gain, weight = rng.exponential(size=(3, 2, 4)), rng.uniform(0.5, 2, (3, 4))
    assignment = np.array([[1, 1, 0, 0], [0, 0, 1, 1]]) * np.ones((3, 1, 1))
    file, out = tmp_path / "in.npz", tmp_path / "out.npz"
    np.savez(file, gain=gain, weight=weight, assignment=assignment)
    main(["solve", "noma", "--method", "max-power", "--channels", str(file), "--out", str(out)])
    result = np.load(out)
    np.testing.assert_array_equal(result["assignment"], assignment.astype(bool))
    for i in range(3):
        rates = pair_rates(gain[i], assignment[i].astype(bool), np.full((2, 4), TOTAL / 4), "receiver")
        np.testing.assert_allclose(result["sum_rate"][i], (weight[i] * rates).sum(), rtol=1e-5)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"assignment": np.ones((2, 2, 4))}, "max_users_per_subchannel is 3"),
        ({"assignment": np.full((2, 2, 4), 0.5)}, "neither 0 nor 1"),
        ({"assignment": np.zeros((2, 2, 4))}, "schedules nobody"),
        ({"assignment": np.zeros((2, 3, 4))}, "to fit 'gain'"),
        ({"weight": np.ones((2, 3))}, "to fit 'gain'"),
        ({"weight": -np.ones((2, 4))}, "is negative"),
        ({"weight": np.ones((3, 4))}, "different numbers of instances"),
    ],
)
def test_bad_files(tmp_path, capsys, arrays, words):
    file = tmp_path / "in.npz"
    np.savez(file, gain=np.ones((2, 2, 4)), **arrays)
    assert (
        main(["solve", "noma", "--method", "max-power", "--channels", str(file), "--out", str(tmp_path / "o.npz")]) == 2
    )
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("method", "field", "words"),
    [
        ("dnn", "num_users=12", "or use 'equivariant'"),
        ("equivariant", "max_users_per_subchannel=2", "max_users_per_subchannel=3, the channels have"),
    ],
)
def test_policies_of_another_size_say_so(tmp_path, capsys, method, field, words):
    arguments = ["solve", "noma", "--method", method, "--count", "1", "--set", field]
    assert main([*arguments, "--out", str(tmp_path / "out.npz")]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.slow
def test_alternation_never_loses_and_joint_beats_the_initial_schedule(small, channels):
    value = {}
    for name in ("interior-point", "paus-ip", "joint", "swap-matching", "max-power"):
        result = solve_batch(small, small.methods[name], channels)
        value[name] = result.utility
        if name not in ("max-power", "swap-matching"):
            assert result.feasible.all()
    assert (value["paus-ip"] >= value["interior-point"] * (1 - 1e-6)).all()
    assert (value["swap-matching"] >= value["max-power"] * (1 - 1e-6)).all()
    assert value["joint"].mean() >= value["interior-point"].mean()


@pytest.mark.slow
def test_shipped_policies_are_near_interior_point():
    system = systems.get("noma")
    channels = sample_channels(system, 200, seed=9)
    best = solve_batch(system, system.methods["interior-point"], channels).utility.mean()
    for name, least in (
        ("dnn", 0.9),
        ("dnn+rate", 0.97),
        ("dnn+qos", 0.97),
        ("dnn+simplex", 0.97),
        ("equivariant", 0.99),
    ):
        result = solve_batch(system, system.methods[name], channels)
        assert result.utility.mean() >= least * best
        np.testing.assert_array_equal(result.violated & (result.status == 0), False)
    assert solve_batch(system, system.methods["dnn+qos-raw"], channels).arrays["violated_pairs"].mean() <= 1e-3
    alternating = solve_batch(system, system.methods["paus"], channels)
    assert alternating.utility.mean() > best
