import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wirelax.channels import (
    equilateral_triangle,
    hexagonal_grid,
    pairwise_distance,
    uniform_distance_drop,
    uniform_in_disc,
    uniform_in_square,
    wrap_around_offsets,
    wrapped_distance,
)

# Multiples of 1/8 m, so that float32 differences and squares are exact.
COORDINATE = st.integers(-4000, 4000).map(lambda eighths: eighths / 8)


def loop_distance(rx, tx):
    out = np.zeros((len(rx), len(tx)))
    for i, a in enumerate(np.asarray(rx, dtype=np.float64)):
        for j, b in enumerate(np.asarray(tx, dtype=np.float64)):
            out[i, j] = math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))
    return out


def test_triangle_has_three_equal_sides_and_a_corner_at_the_origin():
    corners = equilateral_triangle(200.0)
    np.testing.assert_array_equal(corners[0], [0, 0])
    np.testing.assert_allclose(loop_distance(corners, corners), 200 * (1 - np.eye(3)), rtol=1e-6)


@pytest.mark.parametrize(("rings", "sites"), [(0, 1), (1, 7), (2, 19), (3, 37), (4, 61)])
def test_hexagonal_grid_counts_and_rings(rings, sites):
    grid = np.asarray(hexagonal_grid(rings, 500.0), dtype=np.float64)
    assert grid.shape == (sites, 2)
    np.testing.assert_array_equal(grid[0], [0, 0])
    apart = loop_distance(grid, grid) + 1e9 * np.eye(sites)
    if rings:
        np.testing.assert_allclose(apart.min(axis=1), 500.0, rtol=1e-5)
    # Ring by ring: each site lies outside the circle through the flats of the ring before its own.
    ring = np.repeat(np.arange(rings + 1), [max(1, 6 * r) for r in range(rings + 1)])
    radius = np.hypot(*grid.T) / 500.0
    assert (radius <= ring + 1e-5).all()
    assert (radius >= ring * math.sqrt(3) / 2 - 1e-5).all()


def test_first_ring_is_a_hexagon():
    angles = np.sort(np.degrees(np.arctan2(*np.asarray(hexagonal_grid(1, 1.0))[1:].T)) % 360)
    np.testing.assert_allclose(np.diff(angles), 60.0, atol=1e-3)


