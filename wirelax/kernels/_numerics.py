"""Numerical helpers that the kernels share."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["exclusive_sums", "safe_sqrt"]


def exclusive_sums(x: Float[Array, "*batch n"]) -> tuple[Float[Array, "*batch n"], Float[Array, "*batch n"]]:
    """Sums of the entries before and of those after each one, along the last axis.

    Prefix and suffix sums: linear time and no subtraction, which would lose all digits next to a strong entry.
    """
    axis = x.ndim - 1
    keep = [(0, 0)] * axis
    before = jnp.pad(jax.lax.cumsum(x[..., :-1], axis=axis), [*keep, (1, 0)])
    after = jnp.pad(jax.lax.cumsum(x[..., 1:], axis=axis, reverse=True), [*keep, (0, 1)])
    return before, after


def safe_sqrt(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Square root of ``x >= 0`` whose gradient at 0 is 0 instead of infinite.

    The inner ``where`` keeps the derivative of ``sqrt`` away from 0, the outer one drops what it returns
    there; with only the outer one, the gradient would be ``0 * inf = NaN``.
    """
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1)), 0)
