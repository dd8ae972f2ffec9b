"""The NOMA system: channels, schedules, feasible outputs, policies, and every method at any scale."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import wirelax
from wirelax import systems
from wirelax.channels import load_munich_wideband
from wirelax.errors import InputError
from wirelax.policies.noma import Powers
from wirelax.problems import evaluate
from wirelax.systems import make_problems, sample_channels, solve_batch
from wirelax.training import Labelled, LoopConfig, Source, train
from wirelax.types import Status

from ..compiling import quick_jit

SMALL = {"num_subchannels": 4, "num_users": 5}
NOISE, EPS, TOTAL = 0.1, 0.05, 10**1.3


def pair_rates(gain, assignment, power, form):
    """Yang et al.'s (2020) eq. (4), pair by pair, float64."""
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
    return sample_channels(small, 8, seed=3)


def test_samples(small, channels):
    assert channels["gain"].shape == channels["assignment"].shape == (8, 4, 5)
    assert channels["assignment"].dtype == bool
    assert (channels["assignment"].sum(2) <= 3).all()
    assert channels["assignment"].sum(2).mean() > 2.9
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
    with pytest.raises(InputError, match="the map of Munich has"):
        systems.get("noma", scenario="munich", **sizes)


def test_sizes_follow_the_channels(small):
    fitted = small.fit({"gain": np.ones((1, 6, 7)), "weight": np.ones((1, 7))})
    assert (fitted.config.num_subchannels, fitted.config.num_users) == (6, 7)
    assert small.axis_lengths({"num_users"}) == {"user": 5}


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"assignment": np.ones((2, 2, 4))}, "'assignment' of instance 0 has 4 pairs on subchannel 0"),
        (
            {"assignment": np.eye(4)[None, [0] * 5] * np.ones((2, 1, 1)), "gain": np.ones((2, 5, 4))},
            "5 pairs on user 0",
        ),
        ({"assignment": np.full((2, 2, 4), 0.5)}, "neither 0 nor 1"),
        ({"assignment": np.zeros((2, 3, 4))}, "'assignment' has 3 along its axis 'subchannel', 'gain' has 2"),
        ({"weight": np.ones((2, 3))}, "'weight' has 3 along its axis 'user', 'gain' has 4"),
        ({"weight": -np.ones((2, 4))}, "negative"),
        ({"weight": np.ones((3, 4))}, "instances"),
        ({"gain": -np.ones((2, 2, 4))}, "negative"),
        ({"gain": 1j * np.ones((2, 2, 4))}, r"abs\(h\)\*\*2"),
    ],
)
def test_arrays_that_do_not_fit(arrays, words):
    with pytest.raises(InputError, match=words):
        wirelax.solve("noma", "max-power", {"gain": np.ones((2, 2, 4)), **arrays})


@pytest.mark.parametrize("sizes", [(4, 5), pytest.param((2, 9), marks=pytest.mark.slow)], ids=str)
def test_any_output_is_a_feasible_decision(sizes):
    """Whatever a network says, total power and R_min hold after the repair; without a schedule on the greedy one."""
    system = systems.get("noma", num_subchannels=sizes[0], num_users=sizes[1])
    channels = sample_channels(system, 6, seed=0)
    scale = np.array([0.0, 1.0, 20.0, 1e3, 1e10, 1e30])[:, None, None]
    outputs = (np.random.default_rng(0).normal(size=(6, *sizes)) * scale).astype(np.float32)

    @quick_jit
    @jax.vmap
    def decided(problem, outputs):
        return [evaluate(problem, Powers(head)(outputs, problem)) for head in ("split", "simplex")]

    for given in (channels, {"gain": channels["gain"]}):
        for found in decided(make_problems(system, given), outputs):
            assert found.feasible.all(), found.violations
            assert np.isfinite(found.utility).all()


def test_raw_outputs_are_a_softmax_over_scheduled_pairs(small, channels):
    problem = jax.tree.map(lambda leaf: leaf[0], make_problems(small, channels))
    outputs, assignment = np.random.default_rng(0).normal(size=(4, 5)), channels["assignment"][0]
    power = Powers("raw")(jnp.asarray(outputs), problem)["power_w"]
    wanted = np.where(assignment, np.exp(outputs), 0)
    np.testing.assert_allclose(power, TOTAL * wanted / wanted.sum(), rtol=1e-5)


