"""The papers' networks for association: sizes, feasible decisions, orders of UEs and BSs, learning by heart."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wirelax.policies import PolicySpec
from wirelax.policies.association.edge import EdgeGNN
from wirelax.policies.association.features import link_features
from wirelax.policies.association.hbgnn import HBGNN, channel_vectors, neighbours, weights_of
from wirelax.policies.association.heads import AssociationHead
from wirelax.policies.association.hgsage import HGSAGE, _sample
from wirelax.policies.association.image import AssociationCNN, AssociationFCNN
from wirelax.problems import is_feasible, make_association_problem
from wirelax.systems.hudn.paper_recipes import fcnn_width
from wirelax.training.association import AssociationObjective, FixedTemperature
from wirelax.training.step import init_state, take_step

from ..compiling import quick_jit

NETWORKS = {
    "hbgnn": HBGNN(width=8),
    "sum": HBGNN(width=8, aggregate="sum"),
    "bilinear": HBGNN(width=8, head="bilinear"),
    "hgsage": HGSAGE(width=8, samples=2),
    "cnn": AssociationCNN(channels=4, layers=2),
    "fcnn": AssociationFCNN(width=16, depth=2),
    "edge": EdgeGNN(width=8),
}


def problem_of(ues, bss, seed=0, holes=True):
    """SNRs from -20 to 60 dB; with holes, a third is missing, and a UE and a BS have no link at all."""
    rng = np.random.default_rng([seed, ues, bss])
    gain = 10 ** rng.uniform(-2, 6, (ues, bss))
    if holes:
        gain *= rng.uniform(size=gain.shape) < 0.67
        gain[0, 0] = 5.0
    if holes and min(ues, bss) > 1:
        gain[1], gain[:, 1] = 0, 0
    return make_association_problem(jnp.asarray(gain, jnp.float32), max_power_w=2.0, noise_w=2.0)


def count(network, ues, bss):
    """Trained numbers; nothing is made."""
    problem = jax.eval_shape(lambda: problem_of(ues, bss, holes=False))
    variables = jax.eval_shape(lambda key, p: network.init(key, link_features(p)), jax.random.key(0), problem)
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


def test_networks_have_the_parameters_of_the_paper():
    assert count(HBGNN(), 120, 105) == 471_402
    assert count(HGSAGE(), 120, 105) == 405_610
    assert fcnn_width(120, 105) == 2048
    assert count(AssociationFCNN(), 120, 105) == 64_428_449
    stack = (9 * 64 + 64) + 3 * (9 * 64 * 64 + 64)
    assert count(AssociationCNN(), 120, 105) == 3 * stack + 2 * (3 * 64 + 1) == 334_658


def test_the_size_of_a_network_on_links_is_that_of_its_states():
    assert count(EdgeGNN(), 120, 105) == count(EdgeGNN(), 3, 2) == 15_146


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("ends", [(1, 1), (5, 4)])
def test_decisions_are_feasible_and_empty_bss_silent(name, ends, key):
    problem, network = problem_of(*ends), NETWORKS[name]

    @quick_jit
    def decide(key, problem):
        variables = network.init(key, link_features(problem))
        outputs = network.apply(variables, link_features(problem))
        return outputs, AssociationHead()(outputs, problem)

    outputs, allocation = decide(key, problem)
    assert outputs["logits"].shape == ends
    assert outputs["power"].shape == ends[1:]
    assert bool(is_feasible(problem.violations(allocation)))
    empty = ~np.isin(np.arange(ends[1]), allocation["association"])
    np.testing.assert_array_equal(allocation["power_w"][empty], 0.0)
    assert (np.asarray(allocation["power_w"])[~empty] > 0).all()


def test_neighbours_and_channel_vectors_match_loops():
    problem = problem_of(5, 4, seed=1)
    snr, found = np.asarray(problem.snr, np.float64), neighbours(link_features(problem))
    first = np.array([[g > 0 and (g > 1 or g == row.max()) for g in row] for row in snr])
    np.testing.assert_array_equal(found.ue, first)
    np.testing.assert_array_equal(found.bs, first.T)
    for got, lists in ((found.ue_second, first), (found.bs_second, first.T)):
        wanted = [[i != k and bool((a & b).any()) for k, b in enumerate(lists)] for i, a in enumerate(lists)]
        np.testing.assert_array_equal(got, wanted)
    vectors = [
        [np.log10(g) / 2 if ok else -1 for g, ok in zip(*rows, strict=True)] for rows in zip(snr, first, strict=True)
    ]
    np.testing.assert_allclose(channel_vectors(link_features(problem), found.ue), vectors, rtol=1e-5, atol=1e-6)
    mean = weights_of(found, "mean", jnp.float32)
    np.testing.assert_allclose(mean.ue @ np.ones(4), first.any(1), rtol=1e-6)
    np.testing.assert_array_equal(weights_of(found, "sum", jnp.float32).bs_second, found.bs_second)


def test_a_sample_is_of_neighbours_and_as_large_as_it_may_be(key):
    mask = jnp.asarray([[True] * 6, [True, False, True] + [False] * 3, [False] * 6])
    seen = np.asarray(jax.vmap(lambda k: _sample(k, mask, 3))(jax.random.split(key, 64)))
    np.testing.assert_array_equal(seen.sum(2), np.broadcast_to([3, 2, 0], (64, 3)))
    assert not (seen & ~np.asarray(mask)).any()
    assert seen[:, 0].mean(0) == pytest.approx(0.5, abs=0.25)


def test_neighbours_are_sampled_in_training_alone(key):
    problem, network = problem_of(5, 4, holes=False), NETWORKS["hgsage"]
    spec = PolicySpec(network, link_features, AssociationHead(), shared_statistics="none")
    batch = jax.tree.map(lambda leaf: leaf[None], problem)
    state = spec.init(batch, key=key)
    train = quick_jit(lambda k: spec.training_outputs(state, batch, key=k)[0]["logits"][0])
    first, second = train(jax.random.key(1)), train(jax.random.key(2))
    assert float(jnp.abs(first - second).max()) > 1e-4


def test_channel_vectors_make_the_order_of_bss_matter(key):
    problem, bss, network = problem_of(5, 4), np.array([2, 0, 3, 1]), NETWORKS["hbgnn"]
    moved = replace(problem, snr=problem.snr[:, bss])
    init, apply = quick_jit(network.init)(key, link_features(problem)), quick_jit(network.apply)
    first, second = (apply(init, link_features(p))["power"] for p in (problem, moved))
    assert np.abs(first[bss] - second).max() > 1e-4


def test_a_renumbered_network_on_links_decides_the_same(key):
    problem, network = problem_of(5, 4), NETWORKS["edge"]
    ues, bss = np.array([3, 1, 4, 0, 2]), np.array([2, 0, 3, 1])
    moved = replace(problem, snr=problem.snr[ues][:, bss], macro=problem.macro[bss])
    init, apply = quick_jit(network.init)(key, link_features(problem)), quick_jit(network.apply)
    first, second = (apply(init, link_features(p)) for p in (problem, moved))
    np.testing.assert_allclose(second["logits"], first["logits"][ues][:, bss], atol=1e-5)
    np.testing.assert_allclose(second["power"], first["power"][bss], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hbgnn", "cnn", "fcnn", "edge"])
def test_a_network_learns_one_batch_by_heart(name, key):
    """From below the association of the strongest signals at full power to well above it."""
    batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(problem_of(8, 5, seed, holes=False) for seed in range(4)))
    spec = PolicySpec(NETWORKS[name], link_features, AssociationHead(), shared_statistics="none")
    objective = AssociationObjective(spec=spec, temperature=FixedTemperature(0.3), gradient="soft")
    optimizer = optax.adam(5e-3)
    state = init_state(objective, spec.init(batch, key=key), optimizer, batch, key)

    @jax.jit
    def train(state):
        return jax.lax.scan(lambda s, _: take_step(objective, optimizer, s, batch, key)[::2], state, length=300)

    _, metrics = train(state)

    def strongest(problem):
        allocation = problem.allocation(jnp.argmax(problem.snr, -1), jnp.ones(5))
        return problem.utility(allocation)

    assert float(metrics["utility"][-1]) > 1.3 * float(jax.vmap(strongest)(batch).mean())
    assert float(metrics["utility"][-1]) > float(metrics["utility"][0])
