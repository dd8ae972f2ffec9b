"""Numerical helpers that the kernels share."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["safe_sqrt"]


def safe_sqrt(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Square root of ``x >= 0`` whose gradient at 0 is 0 instead of infinite.

    The inner ``where`` keeps the derivative of ``sqrt`` away from 0, the outer one drops what it returns
    there; with only the outer one, the gradient would be ``0 * inf = NaN``.
    """
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1)), 0)
