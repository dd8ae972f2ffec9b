"""Where base stations and users stand, and the distances between them.

Positions are in metres, one row per site or user: ``[count, 2]`` on the ground, ``[count, 3]`` with
heights. Nothing here is random without an explicit `key`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

__all__ = [
    "equilateral_triangle",
    "hexagonal_grid",
    "pairwise_distance",
    "uniform_distance_drop",
    "uniform_in_disc",
    "uniform_in_square",
    "wrap_around_offsets",
    "wrapped_distance",
]


def equilateral_triangle(side_m: ArrayLike) -> Float[Array, "3 2"]:
    """Corners of an equilateral triangle of side `side_m` (m), the first one at the origin."""
    corners = jnp.asarray([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3.0) / 2.0]], dtype=float)
    return jnp.asarray(side_m, dtype=float) * corners


def hexagonal_grid(rings: int, spacing_m: ArrayLike) -> Float[Array, "sites 2"]:
    """Sites of a hexagonal cluster: the centre at the origin, then ring by ring.

    Args:
        rings: rings round the centre site (static): 0, 1, 2 give 1, 7, 19 sites, 3 r (r + 1) + 1 in general.
        spacing_m: distance between neighbouring sites, m.

    Returns:
        Site positions [sites, 2], m.

    Raises:
        ValueError: `rings` is negative.
    """
    _require_at_least("rings", rings, 0)
    span = range(-rings, rings + 1)
    cells = [(_hexagonal_norm(q, r), q, r) for q in span for r in span if _hexagonal_norm(q, r) <= rings]
    return jnp.asarray(spacing_m, dtype=float) * _axial_to_cartesian([cell[1:] for cell in sorted(cells)])


def wrap_around_offsets(rings: int, spacing_m: ArrayLike) -> Float[Array, "images 2"]:
    """Translations from a hexagonal cluster to itself and to its six images that tile the plane round it.

    The cluster of `hexagonal_grid` has 3 r (r + 1) + 1 sites, a rhombic number i^2 + i j + j^2 with
    i = r + 1 and j = r, so its copies lie (r + 1, r) steps away along the two lattice axes and at the five
    rotations of that vector by 60 degrees.

    Args:
        rings: rings of the cluster (static).
        spacing_m: distance between neighbouring sites, m.

    Returns:
        Offsets [7, 2], m; the first is zero.

    Raises:
        ValueError: `rings` is negative.
    """
    _require_at_least("rings", rings, 0)
    steps = [(rings + 1, rings)]
    for _ in range(5):
        q, r = steps[-1]
        steps.append((-r, q + r))  # a turn by 60 degrees in axial coordinates
    return jnp.asarray(spacing_m, dtype=float) * _axial_to_cartesian([(0, 0), *steps])


def wrapped_distance(
    rx_position: Float[Array, "rx d"], tx_position: Float[Array, "tx d"], offset: Float[Array, "images 2"]
) -> Float[Array, "rx tx"]:
    """Distance from every receiver to the nearest image of every transmitter.

    Args:
        rx_position: receivers [rx, 2 or 3], m, inside the cluster.
        tx_position: transmitters [tx, 2 or 3], m, inside the cluster.
        offset: images of the cluster, from `wrap_around_offsets`, m; heights are left alone.

    Returns:
        Distances [rx, tx], m.
    """
    padded = jnp.pad(offset, ((0, 0), (0, tx_position.shape[-1] - 2)))
    images = jax.vmap(lambda shift: pairwise_distance(rx_position, tx_position + shift))(padded)
    return jnp.min(images, axis=0)


def pairwise_distance(rx_position: Float[Array, "rx d"], tx_position: Float[Array, "tx d"]) -> Float[Array, "rx tx"]:
    """Euclidean distances [rx, tx], m; the gradient of a zero distance is zero, not NaN."""
    squared = jnp.sum(jnp.square(rx_position[:, None, :] - tx_position[None, :, :]), axis=-1)
    apart = squared > 0
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, squared, 1.0)), 0.0)


def uniform_in_square(count: int, side_m: ArrayLike, *, key: PRNGKeyArray) -> Float[Array, "count 2"]:
    """Positions [count, 2] (m) uniform in the square with corners (0, 0) and (`side_m`, `side_m`).

    Raises:
        ValueError: `count` is below 1.
    """
    _require_at_least("count", count, 1)
    return jnp.asarray(side_m, dtype=float) * jax.random.uniform(key, (count, 2), dtype=float)


def uniform_in_disc(count: int, radius_m: ArrayLike, *, key: PRNGKeyArray) -> Float[Array, "count 2"]:
    """Positions [count, 2] (m) uniform in area in the disc of `radius_m` round the origin.

    Raises:
        ValueError: `count` is below 1.
    """
    _require_at_least("count", count, 1)
    radius_key, angle_key = jax.random.split(key)
    radius = jnp.asarray(radius_m) * jnp.sqrt(jax.random.uniform(radius_key, (count,), dtype=float))
    return _polar(radius, angle_key)


def uniform_distance_drop(
    centres: Float[Array, "centres 2"],
    users_per_centre: int,
    max_distance_m: ArrayLike,
    min_distance_m: ArrayLike = 0.0,
    *,
    key: PRNGKeyArray,
) -> Float[Array, "users 2"]:
    """Users round their own centres, uniform in distance and in angle (not in area).

    The drop of Xu et al. (2019): "distance uniform in (0, 0.12) km from its own BS".

    Args:
        centres: positions of the centres [centres, 2], m.
        users_per_centre: users of each centre (static).
        max_distance_m: largest horizontal distance, m.
        min_distance_m: smallest horizontal distance, m.
        key: random key.

    Returns:
        Positions [centres * users_per_centre, 2], m; user u belongs to centre u // users_per_centre.

    Raises:
        ValueError: `users_per_centre` is below 1.
    """
    _require_at_least("users_per_centre", users_per_centre, 1)
    distance_key, angle_key = jax.random.split(key)
    own_centre = jnp.repeat(centres, users_per_centre, axis=0)
    share = jax.random.uniform(distance_key, (own_centre.shape[0],), dtype=float)
    nearest, farthest = jnp.asarray(min_distance_m), jnp.asarray(max_distance_m)
    return own_centre + _polar(nearest + (farthest - nearest) * share, angle_key)


def _polar(radius: Float[Array, "count"], key: PRNGKeyArray) -> Float[Array, "count 2"]:
    """Points at the given radii and uniform angles."""
    angle = jax.random.uniform(key, radius.shape, dtype=float, maxval=2.0 * np.pi)
    return radius[:, None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)


def _hexagonal_norm(q: int, r: int) -> int:
    """Steps from the origin to the cell (q, r) of a hexagonal lattice."""
    return max(abs(q), abs(r), abs(q + r))


def _axial_to_cartesian(cells: list[tuple[int, int]]) -> Float[np.ndarray, "cells 2"]:
    """Cartesian positions of hexagonal lattice cells (q, r) at unit spacing."""
    q, r = np.asarray(cells, dtype=float).T
    return np.stack([q + r / 2.0, r * np.sqrt(3.0) / 2.0], axis=-1)


def _require_at_least(name: str, value: int, least: int) -> None:
    """Raise ValueError unless the static size `value` is at least `least`."""
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
