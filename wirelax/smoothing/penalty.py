"""A penalty on violated constraints that stays firm where the violation is small."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wirelax.smoothing._arguments import as_constant
from wirelax.smoothing.indicators import smooth_indicator

__all__ = ["violation_penalty"]


def violation_penalty(
    violation: Float[Array, "*shape"],
    multiplier: Float[ArrayLike, "..."],
    scale: Float[ArrayLike, "..."],
    gradient: Float[ArrayLike, "..."],
) -> Float[Array, "*shape"]:
    """What a Lagrange multiplier is multiplied by, instead of the violation: Yin et al. (2025), eq. (25).

    Where a constraint is violated it is scale * smooth_indicator(violation), with an adaptive sharpness: near
    `scale` at any small violation, and never below 0.648 of it. Where the constraint holds it is
    -min(multiplier / 2, 1), hence gradient ascent on multiplier * penalty lowers the multiplier in proportion
    to itself, and at rate 1 above 2. In equilibrium the share of violated instances is about
    min(multiplier, 1) / scale.

    Args:
        violation: relative violations, above 0 where a constraint is broken, any shape.
        multiplier: lambda, at least 0, broadcast to the shape of `violation`. Gradients go to it, also from the
            penalty: the derivative of multiplier * penalty is -multiplier below 2 where the constraint holds.
        scale: c, above 0, broadcast to the shape of `violation`.
        gradient: delta, the slope asked for before scaling, at least 0, broadcast to the shape of `violation`.
            The slope is scale * min(gradient, 0.4477 / violation) where a constraint is violated, 0 elsewhere.

    Returns:
        The penalty, the shape of `violation`.

    Raises:
        ValueError: a shape does not fit.
    """
    violation = jnp.asarray(violation)
    multiplier = as_constant("multiplier", multiplier, "violation", violation)
    scale = as_constant("scale", scale, "violation", violation)
    gradient = as_constant("gradient", gradient, "violation", violation)
    violated = violation > 0
    # One where nothing is violated: the branch that is not taken must not see numbers below zero.
    surplus = jnp.where(violated, violation, 1)
    return jnp.where(violated, scale * smooth_indicator(surplus, gradient=gradient), -jnp.minimum(multiplier / 2, 1))
