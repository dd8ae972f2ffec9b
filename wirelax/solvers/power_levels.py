"""Grids of transmit powers and the corners of a power budget over them."""

from __future__ import annotations

import itertools
from typing import Literal

import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from wirelax.units import db_to_linear

__all__ = [
    "BUDGET_TOLERANCE",
    "budget_corners",
    "budget_mask",
    "power_candidates",
    "power_levels",
    "power_vectors",
]

BUDGET_TOLERANCE = 1e-6
"""Relative slack of a power budget, so that levels that sum to 1 in exact arithmetic count as feasible."""


def power_levels(
    count: int, range_db: float = 40.0, spacing: Literal["db", "linear"] = "db"
) -> Float[np.ndarray, " level"]:
    """Power levels as fractions of the budget: 0 and ``count - 1`` values up to 1.

    Args:
        count: number of levels, zero included; at least 2.
        range_db: distance of the smallest positive level below the budget, for ``spacing="db"``.
        spacing: "db" for even steps in decibel, "linear" for even steps in watt (paper 1's benchmark).

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


def power_vectors(levels: Float[np.ndarray, " level"], num_bs: int) -> Float[np.ndarray, "vector bs"]:
    """Every combination of one level per BS, last BS fastest: the joint powers on one subchannel."""
    return np.array(list(itertools.product(levels, repeat=num_bs)))


def budget_corners(levels: Float[np.ndarray, " level"], num_subchannels: int) -> Int[np.ndarray, "corner subchannel"]:
    """Largest level index per subchannel of one BS such that the budget still holds.

    A vector of levels is within the budget exactly if it lies below one of these corners in every coordinate,
    so a maximum over the budget set is a maximum over corners of maxima over boxes.
    """
    within = [
        index
        for index in itertools.product(range(len(levels)), repeat=num_subchannels)
        if sum(levels[i] for i in index) <= 1 + BUDGET_TOLERANCE
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
        choice for choice in itertools.product(levels, repeat=num_subchannels) if sum(choice) <= 1 + BUDGET_TOLERANCE
    ]
    return np.array(list(itertools.product(of_bs, repeat=num_bs)))


def budget_mask(levels: Float[np.ndarray, " level"], num_bs: int, num_subchannels: int) -> Bool[np.ndarray, "..."]:
    """Which combinations of power vectors, one axis per subchannel, keep every BS within its budget."""
    vectors = power_vectors(levels, num_bs)
    total = np.zeros((1,) * num_subchannels + (num_bs,))
    for axis in range(num_subchannels):
        shape = [1] * num_subchannels + [num_bs]
        shape[axis] = len(vectors)
        total = total + vectors.reshape(shape)
    return np.all(total <= 1 + BUDGET_TOLERANCE, axis=-1)
