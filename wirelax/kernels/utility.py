"""Utilities of one network: one scalar to maximise from the rates of its users."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wirelax.kernels._shapes import check_same_shape

__all__ = ["log_utility", "sum_utility", "weighted_sum_utility"]


def sum_utility(rate: Float[Array, "..."]) -> Float[Array, ""]:
    """Sum rate.

    Args:
        rate: rates of one network, any shape, bit/s/Hz or bit/s.

    Returns:
        Their sum over every axis, a scalar in the unit of `rate`.
    """
    return jnp.sum(rate)


def weighted_sum_utility(rate: Float[Array, "..."], weight: Float[Array, "..."]) -> Float[Array, ""]:
    """Weighted sum rate.

    Args:
        rate: rates of one network, any shape, bit/s/Hz or bit/s.
        weight: weight of every rate, the shape of `rate`.

    Returns:
        ``sum(weight * rate)`` over every axis, a scalar in the unit of `rate`.

    Raises:
        ValueError: the shapes differ.
    """
    check_same_shape("weight", weight, "rate", rate)
    return jnp.sum(weight * rate)


def log_utility(rate: Float[Array, "..."], floor: Float[ArrayLike, ""]) -> Float[Array, ""]:
    """Proportional fairness: the sum of ``ln(rate + floor)``.

    Args:
        rate: rate of every user of one network, any shape, at least 0, bit/s/Hz or bit/s. Sum the links of a
            user first: the logarithm is of what a user gets in all.
        floor: the rate that a user is credited with for nothing, above 0, in the unit of `rate`. It bounds
            the utility from below (``ln floor`` for a user left out) and its slope from above
            (``1 / floor``). Take it well under the rates that matter: 1e-3 bit/s/Hz, say.

    Returns:
        The utility, a scalar, dimensionless up to the constant that the unit of `rate` adds.

    Raises:
        ValueError: `floor` is a Python number and not above 0.
    """
    if isinstance(floor, int | float) and not floor > 0:
        raise ValueError(f"floor is {floor}, wanted a rate above 0: the logarithm of a zero rate is -inf")
    return jnp.sum(jnp.log(rate + floor))
