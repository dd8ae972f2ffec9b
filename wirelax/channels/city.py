"""A random city: buildings as boxes, BSs on streets and roofs, users on an outdoor grid, views by ray against box.

The scenario of Zhang et al. (HBGNN), section IV: a square with macros in a pattern, small BSs and buildings anywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, PRNGKeyArray

from wirelax.channels.blockage import line_of_sight
from wirelax.channels.path_loss import PathLossModel, path_gain
from wirelax.channels.topology import pairwise_distance, uniform_in_square

__all__ = ["CityLayout", "city_gain", "macro_sites", "outdoor_users", "sample_city"]

CANDIDATES = 256
"""Places tried for a building that may not overlap those before it."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class CityLayout:
    """Buildings and BSs of one city.

    Attributes:
        box_min: smallest corner of every building [building, 3], m.
        box_max: largest corner [building, 3], m.
        bs_position_m: [bs, 3], the macros first.
        on_roof: on which building a BS stands [bs, building].
    """

    box_min: Float[Array, "building 3"]
    box_max: Float[Array, "building 3"]
    bs_position_m: Float[Array, "bs 3"]
    on_roof: Bool[Array, "bs building"]


def macro_sites(count: int, side_m: ArrayLike) -> Float[Array, "count 2"]:
    """Positions of macro BSs in a square with corners (0, 0) and (`side_m`, `side_m`).

    One stands in the middle; five in the middle and in the middles of the quarters; any other number on a circle.
    """
    quarters = np.array([[0.5, 0.5], [0.25, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.75]])
    angle = 2 * math.pi * np.arange(count) / max(count, 1) + 0.3
    circle = 0.5 + 0.3 * np.stack([np.cos(angle), np.sin(angle)], -1)
    sites = quarters[:count] if count in (1, 5) else circle
    return jnp.asarray(side_m, float) * jnp.asarray(sites, float)


def sample_city(
    num_macro: int,
    num_small: int,
    num_buildings: int,
    *,
    side_m: ArrayLike = 200.0,
    building_width_m: ArrayLike = 20.0,
    building_height_m: ArrayLike = 30.0,
    macro_height_m: ArrayLike = 25.0,
    small_height_m: ArrayLike = 10.0,
    mast_m: ArrayLike = 2.0,
    key: PRNGKeyArray,
) -> CityLayout:
    """Buildings and small BSs placed at random, macros as in `macro_sites`.

    Args:
        num_macro: macro BSs (static).
        num_small: small BSs (static), uniform in the square; there may be none.
        num_buildings: square buildings (static), uniform but not overlapping: each takes the first of many random
            places that is free, or the emptiest of them where none is.
        side_m: of the square city.
        building_width_m: of every building.
        building_height_m: of every building.
        macro_height_m: of a macro on the ground.
        small_height_m: of a small BS on the ground.
        mast_m: height above the roof of a BS that stands inside of a building's walls.
        key: random key.
    """
    building_key, small_key = jax.random.split(key)
    width = jnp.asarray(building_width_m, float)
    corner = _free_places(num_buildings, jnp.asarray(side_m, float) - width, width, key=building_key)
    small = uniform_in_square(max(num_small, 1), side_m, key=small_key)[:num_small]
    ground = jnp.concatenate([macro_sites(num_macro, side_m), small])
    inside = ((ground[:, None] >= corner) & (ground[:, None] <= corner + width)).all(-1)
    street_m = jnp.where(jnp.arange(num_macro + num_small) < num_macro, macro_height_m, small_height_m)
    height = jnp.where(inside.any(-1), jnp.asarray(building_height_m, float) + mast_m, street_m)
    roof = jnp.full((num_buildings, 1), building_height_m, float)
    return CityLayout(
        box_min=jnp.concatenate([corner, jnp.zeros((num_buildings, 1))], -1),
        box_max=jnp.concatenate([corner + width, roof], -1),
        bs_position_m=jnp.concatenate([ground, height[:, None]], -1),
        on_roof=inside,
    )


def outdoor_users(
    layout: CityLayout,
    num_ues: int,
    points_per_side: int,
    *,
    side_m: ArrayLike = 200.0,
    ue_height_m: ArrayLike = 1.5,
    key: PRNGKeyArray,
) -> Float[Array, "num_ues 3"]:
    """Different points of a square grid outside of all buildings, in the order of the grid.

    Args:
        layout: of the city.
        num_ues: points to draw (static).
        points_per_side: of the grid (static), in the middles of its cells. Where fewer of them are outdoors than there
            are users, the rest stands indoors.
        side_m: of the square city.
        ue_height_m: of every user.
        key: random key.

    Raises:
        ValueError: the grid has fewer points than there are users.
    """
    if not 1 <= num_ues <= points_per_side**2:
        raise ValueError(f"num_ues is {num_ues}; wanted 1 to {points_per_side**2}, the points of the grid")
    line = (jnp.arange(points_per_side) + 0.5) * (jnp.asarray(side_m, float) / points_per_side)
    point = jnp.stack(jnp.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    within = (point[:, None] >= layout.box_min[:, :2]) & (point[:, None] <= layout.box_max[:, :2])
    score = jax.random.uniform(key, point.shape[:1]) - within.all(-1).any(-1)
    drawn = point[jnp.sort(jax.lax.top_k(score, num_ues)[1])]
    return jnp.concatenate([drawn, jnp.full((num_ues, 1), ue_height_m, float)], -1)


def city_gain(
    layout: CityLayout, ue_position_m: Float[Array, "ue 3"], clear: PathLossModel, blocked: PathLossModel
) -> Float[Array, "ue bs"]:
    """Linear power gains by distance and view; the building that a BS stands on never blocks it.

    Args:
        layout: of the city.
        ue_position_m: users.
        clear: path loss with line of sight.
        blocked: path loss without.
    """
    sites = layout.bs_position_m
    seen = line_of_sight(ue_position_m, sites, layout.box_min, layout.box_max, layout.on_roof)
    distance_km = pairwise_distance(ue_position_m, sites) / 1e3
    return jnp.where(seen, path_gain(distance_km, clear), path_gain(distance_km, blocked))


def _free_places(count: int, span_m: Array, width_m: Array, *, key: PRNGKeyArray) -> Float[Array, "count 2"]:
    """Lower corners of squares that overlap none before them, where one of the places tried allows it."""

    def step(placed: Array, index: Array) -> tuple[Array, None]:
        tried = span_m * jax.random.uniform(jax.random.fold_in(key, index), (CANDIDATES, 2))
        apart = jnp.abs(tried[:, None] - placed).max(-1)  # of two squares; at least one width where they do not overlap
        nearest = jnp.where(jnp.arange(count) < index, apart, jnp.inf).min(-1)
        chosen = tried[jnp.argmax(jnp.minimum(nearest, width_m))]  # the first of those that are free
        return placed.at[index].set(chosen), None

    if count == 0:
        return jnp.zeros((0, 2))
    return jax.lax.scan(step, jnp.zeros((count, 2)), jnp.arange(count))[0]