@pytest.mark.parametrize("rings", [1, 2])
def test_wrap_around_makes_all_sites_alike(rings):
    grid = hexagonal_grid(rings, 500.0)
    distance = np.asarray(jax.jit(wrapped_distance)(grid, grid, wrap_around_offsets(rings, 500.0)))
    ranked = np.sort(distance, axis=1)
    np.testing.assert_allclose(ranked, np.broadcast_to(ranked[0], ranked.shape), rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(distance, distance.T, rtol=1e-5, atol=1e-2)
    np.testing.assert_allclose(ranked[:, 1:7], 500.0, rtol=1e-4)  # six neighbours everywhere
    assert not np.allclose(*np.sort(loop_distance(grid, grid), axis=1)[[0, -1]])


@pytest.mark.parametrize("rings", [0, 1, 2, 3])
def test_images_of_the_cluster_tile_without_overlap(rings):
    offsets = np.asarray(wrap_around_offsets(rings, 1.0), dtype=np.float64)
    grid = np.asarray(hexagonal_grid(rings, 1.0), dtype=np.float64)
    assert offsets.shape == (7, 2)
    np.testing.assert_array_equal(offsets[0], [0, 0])
    np.testing.assert_allclose(np.sum(offsets[1:] ** 2, axis=1), 3 * rings * (rings + 1) + 1, rtol=1e-5)
    tiles = (offsets[:, None] + grid).reshape(-1, 2)
    apart = loop_distance(tiles, tiles) + np.eye(len(tiles))
    assert apart.min() > 1 - 1e-4


def test_wrapped_distance_equals_the_loop_over_images_and_keeps_heights():
    rng = np.random.default_rng(1)
    offsets = wrap_around_offsets(2, 100.0)
    rx = np.column_stack([rng.uniform(-200, 200, (5, 2)), np.full(5, 1.5)])
    tx = np.column_stack([rng.uniform(-200, 200, (4, 2)), np.full(4, 25.0)])
    images = [loop_distance(rx, tx + np.append(shift, 0.0)) for shift in np.asarray(offsets, dtype=np.float64)]
    got = wrapped_distance(jnp.asarray(rx), jnp.asarray(tx), offsets)
    np.testing.assert_allclose(got, np.min(images, axis=0), rtol=1e-5)


jitted_distance = jax.jit(pairwise_distance)


@given(arrays(np.float32, (5, 3), elements=COORDINATE), arrays(np.float32, (4, 3), elements=COORDINATE))
def test_pairwise_distance_equals_the_loop(rx, tx):
    got = jitted_distance(jnp.asarray(rx), jnp.asarray(tx))
    np.testing.assert_allclose(got, loop_distance(rx, tx), rtol=1e-5, atol=1e-12)


def test_zero_distance_has_a_zero_gradient():
    points = jnp.asarray([[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_array_equal(np.diag(pairwise_distance(points, points)), [0, 0])
    grad = jax.jit(jax.grad(lambda p: jnp.sum(pairwise_distance(p, p))))(points)
    np.testing.assert_allclose(grad, [[-1.2, -1.6], [1.2, 1.6]], rtol=1e-6)


def test_square_and_disc_are_uniform_in_area():
    square, disc = jax.jit(
        lambda key: (uniform_in_square(20_000, 200.0, key=key), uniform_in_disc(20_000, 50.0, key=key))
    )(jax.random.key(0))
    square, disc = np.asarray(square), np.asarray(disc)
    assert square.min() >= 0
    assert square.max() <= 200
    counts, _, _ = np.histogram2d(*square.T, bins=4, range=[[0, 200], [0, 200]])
    np.testing.assert_allclose(counts / 20_000, 1 / 16, atol=0.008)
    radius = np.hypot(*disc.T)
    assert radius.max() <= 50 * (1 + 1e-6)
    np.testing.assert_allclose(np.mean(radius < 25), 0.25, atol=0.01)
    np.testing.assert_allclose(disc.mean(axis=0), 0, atol=0.6)


def draw(key, farthest_m, nearest_m):
    return uniform_distance_drop(equilateral_triangle(200.0), 2, farthest_m, nearest_m, key=key)


@pytest.fixture(scope="module")
def drops():
    """Many drops of two users round each of three centres, by key."""
    keys = jax.random.split(jax.random.key(2), 4000)
    return keys, np.asarray(jax.jit(jax.vmap(draw, (0, None, None)))(keys, 120.0, 20.0))


def test_drop_is_uniform_in_distance_round_the_right_centre(drops):
    users = drops[1].astype(np.float64)
    assert users.shape == (4000, 6, 2)
    own = users - np.repeat(np.asarray(equilateral_triangle(200.0)), 2, axis=0)
    distance = np.hypot(own[..., 0], own[..., 1])
    assert distance.min() >= 20 * (1 - 1e-4)
    assert distance.max() <= 120 * (1 + 1e-4)
    for user in range(6):
        np.testing.assert_allclose(np.quantile(distance[:, user], [0.25, 0.5, 0.75]), [45, 70, 95], atol=3.0)
    np.testing.assert_allclose(own.mean(axis=0), 0, atol=4.0)


def test_drop_jitted_and_vmapped_equals_the_eager_loop(drops):
    keys, batch = drops
    loop = [draw(key, 120.0, 20.0) for key in keys[:3]]
    np.testing.assert_allclose(batch[:3], np.stack(loop), rtol=1e-5, atol=1e-4)


@pytest.mark.usefixtures("x64")
def test_double_precision():
    assert hexagonal_grid(2, 500.0).dtype == jnp.float64
    drop = jax.eval_shape(lambda: uniform_in_disc(4, 5.0, key=jax.random.key(0)))
    assert drop.dtype == jnp.float64
    points = jnp.asarray(np.random.default_rng(4).uniform(size=(4, 2)))
    np.testing.assert_allclose(jitted_distance(points, points), loop_distance(points, points), rtol=1e-14)


@pytest.mark.parametrize(
    "call",
    [
        lambda: hexagonal_grid(-1, 1.0),
        lambda: wrap_around_offsets(-1, 1.0),
        lambda: uniform_in_square(0, 1.0, key=jax.random.key(0)),
        lambda: uniform_in_disc(0, 1.0, key=jax.random.key(0)),
        lambda: uniform_distance_drop(jnp.zeros((1, 2)), 0, 1.0, key=jax.random.key(0)),
    ],
)
def test_sizes_below_the_least_are_refused(call):
    with pytest.raises(ValueError, match="must be at least"):
        call()