def test_unreachable_users_have_finite_features(small):
    problem = small.problem({"gain": jnp.zeros((4, 5)), "assignment": jnp.ones((4, 5), bool).at[:, 3:].set(False)})
    for name in ("dnn", "equivariant"):
        assert np.isfinite(small.recipes[name].spec.features(problem)).all()


@pytest.mark.parametrize(
    ("form", "method"),
    [
        pytest.param("receiver", "interior-point", marks=pytest.mark.slow),
        pytest.param("paper", "gradient", marks=pytest.mark.slow),
        ("receiver", "max-power"),
        ("paper", "random-power"),
    ],
)
def test_results_are_those_of_the_equations(channels, form, method):
    system = systems.get("noma", interference_gain=form, **SMALL)
    result = wirelax.solve(system, method, channels, seed=1)
    np.testing.assert_array_equal(result.arrays["assignment"], channels["assignment"])
    for i, gain in enumerate(channels["gain"]):
        power, assignment = result.arrays["power_w"][i], channels["assignment"][i]
        rates = pair_rates(gain, assignment, power, form)
        np.testing.assert_allclose(result.utility[i], rates.sum(), rtol=1e-5)
        np.testing.assert_allclose(result.arrays["violated_pairs"][i], (rates[assignment] < 0.01 * (1 - 1e-5)).mean())
        np.testing.assert_allclose(power.sum(), TOTAL, rtol=1e-5)
        assert (power[~assignment] == 0).all()
        assert result.feasible[i] == (rates[assignment].min() >= 0.01 * (1 - 1e-5))


def test_schedule_and_weights_are_kept(channels):
    rng = np.random.default_rng(0)
    gain, weight = rng.exponential(size=(3, 2, 4)), rng.uniform(0.5, 2, (3, 4))
    assignment = np.array([[1, 1, 0, 0], [0, 0, 1, 1]]) * np.ones((3, 1, 1))
    found = wirelax.solve("noma", "max-power", {"gain": gain, "weight": weight, "assignment": assignment})
    np.testing.assert_array_equal(found.arrays["assignment"], assignment.astype(bool))
    for i in range(3):
        rates = pair_rates(gain[i], assignment[i].astype(bool), np.full((2, 4), TOTAL / 4), "receiver")
        np.testing.assert_allclose(found.utility[i], (weight[i] * rates).sum(), rtol=1e-5)


def test_a_minimum_rate_that_nobody_can_have(channels):
    """Every result says so, stays finite, and names the constraint."""
    system = systems.get("noma", min_rate=20.0, **SMALL)
    for method in ("max-power", "swap-matching"):
        result = solve_batch(system, method, channels)
        assert not result.feasible.any()
        assert (result.violations["min_rate"] > 0).all()
        assert all(np.isfinite(array).all() for array in result.arrays.values())


def test_half_of_the_users_may_be_out_of_reach(small, channels):
    """The greedy schedule gives places to users that can meet R_min, and need not be full."""
    gain = channels["gain"].copy()
    gain[:, :, ::2] = 0.0
    for method in ("max-power", "swap-matching"):
        result = solve_batch(small, method, {"gain": gain})
        assert not result.arrays["assignment"][:, :, ::2].any()
        assert result.arrays["assignment"].any((1, 2)).all()
        assert np.isfinite(result.utility).all()
    assert solve_batch(small, "swap-matching", {"gain": gain}).feasible.any()


