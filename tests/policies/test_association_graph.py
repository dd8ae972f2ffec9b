"""One network on arrays and on graphs: the same outputs and gradients, padding, isolated nodes, renumbering."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import jraph
import numpy as np
import pytest

from wirelax.policies.association.edge import EdgeGNN
from wirelax.policies.association.features import edge_inputs, link_features
from wirelax.policies.association.graph import graph_choice, graph_features, graph_share, relaxed_graph_rates
from wirelax.policies.association.heads import AssociationHead, choice_logits, power_of
from wirelax.policies.association.links import DenseLinks, SparseLinks, link_inputs
from wirelax.problems import make_association_problem
from wirelax.smoothing import tempered_softmax

from ..compiling import quick_jit

NETWORK = EdgeGNN(width=8)
APPLY = quick_jit(NETWORK.apply)
SHAPES = [(1, 1), (6, 1), (9, 5)]
TEMPERATURE = 0.4


def problem_of(ues, bss, seed=0, objective="sum-rate"):
    """SNRs from -20 to 60 dB, a third of them missing; with more than one of each, a UE and a BS have no link."""
    rng = np.random.default_rng([seed, ues, bss])
    gain = 10 ** (rng.uniform(-2, 6, (ues, bss))) * (rng.uniform(size=(ues, bss)) < 0.67)
    if min(ues, bss) > 1:
        gain[1], gain[:, 2] = 0, 0
    gain[0, 0] = 5.0
    macro = np.arange(bss) < 1
    gain = jnp.asarray(gain, jnp.float32)
    return make_association_problem(gain, max_power_w=2.0, noise_w=2.0, macro=macro, objective=objective)


def in_double_precision(leaf):
    """Numbers that are not whole as float64."""
    return leaf.astype(jnp.float64) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf


@pytest.fixture(scope="module")
def weights():
    """Random ones, biases as well."""
    variables = quick_jit(NETWORK.init)(jax.random.key(3), link_features(problem_of(9, 5)))
    leaves, structure = jax.tree.flatten(variables["params"])
    keys = jax.random.split(jax.random.key(4), len(leaves))
    leaves = [leaf + 0.3 * jax.random.normal(k, leaf.shape) for leaf, k in zip(leaves, keys, strict=True)]
    return {**variables, "params": jax.tree.unflatten(structure, leaves)}


def on_arrays(weights, problem):
    """Relaxed rates of the network's outputs as arrays."""
    outputs = NETWORK.apply(weights, link_features(problem))
    share = tempered_softmax(choice_logits(outputs["logits"], problem.snr > 0), TEMPERATURE)
    return outputs, problem.relaxed_rates(share, power_of(outputs, "joint"))


def on_graphs(weights, graph):
    """The same on edges."""
    outputs = NETWORK.apply(weights, graph)
    share = graph_share(graph, outputs["logits"], TEMPERATURE)
    return outputs, relaxed_graph_rates(graph, share, power_of(outputs, "joint"))


ARRAYS, GRAPHS = quick_jit(on_arrays), quick_jit(on_graphs)
INPUTS = {
    kind: quick_jit(lambda features, kind=kind: link_inputs(kind(features))) for kind in (DenseLinks, SparseLinks)
}


@pytest.mark.parametrize("ends", SHAPES)
def test_inputs_are_those_of_the_arrays(ends):
    problem = problem_of(*ends)
    features, (ue, bs) = link_features(problem), np.nonzero(problem.snr)
    wanted = np.asarray(quick_jit(edge_inputs)(features))
    np.testing.assert_allclose(INPUTS[DenseLinks](features), wanted, atol=2e-6)
    np.testing.assert_allclose(INPUTS[SparseLinks](graph_features(problem)), wanted[ue, bs], atol=2e-6)


@pytest.mark.parametrize("ends", SHAPES)
def test_outputs_and_rates_agree(weights, ends):
    ues, _ = ends
    problem = problem_of(*ends)
    outputs, rates = ARRAYS(weights, problem)
    found, found_rates = GRAPHS(weights, graph_features(problem))
    ue, bs = np.nonzero(problem.snr)
    np.testing.assert_allclose(found["logits"], np.asarray(outputs["logits"])[ue, bs], atol=1e-5)
    np.testing.assert_allclose(found["power"][ues:], outputs["power"], atol=1e-5)
    np.testing.assert_allclose(found_rates[:ues], rates, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found_rates[ues:], 0.0)
    assert float(rates.sum()) > 0.1


