"""The sharpness of every ordered pair of entries, by which a smooth piecewise maximum keeps its gradients up."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wirelax.smoothing._arguments import as_constant

__all__ = ["CAP", "VARIANTS", "adaptive_piecewise_max_sharpness"]

CAP = 2000.0
"""Largest sharpness, for powers in units of the largest admissible one."""

VARIANTS = ("capped", "published", "safe")

_LEAK = 0.05
_NEWTON_STEPS = 5


def adaptive_piecewise_max_sharpness(
    power: Float[Array, "*batch entry"],
    gradient: Float[ArrayLike, "..."],
    *,
    cap: Float[ArrayLike, ""] = CAP,
    variant: str = "capped",
) -> Float[Array, "*batch entry entry"]:
    """The sharpness behind ``smooth_piecewise_max(power, gradient=gradient)``: Yin et al. (2025), eq. (22).

    Entry i is compared with every entry j. Against a smaller one the sharpness is `cap`, so that the smaller one
    does not count. Against the M larger ones it is log((1 / gradient - 1) / M) / (power_j - power_i), or 0 if
    that is negative: so the weight of entry i, which is its derivative but for a second term, is
    min(gradient, 1 / (1 + M)). The second term (eq. (20)) is not small: it grows as one over the distance of two
    entries. The variants differ in what they do about that:

    - "published": nothing. Near ties gradients of 1e5 and more are common.
    - "capped": no sharpness is above `cap`, which bounds the gradient by about power * cap / 2. The weights of
      entries near a tie are then above `gradient`.
    - "safe": the sharpness against larger entries is such that the sum of the absolute derivatives of entry i,
      with both terms, is `gradient` (the largest solution, and no sharpness at all where it has none); against
      smaller entries it is raised above `cap` near ties, so that the largest entry has a sum near 1.

    Args:
        power: [..., entry], at least 0, in units of the largest admissible power.
        gradient: delta, the gradient asked for, above 0, broadcast to the shape of `power`.
        cap: scalar, above 0, in the inverse unit of the power. Take it well above one over the smallest power
            that matters.
        variant: "capped", "published" or "safe".

    Returns:
        beta, [..., entry i, entry j], at least 0 and finite; 0 between equal entries. No gradients go through it.

    Raises:
        ValueError: there is no such variant, or a shape does not fit.
    """
    power = jax.lax.stop_gradient(jnp.asarray(power))
    if variant not in VARIANTS:
        raise ValueError(f"variant is {variant!r}, wanted one of {', '.join(map(repr, VARIANTS))}")
    if power.ndim == 0:
        raise ValueError("power has shape (), wanted [..., entry]")
    if jnp.shape(cap) != ():
        raise ValueError(f"cap has shape {jnp.shape(cap)}, wanted (): use jax.vmap for one an instance")
    gradient, cap = as_constant("gradient", gradient, "power", power), jnp.asarray(cap, power.dtype)
    gradient = jnp.maximum(gradient, 1 / _largest(power))
    difference = power[..., None, :] - power[..., :, None]
    distance = jnp.where(difference == 0, 1, jnp.abs(difference))
    larger = jnp.sum(difference > 0, axis=-1).astype(power.dtype)
    if variant == "safe":
        rise, below = _safe(power, difference, distance, jnp.maximum(larger, 1), gradient, cap)
    else:
        rise = jnp.log(jnp.maximum((1 / gradient - 1) / jnp.maximum(larger, 1), 1))
        below = cap
    above = _per_distance(jnp.broadcast_to(rise, power.shape)[..., None], distance)
    if variant == "capped":
        above = jnp.minimum(above, cap)
    return jax.lax.stop_gradient(jnp.where(difference > 0, above, jnp.where(difference < 0, below, 0)))


def _per_distance(exponent: Array, distance: Array) -> Array:
    """The sharpness of an exponent."""
    return jnp.minimum(exponent / distance, _largest(distance))


def _largest(like: Array) -> float:
    """A number so large that it limits nothing, whose products with powers and gradients are finite still."""
    return float(jnp.finfo(like.dtype).tiny) ** -0.5


def _safe(
    power: Array, difference: Array, distance: Array, larger: Array, gradient: Array, cap: Array
) -> tuple[Array, Array]:
    """The exponent against larger entries [..., entry] and the sharpness against smaller ones [..., entry, entry]."""
    relative = power[..., :, None] / distance
    below = jnp.maximum(cap, _per_distance(jnp.log(jnp.maximum(relative / _LEAK, 1)), distance))
    leak = jnp.where(difference < 0, jnp.exp(-below * distance), 0)
    # Of S in eq. (20), the part that the exponent does not change, and what the leak adds to the second term.
    rest = jnp.sum(jnp.where(difference == 0, 1, leak), axis=-1)
    spill = 2 * power * jnp.sum(jnp.where(difference < 0, below, 0) * leak, axis=-1)
    slope = 2 * jnp.sum(jnp.where(difference > 0, relative, 0), axis=-1)
    return _exponent(rest, spill, larger, slope, gradient), below


def _exponent(rest: Array, spill: Array, larger: Array, slope: Array, gradient: Array) -> Array:
    """The larger root r of eq. (20) = gradient with S = rest + larger * exp(r), and 0 where there is none.

    Newton's method on the logarithms: beyond its top the left side is concave there, and almost a straight line.
    """
    level = -jnp.log(gradient)
    exponent = jnp.maximum(level + jnp.log1p(slope), 1)
    exponent = jnp.maximum(level + jnp.log((larger + slope * exponent) / larger**2), 0)
    for _ in range(_NEWTON_STEPS):
        decay = jnp.exp(-exponent)
        total = rest * decay + larger
        both = total + slope * exponent + spill * decay
        excess = level - exponent + jnp.log(both) - 2 * jnp.log(total)
        fall = 1 - (slope - (rest + spill) * decay) / both - 2 * rest * decay / total
        exponent = jnp.maximum(exponent + excess / jnp.maximum(fall, 0.05), 0)
    return exponent