@pytest.mark.parametrize("stage", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_network_overfits_one_batch(small, channels, stage):
    recipe = small.recipes["dnn+rate"]
    problems = make_problems(small, channels)
    gain = np.where(channels["assignment"], channels["gain"], 0.0)
    strongest = gain == gain.max(2, keepdims=True)  # where the power goes from the start, evenly
    share = strongest * np.random.default_rng(0).exponential(size=(8, 4, 1)) ** 3
    power_w = TOTAL * share / share.sum((1, 2), keepdims=True)
    batch = (Labelled(problems, {"power_w": jnp.asarray(power_w, jnp.float32)}), problems)[stage]
    state = recipe.spec.init(problems, key=jax.random.key(0))
    objective = recipe.stages("smoke", 0)[stage].objective
    loss = quick_jit(lambda state: objective(state, batch, jax.random.key(0)).loss)
    config = LoopConfig(steps=300, chunk=100, checkpoint_every=300, learning_rate=3e-3)
    trained = train(objective, state, batch, Source(lambda data, key: data), config)
    before, after = float(loss(state)), float(loss(trained.policy))
    assert after < (0.4 * before if stage == 0 else before - 0.01)


@pytest.mark.parametrize("method", ["dnn", "dnn+qos-raw", "paus"])
def test_a_policy_of_another_size_says_how_to_train_one(method, channels):
    with pytest.raises(InputError) as error:
        wirelax.solve("noma", method, channels)
    message = str(error.value)
    assert f"method {method!r} was trained for num_subchannels=10, num_users=10" in message
    policy = {"paus": "dnn"}.get(method, method.removesuffix("-raw"))
    assert f"wirelax train noma --policy {policy} --set num_subchannels=4 --set num_users=5 --out RUN_DIR" in message


def test_the_equivariant_policy_serves_any_size_but_another_quota(small, channels):
    result = solve_batch(small, "equivariant", channels)
    assert result.feasible.all()
    assert (result.utility > solve_batch(small, "random-power", channels).utility).mean() > 0.8
    with pytest.raises(InputError, match="was trained for max_users_per_subchannel=3"):
        solve_batch(systems.get("noma", max_users_per_subchannel=2, **SMALL), "equivariant", {"gain": channels["gain"]})


FAST = ("max-power", "random-power", "swap-matching", "equivariant")
LONG = ("interior-point", "gradient", "paus-ip", "joint", "paus-equivariant")
OF_ONE_SIZE = ("dnn", "dnn+rate", "dnn+qos", "dnn-raw", "dnn+rate-raw", "dnn+qos-raw", "dnn+simplex", "paus")
SCALES = (1e-20, 1e-12, 1.0, 1e6)


@pytest.mark.parametrize(
    "method", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in (*LONG, *OF_ONE_SIZE))]
)
def test_a_common_scale_of_gains_and_noise_changes_nothing(channels, method):
    if method in OF_ONE_SIZE:
        channels = sample_channels(systems.get("noma"), 4, seed=0)
    found = []
    for scale in SCALES:
        system = systems.get("noma", noise_power_w=NOISE * scale, **(SMALL if method not in OF_ONE_SIZE else {}))
        found.append(solve_batch(system, method, {**channels, "gain": channels["gain"] * np.float32(scale)}))
    for result in found:
        np.testing.assert_allclose(result.utility, found[2].utility, rtol=1e-4)
        np.testing.assert_array_equal(result.feasible, found[2].feasible)
        np.testing.assert_array_equal(result.status, found[2].status)
    if not method.endswith("-power") and not method.endswith("-raw"):
        assert (found[0].status == Status.CONVERGED).all()


def test_the_catalogue_is_whole(small):
    from wirelax.systems.noma.catalogue import METHODS

    assert {*FAST, *LONG, *OF_ONE_SIZE} == set(METHODS) == set(small.methods)


@pytest.mark.slow
def test_alternation_never_loses_and_joint_beats_the_initial_schedule(small, channels):
    value = {}
    for name in ("interior-point", "paus-ip", "joint", "swap-matching", "max-power"):
        result = solve_batch(small, name, channels)
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
    best = solve_batch(system, "interior-point", channels).utility.mean()
    least = {"dnn": 0.9, "dnn+rate": 0.97, "dnn+qos": 0.97, "dnn+simplex": 0.97, "equivariant": 0.99}
    for name, ratio in least.items():
        result = solve_batch(system, name, channels)
        assert result.utility.mean() >= ratio * best
        assert result.feasible.all()
    assert solve_batch(system, "dnn+qos-raw", channels).arrays["violated_pairs"].mean() <= 1e-3
    assert solve_batch(system, "paus", channels).utility.mean() > best
