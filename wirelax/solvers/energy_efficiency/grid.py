"""Grids of transmit powers and the corners of a power budget over them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from wirelax.types import FEASIBILITY_TOLERANCE
from wirelax.units import db_to_linear

__all__ = [
    "PowerGrid",
    "Spacing",
    "budget_corners",
    "budget_mask",
    "make_power_grid",
    "power_candidates",
    "power_levels",
]

Spacing = Literal["db", "linear"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class PowerGrid:
    """Transmit powers to choose from on every subchannel, as fractions of a BS's budget, and its budget set.

    The levels are traced, so that grids of other ranges run in the same compiled program; the corners are static,
    as they say how much work there is. They change only where other levels fit into one budget together.

    Attributes:
        levels: in rising order, the first 0, the last 1.
        corners: see `budget_corners`, as tuples.
    """

    levels: Float[Array, " level"]
    corners: tuple[tuple[int, ...], ...] = field(metadata={"static": True})

    @property
    def num_subchannels(self) -> int:
        """K, of the budget set."""
        return len(self.corners[0])


def make_power_grid(num_subchannels: int, count: int = 6, range_db: float = 40.0, spacing: Spacing = "db") -> PowerGrid:
    """The grid of `power_levels` for so many subchannels; 6 levels over 40 dB by default.

    Raises:
        ValueError: as for `power_levels`.
    """
    levels = power_levels(count, range_db, spacing)
    corners = budget_corners(levels, num_subchannels)
    return PowerGrid(levels=jnp.asarray(levels, float), corners=tuple(tuple(map(int, corner)) for corner in corners))


def power_levels(count: int, range_db: float = 40.0, spacing: Spacing = "db") -> Float[np.ndarray, " level"]:
    """Power levels as fractions of the budget: 0 and ``count - 1`` values up to 1.

    Args:
        count: number of levels, zero included; at least 2.
        range_db: distance of the smallest positive level below the budget, for ``spacing="db"``.
        spacing: "db" for even steps in decibel, "linear" for even steps in watt (the benchmark of Xu et al., 2019).

    Raises:
        ValueError: fewer than 2 levels, a range that is not positive, or an unknown spacing.
    """
    if count < 2:
        raise ValueError(f"power_levels is {count}; wanted at least 2 (zero and full power)")
    if spacing == "linear":
        return np.linspace(0.0, 1.0, count)
    if spacing != "db":
        raise ValueError(f"spacing is {spacing!r}; choose 'db' or 'linear'")
    if range_db <= 0:
        raise ValueError(f"range_db is {range_db}; wanted a positive number of dB")
    steps_db = np.linspace(-range_db, 0.0, count - 1) if count > 2 else np.zeros(1)
    with jax.ensure_compile_time_eval():  # a concrete grid also when the caller is being traced
        return np.concatenate([[0.0], np.asarray(db_to_linear(steps_db), dtype=np.float64)])


def budget_corners(levels: Float[np.ndarray, " level"], num_subchannels: int) -> Int[np.ndarray, "corner subchannel"]:
    """Largest level index per subchannel of one BS such that the budget still holds.

    A vector of levels is within the budget exactly if it lies below one of these corners in every coordinate,
    so a maximum over the budget set is a maximum over corners of maxima over boxes.
    """
    within = [
        index
        for index in itertools.product(range(len(levels)), repeat=num_subchannels)
        if sum(levels[i] for i in index) <= 1 + FEASIBILITY_TOLERANCE
    ]
    found = set(within)
    last = len(levels) - 1
    corners = [
        index
        for index in within
        if not any(i < last and (*index[:k], i + 1, *index[k + 1 :]) in found for k, i in enumerate(index))
    ]
    return np.array(corners, dtype=np.int32)


def power_candidates(
    levels: Float[np.ndarray, " level"], num_bs: int, num_subchannels: int
) -> Float[np.ndarray, "candidate bs subchannel"]:
    """Every grid power allocation within the budgets, as fractions of them (19,683 for 6 dB levels, 3 x 2)."""
    of_bs = [
        choice
        for choice in itertools.product(levels, repeat=num_subchannels)
        if sum(choice) <= 1 + FEASIBILITY_TOLERANCE
    ]
    return np.array(list(itertools.product(of_bs, repeat=num_bs)))


def budget_mask(levels: Float[Array, " level"], num_bs: int, num_subchannels: int) -> Bool[Array, "row vector"]:
    """Which combinations of level vectors, one per subchannel, keep every BS within its budget.

    Args:
        levels: fractions of the budget.
        num_bs: N; a vector has one level per BS, last BS fastest.
        num_subchannels: K.

    Returns:
        The vectors of the first K - 1 subchannels jointly as rows, first subchannel slowest, those of the last
        one as columns.
    """
    index = np.array(list(itertools.product(range(len(levels)), repeat=num_bs)))
    vectors = jnp.asarray(levels)[index]
    total = jnp.zeros((1, num_bs), vectors.dtype)
    for _ in range(num_subchannels - 1):
        total = (total[:, None] + vectors).reshape(-1, num_bs)
    return (total[:, None] + vectors <= 1 + FEASIBILITY_TOLERANCE).all(-1)