@pytest.mark.parametrize("objective", ["sum-rate", "proportional-fair"])
def test_gradients_agree(weights, objective, x64):
    """In double precision: logits that differ by little are divided by their deviation, which magnifies rounding."""
    weights, problem = jax.tree.map(in_double_precision, (weights, problem_of(9, 5, objective=objective)))
    graph = graph_features(problem)
    utility = problem.utility_of_rates
    pairs = [
        quick_jit(jax.grad(lambda w: utility(on_arrays(w, problem)[1])))(weights),
        quick_jit(jax.grad(lambda w: utility(on_graphs(w, graph)[1][:9])))(weights),
    ]
    dense, sparse = (jax.tree.leaves(gradient["params"]) for gradient in pairs)
    scale = max(float(jnp.abs(leaf).max()) for leaf in dense)
    assert scale > 1e-3
    for left, right in zip(dense, sparse, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-9 * scale)


def test_computing_the_layers_again_changes_nothing(weights):
    graph = graph_features(problem_of(9, 5))
    again = quick_jit(EdgeGNN(width=8, remat=True).apply)(weights, graph)
    np.testing.assert_allclose(again["logits"], APPLY(weights, graph)["logits"], atol=1e-6)


def test_padding_changes_nothing(weights):
    problem = problem_of(9, 5)
    graph = graph_features(problem)
    edges = len(graph.senders)
    outputs, rates = GRAPHS(weights, graph)
    with_room = quick_jit(graph_features, static_argnums=1)(problem, edges + 7)
    assert with_room.n_edge.tolist() == [edges, 7]
    padded = jraph.pad_with_graphs(graph, 15, edges + 7, 2)
    for larger in (with_room, padded):
        found, found_rates = GRAPHS(weights, larger)
        np.testing.assert_allclose(found["logits"][:edges], outputs["logits"], atol=1e-6)
        np.testing.assert_allclose(found["power"][:14], outputs["power"], atol=1e-6)
        np.testing.assert_allclose(found_rates[:14], rates, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(found_rates[14:], 0.0)


def test_graphs_side_by_side_do_not_see_each_other(weights):
    graphs = [graph_features(problem_of(9, 5, seed)) for seed in range(2)]
    apart = [APPLY(weights, graph) for graph in graphs]
    both = APPLY(weights, jraph.batch(graphs))
    for name in ("logits", "power"):
        np.testing.assert_allclose(both[name], np.concatenate([a[name] for a in apart]), atol=1e-5)


def test_isolated_nodes_change_nothing_for_the_others(weights):
    problem = problem_of(9, 5)
    ues, bss = (np.asarray((problem.snr > 0).any(axis)) for axis in (1, 0))
    assert (ues.sum(), bss.sum()) == (8, 4)
    left = replace(problem, snr=problem.snr[ues][:, bss], macro=problem.macro[bss])
    all_of_them, some = (APPLY(weights, link_features(p)) for p in (problem, left))
    np.testing.assert_allclose(all_of_them["logits"][ues][:, bss], some["logits"], atol=1e-5)
    np.testing.assert_allclose(all_of_them["power"][bss], some["power"], atol=1e-5)


def test_links_that_do_not_exist_are_never_seen(weights):
    problem = problem_of(9, 5)
    features = link_features(problem)
    hidden = {**features, "snr": jnp.where(features["reach"], features["snr"], 1e4)}
    for name, value in APPLY(weights, hidden).items():
        np.testing.assert_array_equal(value, APPLY(weights, features)[name])


def test_renumbering_renumbers(weights):
    problem = problem_of(9, 5)
    rng = np.random.default_rng(0)
    ues, bss = rng.permutation(9), rng.permutation(5)
    moved = replace(problem, snr=problem.snr[ues][:, bss], macro=problem.macro[bss])
    first, second = (APPLY(weights, link_features(p)) for p in (problem, moved))
    np.testing.assert_allclose(second["logits"], first["logits"][ues][:, bss], atol=1e-5)
    np.testing.assert_allclose(second["power"], first["power"][bss], atol=1e-5)


@pytest.mark.parametrize("ends", SHAPES)
def test_the_decision_is_that_of_the_head(weights, ends):
    problem = problem_of(*ends)
    wanted = AssociationHead()(APPLY(weights, link_features(problem)), problem)
    graph = graph_features(problem)
    association, power = graph_choice(APPLY(weights, graph), graph, num_ues=ends[0], num_bss=ends[1])
    found = problem.allocation(association, power)
    np.testing.assert_array_equal(found["association"], wanted["association"])
    np.testing.assert_allclose(found["power_w"], wanted["power_w"], atol=1e-5)


def test_shares_of_equal_logits_are_equal():
    graph = graph_features(problem_of(9, 5))
    share = np.asarray(graph_share(graph, jnp.full(len(graph.senders), 3.0), 0.1))
    degree = np.bincount(graph.senders)[graph.senders]
    np.testing.assert_allclose(share, 1 / degree, rtol=1e-5)
