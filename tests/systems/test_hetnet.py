"""The HetNet system: sampling, features, policies' sizes and symmetries, feasibility of every output."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax import systems
from wirelax.policies import Standardiser
from wirelax.solvers import search_with_assignments
from wirelax.systems.hetnet_ee.channel import bs_positions_m, vary_path_gain
from wirelax.systems.hetnet_ee.recipes import shuffle_symmetric, symmetries
from wirelax.systems.run import sample_channels, solve_batch
from wirelax.training import LoopConfig, train


@pytest.fixture(scope="module")
def system():
    return systems.get("hetnet-ee")


@pytest.fixture(scope="module")
def gain(system):
    return sample_channels(system, 400, seed=11)["gain"]


def test_triangle():
    sites = bs_positions_m(systems.get("hetnet-ee").config)
    distance = np.linalg.norm(sites[:, None] - sites, axis=-1)
    np.testing.assert_allclose(distance[~np.eye(3, dtype=bool)], 200.0)


def test_mean_gain_follows_the_path_loss(system, gain):
    """Own link of the macro: distance uniform in (0, 120) m at 13.5 m of height difference."""
    distance_km = np.hypot((np.arange(20000) + 0.5) / 20000 * 0.12, 0.0135)
    loss_db = 128.1 + 37.6 * np.log10(distance_km)
    own = 10 * np.log10(gain[:, :, :2, 0])
    rayleigh_db = -10 * 0.57721566 / np.log(10)  # mean of 10 log10 of an exponential
    np.testing.assert_allclose(own.mean(), -loss_db.mean() + rayleigh_db, atol=2.0)


@pytest.mark.parametrize(("recipe", "parameters"), [("dnn", 126_478), ("cnn", 401_182)])
def test_the_papers_parameter_counts(system, recipe, parameters):
    params = jax.eval_shape(system.recipes[recipe].network.init, jax.random.key(0), jnp.zeros((6, 3, 2)))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == parameters


@pytest.mark.parametrize("recipe", ["dnn", "cnn", "conditioned", "equivariant"])
def test_random_weights_give_feasible_decisions(system, gain, recipe):
    network = system.recipes[recipe].network
    features = jax.vmap(system.features)({"gain": jnp.asarray(gain[:50])})
    params = jax.jit(network.init)(jax.random.key(3), features[0])

    @jax.jit
    @jax.vmap
    def decide(feature, gain):
        outputs = network.apply(jax.tree.map(lambda p: 30 * p, params), feature)
        allocation = system.decode(outputs, {"gain": gain})
        return allocation, system.violations(allocation, {"gain": gain}), system.utility(allocation, {"gain": gain})

    allocation, violations, utility = decide(features, gain[:50])
    assert np.isfinite(utility).all()
    assert (violations["power_budget"] <= 1e-6).all()
    assert (violations["unserved_users"] <= 0).all()
    assert (allocation["power_w"] >= 0).all()


def test_symmetries_leave_the_network_what_it_is(system, gain):
    tables = symmetries(system)
    assert len(tables[0]) == 2 * 8 * 2
    best = jax.jit(lambda g: system.methods["exhaustive"].solve(None, {"gain": g}, jax.random.key(0)).utility)
    shuffle = jax.jit(lambda g, seed: shuffle_symmetric(g, tables, jax.random.key(seed)))
    values = [float(best(shuffle(gain[0], i))) for i in range(5)]
    np.testing.assert_allclose(values, float(best(jnp.asarray(gain[0]))), rtol=1e-5)


def test_equivariant_network_is_equivariant(system, gain):
    network = system.recipes["equivariant"].network
    features = system.features({"gain": jnp.asarray(gain[0])}) / 3
    params = jax.jit(network.init)(jax.random.key(0), features)
    apply = jax.jit(network.apply)
    outputs = apply(params, features)
    swapped = apply(params, features[:, :, ::-1])
    # Swapping subchannels swaps the columns of every assignment: class a becomes its mirror image.
    assignment = system.assignments
    mirror = [int(np.flatnonzero((assignment == a[:, ::-1]).all((1, 2)))[0]) for a in assignment]
    np.testing.assert_allclose(swapped["log_power"][np.array(mirror)][..., ::-1], outputs["log_power"], atol=1e-5)
    np.testing.assert_allclose(swapped["assignment_logits"][np.array(mirror)], outputs["assignment_logits"], atol=1e-5)
    # Swapping the users of a cell permutes the classes and nothing else.
    user = np.array([1, 0, 2, 3, 4, 5])
    renamed = apply(params, features[user])
    image = [int(np.flatnonzero((assignment == user[a]).all((1, 2)))[0]) for a in assignment]
    np.testing.assert_allclose(renamed["log_power"], outputs["log_power"][np.array(image)], atol=1e-5)


@pytest.mark.parametrize("stage", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_network_overfits_one_batch(system, small_labels, stage):
    recipe = system.recipes["dnn+ee"]
    data = small_labels
    features = jax.vmap(system.features)({"gain": data["gain"]})
    standardise = Standardiser.fit(features)
    params = jax.jit(recipe.network.init)(jax.random.key(0), standardise(features[0]))
    loss = recipe.stages("smoke", standardise, 0)[stage].loss
    evaluate = jax.jit(loss)
    before = float(evaluate(params, data, jax.random.key(0))[0])
    config = LoopConfig(steps=400, chunk=200, checkpoint_every=200)
    params = train(loss, params, data, lambda data, key: data, config)
    after = float(evaluate(params, data, jax.random.key(0))[0])
    assert after < (0.3 * before if stage == 0 else before - 0.1)


@pytest.fixture(scope="module")
def small_labels(system):
    """Labels of a few channels: the polish of `make_labels` would cost a long compilation here."""
    gain = sample_channels(system, 16, seed=5)["gain"]

    @jax.jit
    def label(gain):
        return jax.lax.map(lambda g: search_with_assignments(system.problem({"gain": g}), levels=3)[1], gain)

    found = label(jnp.asarray(gain))
    fraction = found.allocation["power_w"] / jnp.asarray(system.max_power_w)[:, None]
    log_power = jnp.where(fraction > 0, jnp.log10(jnp.maximum(fraction, 1e-9)), -6.0)
    return {"gain": jnp.asarray(gain), "value": found.utility, "log_power": log_power}


def test_shipped_policies_load_and_beat_the_heuristics(system, gain):
    channels = {"gain": gain}
    mean = {
        name: solve_batch(system, system.methods[name], channels, seed=1).utility.mean()
        for name in ("max-power", "random-power", "dnn", "cnn", "cnn+ee", "equivariant")
    }
    assert min(mean["dnn"], mean["cnn"]) > 2 * max(mean["max-power"], mean["random-power"])
    assert mean["cnn+ee"] > mean["cnn"]
    assert mean["equivariant"] > mean["cnn"]


def test_a_policy_refuses_other_sizes(system):
    larger = systems.get("hetnet-ee", num_micro=3)
    with pytest.raises(ValueError, match="num_micro=2"):
        larger.methods["cnn"].load()


def test_varied_path_gains(gain):
    keys = jax.random.split(jax.random.key(9), len(gain))
    vary = jax.jit(jax.vmap(lambda g, k: vary_path_gain(g, key=k)))
    varied = np.asarray(vary(gain, keys))
    same = (varied == gain).all((1, 2, 3))
    assert 0.4 < same.mean() < 0.6
    change_db = 10 * np.log10(varied / gain)[~same]
    assert np.isfinite(change_db).all()
    served = np.arange(6)[:, None] // 2 == np.arange(3)
    assert change_db[..., ~served].min() < -80 < change_db[..., served].min() < -40
    assert change_db.max() > 10  # shadowing can also help
    spread = np.ptp(np.log(varied), axis=1) / np.ptp(np.log(gain), axis=1)
    assert (spread < 1 + 1e-3).all()  # never more fading than before ...
    np.testing.assert_allclose(spread[:, 0, 0], spread[:, 3, 2], atol=0.02)  # ... and one factor for all links
    assert np.isfinite(vary(np.zeros_like(gain), keys)).all()


def test_unreachable_links_have_finite_features(system):
    assert np.isfinite(system.features({"gain": jnp.zeros((2, 6, 3))})).all()


def test_violations_name_what_is_broken(system, gain):
    channel = {"gain": jnp.asarray(gain[0])}
    power_w = jnp.full((3, 2), 1.2)
    broken = {"assignment": jnp.array([[0, 0], [2, 3], [4, 5]]), "power_w": power_w}
    found = jax.jit(system.violations)(broken, channel)
    np.testing.assert_allclose(found["power_budget"], 1.0, rtol=1e-6)
    np.testing.assert_allclose(found["unserved_users"], 1 / 6, rtol=1e-6)


def test_table_columns(system):
    columns = system.table_columns(np.array([92.0, 91.0, 50.0, 0.0]), np.array([100.0, 100.0, 50.0, 0.0]), {})
    assert columns["within_8_percent"] == pytest.approx(200 / 3)
    assert columns["error_median"] == pytest.approx(0.08)


def test_config_is_checked():
    config = systems.get("hetnet-ee", noise_dbm="-120").config
    assert config.noise_dbm == -120.0
    assert dataclasses.replace(config, noise_dbm=-128.1) == systems.get("hetnet-ee").config
    for overrides in ({"noise_dbm": float("nan")}, {"users_per_bs": 3}, {"scenario": "mars"}, {"power_levels": 1}):
        with pytest.raises(ValueError, match=next(iter(overrides))):
            systems.get("hetnet-ee", **overrides)
