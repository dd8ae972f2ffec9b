"""Statistics of arrays and of graphs."""

import jax
import jax.numpy as jnp
import jraph
import numpy as np
import pytest

from wirelax.policies import Standardiser

RNG = np.random.default_rng(0)


def test_array():
    x = RNG.normal(3, 2, (500, 4))
    x[:, 2] = 7.0  # a constant feature must not divide by zero
    z = Standardiser.fit(x)(x)
    np.testing.assert_allclose(np.mean(z, 0), 0, atol=1e-4)
    np.testing.assert_allclose(np.std(z, 0), [1, 1, 0, 1], atol=1e-4)
    assert Standardiser.fit(x, shared=True).mean.shape == ()


def graphs(count=40):
    """A batch of graphs of 3 nodes and 2 edges each."""
    return jraph.GraphsTuple(
        nodes=RNG.normal([5.0, -100.0], [1.0, 30.0], (count, 3, 2)).astype(np.float32),
        edges={"gain": RNG.normal(7.0, 2.0, (count, 2, 1)).astype(np.float32), "used": RNG.random((count, 2)) < 0.5},
        senders=np.tile(np.array([0, 1], np.int32), (count, 1)),
        receivers=np.tile(np.array([1, 2], np.int32), (count, 1)),
        n_node=np.full((count, 1), 3, np.int32),
        n_edge=np.full((count, 1), 2, np.int32),
        globals=None,
    )


@pytest.mark.parametrize(
    ("shared", "shape"), [(False, (3, 2)), (True, ()), ("nodes", (2,))], ids=["each", "all", "nodes"]
)
@pytest.mark.parametrize("kind", ["graph", "dict"])
def test_graph(shared, shape, kind):
    batch = graphs()
    batch = batch if kind == "graph" else batch._asdict()
    part = (lambda g: g.nodes) if kind == "graph" else (lambda g: g["nodes"])
    standardise = Standardiser.fit(batch, shared=shared)
    assert jax.tree.structure(standardise.mean) == jax.tree.structure(batch)
    assert part(standardise.mean).shape == shape
    axes = {(3, 2): 0, (): None, (2,): (0, 1)}[shape]
    nodes = part(batch).astype(np.float64)
    wanted = (nodes - nodes.mean(axes)) / nodes.std(axes)
    found = jax.jit(jax.vmap(standardise))(batch)
    np.testing.assert_allclose(part(found), wanted, atol=1e-4)
    names = ("senders", "receivers", "n_node", "n_edge")
    for name in names:
        at = (lambda g, n=name: getattr(g, n)) if kind == "graph" else (lambda g, n=name: g[n])
        assert at(found).dtype == at(batch).dtype
        np.testing.assert_array_equal(at(found), at(batch))
    edges = found.edges if kind == "graph" else found["edges"]
    assert edges["used"].dtype == bool


def test_graphs_of_other_sizes_use_the_statistics_of_nodes():
    standardise = Standardiser.fit(graphs(), shared="nodes")
    larger = graphs(1)
    nodes = jnp.ones((7, 2))
    one = jax.tree.map(lambda leaf: leaf[0], larger)._replace(nodes=nodes)
    found = standardise(one)
    np.testing.assert_allclose(found.nodes, (1 - standardise.mean.nodes) / standardise.std.nodes * nodes, rtol=1e-6)


def test_empty_leaves_are_left_alone():
    found = Standardiser.fit({"edges": np.zeros((4, 0, 2)), "x": np.arange(4.0)}, shared=True)
    assert found.mean["edges"] == 0
    assert found.mean["x"] == 1.5


def test_is_an_argument_not_a_constant():
    """Other statistics of the same structure run the same program."""
    traces = []

    @jax.jit
    def apply(standardise, x):
        traces.append(None)
        return standardise(x)

    for shift in (1.0, 2.0):
        x = RNG.normal(shift, 1, (50, 2))
        standardise = Standardiser.fit(x)
        np.testing.assert_allclose(apply(standardise, x), (x - x.mean(0)) / x.std(0), atol=1e-4)
    assert len(traces) == 1
