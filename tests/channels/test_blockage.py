import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.channels import line_of_sight

UNIT = np.array([[0.0, 0.0, 0.0]]), np.array([[1.0, 1.0, 1.0]])

jitted = jax.jit(line_of_sight)


def sees(rx, tx, low=UNIT[0], high=UNIT[1], transparent=None):
    arrays = (jnp.asarray(np.atleast_2d(np.asarray(a, dtype=np.float32))) for a in (rx, tx, low, high))
    return np.asarray(jitted(*arrays, transparent))


def loop_longest_inside(rx, tx, low, high, samples=4001):
    """Share of every segment inside every box, by walking along the segment."""
    share = np.zeros((len(rx), len(tx), len(low)))
    for i, a in enumerate(rx):
        for j, b in enumerate(tx):
            walk = a + np.linspace(0, 1, samples)[:, None] * (b - a)
            for k in range(len(low)):
                share[i, j, k] = np.mean(np.all((walk > low[k]) & (walk < high[k]), axis=1))
    return share


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equals_dense_sampling(seed):
    rng = np.random.default_rng(seed)
    low = np.column_stack([rng.uniform(0, 180, (6, 2)), np.zeros(6)]).astype(np.float32)
    high = low + np.array([20, 20, 30], dtype=np.float32)
    rx = np.column_stack([rng.uniform(0, 200, (15, 2)), np.full(15, 1.5)]).astype(np.float32)
    tx = np.column_stack([rng.uniform(0, 200, (6, 2)), [10, 10, 25, 25, 32, 3]]).astype(np.float32)
    share = loop_longest_inside(rx, tx, low, high)
    clear = ~(share > 0).any(axis=2)
    # Segments that clip a corner between two samples are the sampling's error, not ours.
    sure = clear == ~(loop_longest_inside(rx, tx, low + 0.1, high - 0.1) > 0).any(axis=2)
    got = sees(rx, tx, low, high)
    np.testing.assert_array_equal(got[sure], clear[sure])
    assert sure.mean() > 0.95
    assert 0.1 < clear.mean() < 0.9
    transparent = rng.random((6, 6)) < 0.5
    clear = ~((share > 0) & ~transparent[None]).any(axis=2)
    got = sees(rx, tx, low, high, jnp.asarray(transparent))
    np.testing.assert_array_equal(got[sure], clear[sure])


@pytest.mark.parametrize("seed", [0, 1])
def test_the_view_is_mutual(seed):
    rng = np.random.default_rng(seed)
    rx, tx, low = rng.uniform(0, 1, (8, 3)), rng.uniform(0, 1, (8, 3)), rng.uniform(0, 0.8, (3, 3))
    np.testing.assert_array_equal(sees(rx, tx, low, low + 0.2), sees(tx, rx, low, low + 0.2).T)


@pytest.mark.parametrize(
    ("rx", "tx", "clear"),
    [
        ((-1, 0.5, 0.5), (2, 0.5, 0.5), False),  # parallel to an axis, through the middle
        ((-1, 2.0, 0.5), (2, 2.0, 0.5), True),  # parallel to an axis, beside the box
        ((-1, 1.0, 0.5), (2, 1.0, 0.5), True),  # along a face
        ((-1, 1.0, 1.0), (2, 1.0, 1.0), True),  # along an edge
        ((-1, 0.0, 0.5), (0.5, 1.5, 0.5), True),  # through an edge, slanted
        ((0.5, -0.5, 0.3), (1.5, 0.5, 0.7), True),  # through an edge, slanted in 3-D
        ((-1, -1, -1), (0, 0, 0), True),  # ends on a corner
        ((2, 0.5, 0.5), (1, 0.5, 0.5), True),  # ends on a face from outside
        ((0, 0.5, 0.5), (1, 0.5, 0.5), False),  # between two faces, through the inside
        ((-2, 0.5, 0.5), (-1, 0.5, 0.5), True),  # the line would hit, the segment stops short
        ((0.5, 0.5, 0.5), (3, 0.5, 0.5), False),  # starts inside
        ((0.25, 0.5, 0.5), (0.75, 0.5, 0.5), False),  # wholly inside
        ((0.5, 0.5, 2), (0.5, 0.5, 1), True),  # stands on the roof
        ((0.5, 0.5, -1), (0.5, 0.5, 3), False),  # vertical
        ((-1, 0.3, 0.2), (2, 0.8, 0.9), False),  # slanted through
        ((3, 3, 3), (3, 3, 3), True),  # a point
    ],
)
def test_edge_cases(rx, tx, clear):
    assert sees(rx, tx).item() is clear
    assert sees(tx, rx).item() is clear


def test_grazing_an_edge_that_floats_cannot_represent():
    # The vertical edge x = 0.3, y = 0.7 of the box, touched from many directions.
    angles = np.linspace(0.05, np.pi / 2 - 0.05, 200)
    step = np.column_stack([np.cos(angles), np.sin(angles), 0.1 * np.ones(200)]) * 50
    edge = np.array([0.3, 0.7, 0.5])
    views = sees(edge - step, edge + step, [[0.3, -9.3, 0.0]], [[10.3, 0.7, 1.0]])
    assert np.diag(views).all()
    assert not views.all()


def test_no_boxes_is_all_clear():
    assert sees(np.zeros((2, 3)), np.ones((4, 3)), np.zeros((0, 3)), np.zeros((0, 3))).all()


def test_own_roof_is_transparent_for_its_transmitter_only():
    tx = np.array([[0.5, 0.5, 1.1], [-1.0, 0.5, 0.5]])
    rx = np.array([[1.5, 0.5, 0.2]])
    np.testing.assert_array_equal(sees(rx, tx), [[False, False]])
    np.testing.assert_array_equal(sees(rx, tx, transparent=jnp.asarray([[True], [False]])), [[True, False]])


def test_jit_and_vmap_equal_eager():
    rng = np.random.default_rng(3)
    rx, tx, low = (jnp.asarray(rng.uniform(size=(3, n, 3)), dtype=jnp.float32) for n in (5, 4, 3))
    batch = jax.jit(jax.vmap(line_of_sight))(rx, tx, low, low + 0.3)
    single = np.stack([jitted(rx[i], tx[i], low[i], low[i] + 0.3) for i in range(3)])
    np.testing.assert_array_equal(batch, single)
    np.testing.assert_array_equal(batch[0], line_of_sight(rx[0], tx[0], low[0], low[0] + 0.3))


@pytest.mark.usefixtures("x64")
def test_double_precision_resolves_a_thin_wall():
    low, high = jnp.asarray([[0.0, 0.0, 0.0]]), jnp.asarray([[1e-7, 1.0, 1.0]])
    rx, tx = jnp.asarray([[-1.0, 0.5, 0.5]]), jnp.asarray([[1.0, 0.5, 0.5]])
    assert not jitted(rx, tx, low, high).item()
