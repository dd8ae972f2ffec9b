"""The HetNet system: channels, sizes, policies and their heads, every method at any size and any scale."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import wirelax
from wirelax import systems
from wirelax.channels import vary_path_gain
from wirelax.errors import InputError
from wirelax.policies import log_power_bounds
from wirelax.policies.energy_efficiency import BestAssignment, LikeliestAssignment
from wirelax.problems import assignments, evaluate
from wirelax.systems import make_problems, sample_channels, solve_batch
from wirelax.training import LoopConfig, Source, train
from wirelax.training.energy_efficiency import renumbered, symmetries

from ..compiling import quick_jit

TINY = {"num_micro": 1, "power_levels": 3}


@pytest.fixture(scope="module")
def system():
    return systems.get("hetnet-ee")


@pytest.fixture(scope="module")
def gain(system):
    return sample_channels(system, 200, seed=11)["gain"]


def reference(gain, assignment, power_w, config):
    """Energy and spectral efficiency, the equations (3) to (7), in float64 loops."""
    noise_w, bandwidth_hz = 10 ** ((config.noise_dbm - 30) / 10), config.bandwidth_per_subchannel_hz
    num_bs, num_subchannels = assignment.shape
    rate_bps = 0.0
    for n in range(num_bs):
        for k in range(num_subchannels):
            user, heard = assignment[n, k], noise_w
            for m in range(num_bs):
                heard += float(gain[k, user, m]) * float(power_w[m, k]) if m != n else 0.0
            rate_bps += bandwidth_hz * np.log2(1 + float(gain[k, user, n]) * float(power_w[n, k]) / heard)
    circuit_w = config.circuit_power_macro_w + (num_bs - 1) * config.circuit_power_micro_w
    drawn_w = float(np.sum(power_w, dtype=np.float64)) / config.amplifier_efficiency + circuit_w
    return rate_bps / drawn_w, rate_bps / (bandwidth_hz * num_subchannels)


def check_result(gain, result, system):
    """Utilities, metrics and feasibility of all results, from the allocations alone."""
    config = system.config
    budget = np.array([config.max_power_macro_w] + [config.max_power_micro_w] * config.num_micro)
    for i, channel in enumerate(gain):
        assignment, power_w = result.arrays["assignment"][i], result.arrays["power_w"][i]
        efficiency, spectral = reference(channel, assignment, power_w, config)
        np.testing.assert_allclose(result.utility[i], efficiency, rtol=2e-5)
        np.testing.assert_allclose(result.arrays["spectral_efficiency"][i], spectral, rtol=2e-5)
        assert (power_w >= 0).all()
        assert (power_w.sum(1) <= budget * (1 + 1e-5)).all()
        assert set(assignment.ravel()) == set(range(channel.shape[1]))
        assert (assignment // config.users_per_bs == np.arange(config.num_bs)[:, None]).all()
        assert result.feasible[i] == (spectral >= config.min_spectral_efficiency * (1 - 1e-5))


def test_mean_gain_follows_the_path_loss(gain):
    """Own link of the macro: distance uniform in (0, 120) m at 13.5 m of height difference."""
    distance_km = np.hypot((np.arange(20000) + 0.5) / 20000 * 0.12, 0.0135)
    loss_db = 128.1 + 37.6 * np.log10(distance_km)
    own = 10 * np.log10(gain[:, :, :2, 0])
    rayleigh_db = -10 * 0.57721566 / np.log(10)  # mean of 10 log10 of an exponential
    np.testing.assert_allclose(own.mean(), -loss_db.mean() + rayleigh_db, atol=2.5)


def test_munich():
    system = systems.get("hetnet-ee", scenario="munich", num_subchannels=3)
    gain = sample_channels(system, 5, seed=0)["gain"]
    assert gain.shape == (5, 3, 6, 3)
    assert (gain >= 0).all()
    assert (gain.max((1, 2, 3)) > 0).all()
    triangle = system.fit({"gain": np.ones((1, 2, 8, 4))})
    assert (triangle.config.scenario, triangle.config.num_micro) == ("triangle", 3)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"noise_dbm": float("nan")}, "noise_dbm is nan; allowed: >= -250.0 and <= 100.0"),
        ({"users_per_bs": 3}, "use at least as many subchannels as users per BS"),
        ({"scenario": "mars"}, "scenario is 'mars'; allowed: 'triangle', 'munich'"),
        ({"scenario": "munich", "num_micro": 3}, "set num_micro=2"),
        ({"power_levels": 1}, "power_levels is 1"),
        ({"power_levels": "many"}, "wanted a value of type int"),
        ({"noise": 1}, "unknown configuration field 'noise'"),
    ],
)
def test_configurations_that_cannot_be(fields, words):
    with pytest.raises(InputError, match=words):
        systems.get("hetnet-ee", **fields)


def test_sizes_follow_the_channels(system):
    fitted = system.fit({"gain": np.ones((1, 3, 8, 4))})
    assert (fitted.config.num_micro, fitted.config.users_per_bs, fitted.config.num_subchannels) == (3, 2, 3)
    with pytest.raises(InputError, match="7 users for 3 BSs"):
        system.fit({"gain": np.ones((1, 3, 7, 3))})
    with pytest.raises(InputError, match="use at least as many subchannels"):
        system.fit({"gain": np.ones((1, 1, 6, 3))})
    large = systems.get("hetnet-ee", num_micro=3, num_subchannels=3)
    assert large.axis_lengths({"num_micro", "users_per_bs"}) == {"BS": 4, "user": 8}
    assert large.axis_lengths({"num_subchannels"}) == {"subchannel": 3}


@pytest.mark.parametrize(
    "method", ["max-power", "random-power", "cnn", pytest.param("gradient", marks=pytest.mark.slow)]
)
def test_results_are_those_of_the_equations(system, gain, method):
    check_result(gain[:8], solve_batch(system, method, {"gain": gain[:8]}, seed=1), system)


@pytest.mark.parametrize(
    "sizes",
    [(2, 2, 2), pytest.param((1, 1, 3), marks=pytest.mark.slow), pytest.param((3, 2, 3), marks=pytest.mark.slow)],
    ids=str,
)
def test_any_output_is_a_feasible_decision(sizes):
    """Heads give budgets and every user their due, whatever a network says."""
    num_micro, users_per_bs, num_subchannels = sizes
    names = ("num_micro", "users_per_bs", "num_subchannels")
    system = systems.get("hetnet-ee", min_spectral_efficiency=0.0, **dict(zip(names, sizes, strict=True)))
    count = len(assignments(num_micro + 1, users_per_bs, num_subchannels))
    rng = np.random.default_rng(0)
    scale = np.array([1.0, 1e3, 1e30])[:, None, None]
    shared = rng.normal(size=(3, num_micro + 1, num_subchannels)) * scale
    each = rng.normal(size=(3, count, num_micro + 1, num_subchannels)) * scale[..., None]
    outputs = {"assignment_logits": rng.normal(size=(3, count)) * scale[..., 0]}
    heads = [LikeliestAssignment(log_power_bounds()), BestAssignment(log_power_bounds())]
    problems = make_problems(system, sample_channels(system, 3, seed=0))

    @quick_jit
    @jax.vmap
    def decided(problem, outputs, shared, each):
        powers = (shared, each)
        return [evaluate(problem, head({**outputs, "log_power": p}, problem)) for head in heads for p in powers]

    for found in decided(problems, outputs, shared.astype(np.float32), each.astype(np.float32)):
        assert found.feasible.all()
        assert np.isfinite(found.utility).all()


def test_unreachable_links_have_finite_features(system):
    for name in ("dnn", "cnn", "conditioned"):
        features = system.recipes[name].spec.features(system.problem({"gain": jnp.zeros((2, 6, 3))}))
        assert np.isfinite(features).all()
    found = solve_batch(system, "cnn", {"gain": np.zeros((1, 2, 6, 3), np.float32)})
    assert np.isfinite(found.arrays["power_w"]).all()
    assert not found.feasible.any()


def test_violations_name_what_is_broken(system, gain):
    broken = {
        "power_budget": ([[0, 1], [2, 3], [4, 5]], 1.2, 1.0),
        "negative_power": ([[0, 1], [2, 3], [4, 5]], -0.12, 0.1),
        "unserved_users": ([[0, 0], [2, 3], [4, 5]], 0.1, 1 / 6),
        "foreign_users": ([[0, 1], [2, 3], [4, 0]], 0.1, 1 / 6),
        "spectral_efficiency": ([[0, 1], [2, 3], [4, 5]], 0.0, 1.0),
    }
    assert set(broken) == set(system.constraints)
    for name, (assignment, power_w, excess) in broken.items():
        allocation = {"assignment": jnp.array(assignment), "power_w": jnp.full((3, 2), power_w)}
        found = solve_batch(system, lambda problem, key, a=allocation: a, {"gain": gain[:1]})
        np.testing.assert_allclose(found.violations[name], excess, rtol=1e-5)
        assert not found.feasible.any()


@pytest.mark.parametrize(("recipe", "parameters"), [("dnn", 126_478), ("cnn", 401_182)])
def test_the_papers_parameter_counts(system, recipe, parameters):
    network = system.recipes[recipe].spec.network
    params = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((6, 3, 2)))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == parameters


@pytest.mark.slow
def test_renumbered_networks_have_the_same_optimum():
    assert len(symmetries(2, 2, 2)[0]) == 2 * 8 * 2
    system = systems.get("hetnet-ee", **TINY)
    method = system.methods["exhaustive"]
    problem = system.problem(system.sample(jax.random.key(5)))
    keys = jax.random.split(jax.random.key(1), 6)
    shuffled = quick_jit(jax.vmap(renumbered, in_axes=(None, 0)))(problem, keys)
    assert len(np.unique(np.asarray(shuffled.snr[:, 0, 0, 0]))) > 1
    best = quick_jit(lambda p: jax.lax.map(lambda one: method.solve(method.load(), one, keys[0]).utility, p))(shuffled)
    np.testing.assert_allclose(best, best[0], rtol=1e-5)


@pytest.mark.parametrize("stage", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_network_overfits_one_batch(stage):
    system = systems.get("hetnet-ee", **TINY)
    recipe = system.recipes["dnn+ee"]
    problems = make_problems(system, sample_channels(system, 8, seed=5))
    label = quick_jit(lambda p: jax.lax.map(lambda one: recipe.labels.label(one, jax.random.key(0)), p))(problems)
    batch = (wirelax.training.Labelled(problems, label), problems)[stage]
    state = recipe.spec.init(problems, key=jax.random.key(0))
    objective = recipe.stages("smoke", 0)[stage].objective
    loss = quick_jit(lambda state: objective(state, batch, jax.random.key(0)).loss)
    config = LoopConfig(steps=200, chunk=100, checkpoint_every=200)
    trained = train(objective, state, batch, Source(lambda data, key: data), config)
    before, after = float(loss(state)), float(loss(trained.policy))
    assert after < (0.3 * before if stage == 0 else before - 0.1)


def test_shipped_policies_beat_the_heuristics(system, gain):
    mean = {
        name: solve_batch(system, name, {"gain": gain}, seed=1).utility.mean()
        for name in ("max-power", "random-power", "dnn", "cnn", "cnn+ee")
    }
    assert min(mean["dnn"], mean["cnn"]) > 2 * max(mean["max-power"], mean["random-power"])
    assert mean["cnn+ee"] > mean["cnn"]


@pytest.mark.parametrize(("method", "policy"), [("cnn", "cnn"), ("dnn+ee", "dnn+ee"), ("cnn+ee+best-of-8", "cnn+ee")])
def test_a_policy_of_another_size_says_how_to_train_one(method, policy):
    """The message names the method that was asked for, and the command is complete."""
    gain = np.ones((1, 2, 4, 2), np.float32)
    with pytest.raises(InputError) as error:
        wirelax.solve("hetnet-ee", method, {"gain": gain})
    message = str(error.value)
    assert f"method {method!r} was trained for num_micro=2, users_per_bs=2, num_subchannels=2" in message
    sizes = "--set num_micro=1 --set users_per_bs=2 --set num_subchannels=2"
    assert f"wirelax train hetnet-ee --policy {policy} {sizes} --out RUN_DIR" in message


LARGE = {"16 micros": {"num_micro": 16, "num_subchannels": 4}, "4 users on 4": {"num_micro": 6, "users_per_bs": 4}}


@pytest.mark.parametrize("sizes", [pytest.param("16 micros", marks=pytest.mark.slow), "4 users on 4"])
def test_large_networks(sizes):
    """Heuristics and the gradient run at any size; what enumerates says so."""
    system = systems.get("hetnet-ee", **{"num_subchannels": 4, **LARGE[sizes]}, min_spectral_efficiency=0.0)
    channels = sample_channels(system, 2, seed=0)
    utility = {}
    for name in ("max-power", "random-power", "gradient"):
        result = solve_batch(system, name, channels)
        check_result(channels["gain"], result, system)
        utility[name] = result.utility
    assert (utility["gradient"] > utility["max-power"]).all()
    for name in ("exhaustive", "exhaustive+polish", "dinkelbach", "dnn", "cnn", "cnn+ee+best-of-8"):
        with pytest.raises(InputError, match=r"that can be enumerated|serves up to 512"):
            solve_batch(system, name, channels)


@pytest.mark.parametrize("method", ["exhaustive", pytest.param("exhaustive+polish", marks=pytest.mark.slow)])
def test_without_circuit_power_the_silent_network_does_not_win(method):
    """0 bit/s for 0 W is no efficiency: the best of all power vectors that meet the target, by enumeration."""
    system = systems.get("hetnet-ee", **TINY, circuit_power_macro_w=0, circuit_power_micro_w=0)
    gain = sample_channels(system, 4, seed=3)["gain"]
    result = solve_batch(system, method, {"gain": gain})
    check_result(gain, result, system)
    config, levels = system.config, [0.0, 1e-4, 1.0]
    for i, channel in enumerate(gain):
        best = 0.0
        for assignment in assignments(2, 2, 2):
            for level in itertools.product(levels, repeat=4):
                power_w = np.array([12.0, 1.2])[:, None] * np.reshape(level, (2, 2))
                if (np.reshape(level, (2, 2)).sum(1) > 1).any() or not power_w.any():
                    continue
                efficiency, spectral = reference(channel, assignment, power_w, config)
                best = max(best, efficiency if spectral >= config.min_spectral_efficiency else 0.0)
        assert result.feasible[i] == (best > 0)
        if method == "exhaustive" and best > 0:
            np.testing.assert_allclose(result.utility[i], best, rtol=1e-4)
        assert result.utility[i] >= best * (1 - 1e-4)


FAST = ("max-power", "random-power", "exhaustive", "cnn")
LONG = (
    "exhaustive+polish",
    "dinkelbach",
    "gradient",
    "dnn",
    "dnn+ee",
    "cnn+ee",
    "cnn+ee+best-of-8",
    "dnn+ee+best-of-8",
)
SCALES = (1e-20, 1e-12, 1.0, 1e6)


@pytest.mark.parametrize("method", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in LONG)])
def test_a_common_scale_of_gains_and_noise_changes_nothing(gain, method):
    found = []
    for scale in SCALES:
        # From -128.1 dBm to -40 dBm, so that all scales stay within the range of the field.
        system = systems.get("hetnet-ee", noise_dbm=-40 + 10 * np.log10(scale), power_levels=4)
        scaled = (gain[: 32 if method == "gradient" else 4].astype(float) * 10**8.81 * scale).astype(np.float32)
        found.append(solve_batch(system, method, {"gain": scaled}))
    for result in found:
        if method == "gradient":  # rounding leads it from the same starts to other local optima
            np.testing.assert_allclose(result.utility.mean(), found[2].utility.mean(), rtol=0.05)
            continue
        np.testing.assert_allclose(result.utility, found[2].utility, rtol=2e-4)
        np.testing.assert_array_equal(result.feasible, found[2].feasible)
        np.testing.assert_array_equal(result.status, found[2].status)


def test_varied_path_gains(gain):
    keys = jax.random.split(jax.random.key(9), len(gain))
    vary = quick_jit(jax.vmap(lambda g, k: vary_path_gain(g, key=k)))
    varied = np.asarray(vary(gain, keys))
    same = (varied == gain).all((1, 2, 3))
    assert 0.35 < same.mean() < 0.65
    change_db = 10 * np.log10(varied / gain)[~same]
    assert np.isfinite(change_db).all()
    served = np.arange(6)[:, None] // 2 == np.arange(3)
    assert change_db[..., ~served].min() < -80 < change_db[..., served].min() < -40
    assert change_db.max() > 10  # shadowing can also help
    spread = np.ptp(np.log(varied), axis=1) / np.ptp(np.log(gain), axis=1)
    assert (spread < 1 + 1e-3).all()  # never more fading than before ...
    np.testing.assert_allclose(spread[:, 0, 0], spread[:, 3, 2], atol=0.02)  # ... and one factor for all links
    assert np.isfinite(vary(np.zeros_like(gain), keys)).all()


def test_table_columns(system):
    columns = system.table_columns(
        np.array([92.0, 91.0, 50.0, 0.0]),
        np.array([100.0, 100.0, 50.0, np.nan]),
        {"feasible": np.array([True, True, True, False])},
    )
    assert columns["within_8_percent"] == pytest.approx(200 / 3)
    assert columns["error_median"] == pytest.approx(0.08)
    nothing = system.table_columns(np.zeros(2), np.full(2, np.nan), {"feasible": np.zeros(2, bool)})
    assert np.isnan(nothing["within_8_percent"])
