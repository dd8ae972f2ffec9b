"""The piecewise maximum: the largest power of a resource keeps its value, all others become zero."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wirelax.smoothing._arguments import check_one_of
from wirelax.smoothing._pattern import closed_form_jvp
from wirelax.smoothing.pair_sharpness import CAP, adaptive_piecewise_max_sharpness

__all__ = ["piecewise_max", "smooth_piecewise_max"]


def piecewise_max(power: Float[Array, "*batch entry"]) -> Float[Array, "*batch entry"]:
    """The largest entry in its place and zero elsewhere: the psi of Yin et al. (2025), eq. (13).

    Args:
        power: [..., entry], at least 0.

    Returns:
        [..., entry]. Of several largest entries the first one stays, hence at most one is above zero. The
        gradient of that entry is 1.

    Raises:
        ValueError: `power` has no axis or no entry.
    """
    power = _entries(power)
    first = jax.nn.one_hot(jnp.argmax(power, axis=-1), power.shape[-1], dtype=bool)
    return jnp.where(first, power, 0)


def smooth_piecewise_max(
    power: Float[Array, "*batch entry"],
    sharpness: Float[ArrayLike, "..."] | None = None,
    *,
    gradient: Float[ArrayLike, "..."] | None = None,
    cap: Float[ArrayLike, ""] = CAP,
    variant: str = "capped",
) -> Float[Array, "*batch entry"]:
    """Every entry times its weight in a softmax against the others, which is near 1 for the largest only.

    Yin et al. (2025), eq. (18), ``power_i / sum_j exp(sharpness_ij (power_j - power_i))``, with the same
    sharpness for all pairs (their eq. (16a), ``power * softmax(sharpness * power)``), with one an ordered pair,
    or with one a pair that keeps the gradients of the smaller entries up, see
    `adaptive_piecewise_max_sharpness`. The sharpness is a constant for the derivatives. These are finite for
    all powers and sharpnesses that are, and zeros and ties are powers like others: n equal largest entries get
    1 / n of their value each.

    Args:
        power: [..., entry], at least 0, best in units of the largest admissible power.
        sharpness: beta, at least 0, a scalar, or [..., entry, entry] with the leading axes of `power`.
        gradient: delta, the gradient asked for, above 0, broadcast to the shape of `power`. Instead of
            `sharpness`.
        cap: of the adaptive sharpness, scalar.
        variant: of the adaptive sharpness, "capped", "published" or "safe".

    Returns:
        [..., entry].

    Raises:
        ValueError: not exactly one of `sharpness` and `gradient` is given, a shape does not fit, or there is no
            such variant.
    """
    power = _entries(power)
    check_one_of("sharpness", sharpness, "gradient", gradient)
    if gradient is not None:
        return _pairwise(power, adaptive_piecewise_max_sharpness(power, gradient, cap=cap, variant=variant))
    sharpness = jnp.asarray(sharpness, power.dtype)
    pairs = (*power.shape, power.shape[-1])
    if sharpness.shape not in ((), pairs):
        raise ValueError(
            f"sharpness has shape {sharpness.shape}, wanted () or {pairs}, one an ordered pair of entries: "
            "use jax.vmap for one scalar an instance"
        )
    return _common(power, sharpness) if sharpness.shape == () else _pairwise(power, sharpness)


def _entries(power: Array) -> Array:
    power = jnp.asarray(power)
    if power.ndim == 0 or power.shape[-1] == 0:
        raise ValueError(f"power has shape {power.shape}, wanted [..., entry] with at least one entry")
    return power


def _softmax(power: Array, sharpness: Array) -> Array:
    # The top is taken off first: a rounded product and a fused one may differ by more than exp can bear.
    grown = jnp.exp(sharpness * (power - jnp.max(power, axis=-1, keepdims=True)))
    return grown / jnp.sum(grown, axis=-1, keepdims=True)


def _common_tangent(power_dot: Array, value: Array, power: Array, sharpness: Array) -> Array:
    weight = _softmax(power, sharpness)
    pull = sharpness * value
    return (weight + pull) * power_dot - pull * jnp.sum(weight * power_dot, axis=-1, keepdims=True)


@closed_form_jvp(_common_tangent)
def _common(power: Array, sharpness: Array) -> Array:
    return power * _softmax(power, sharpness)


def _grown(power: Array, sharpness: Array) -> tuple[Array, Array]:
    """exp(sharpness_ij (power_j - power_i)) and its sum over j, both finite."""
    # An entry this far below another one counts as nothing; the room is for the sum and for its product with a power.
    ceiling = 0.9 * math.log(float(jnp.finfo(power.dtype).max))
    grown = jnp.exp(jnp.minimum(sharpness * (power[..., None, :] - power[..., :, None]), ceiling))
    return grown, jnp.sum(grown, axis=-1)


def _pairwise_tangent(power_dot: Array, value: Array, power: Array, sharpness: Array) -> Array:
    grown, total = _grown(power, sharpness)
    pull = (value / total)[..., None] * grown * sharpness
    pushed = (1 / total + jnp.sum(pull, axis=-1)) * power_dot
    return pushed - jnp.sum(pull * power_dot[..., None, :], axis=-1)


@closed_form_jvp(_pairwise_tangent)
def _pairwise(power: Array, sharpness: Array) -> Array:
    return power / _grown(power, sharpness)[1]
