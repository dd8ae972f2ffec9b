"""The indicator of a positive power, hard and smooth, with the adaptive sharpness of Yin et al. (2025).

All of it is elementwise. Powers are best given in units of the largest admissible one, so that numbers for the
sharpness and for the gradient mean the same in every network.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wirelax.smoothing._arguments import as_constant, check_one_of
from wirelax.smoothing._pattern import closed_form_jvp

__all__ = ["adaptive_indicator_sharpness", "indicator", "smooth_indicator"]

STEEPEST = 0.7717023192091042
"""sharpness * power where the slope of tanh(sharpness * power) is largest: the root of z tanh(z) = 1/2, the c0
of Yin et al. (2025), Appendix B."""

LARGEST_SLOPE = 0.44774320469430285
"""That slope times the power, kappa = c0 / cosh(c0)^2: no sharpness gives a slope above kappa / power."""

_TANH = 0.5 / STEEPEST
_LARGEST_SLOPE_F32 = 0.4477432072162628
_NEWTON_STEPS = 3


def indicator(power: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """1 where a power is above zero, 0 elsewhere: the u of Yin et al. (2025), eq. (14). Its gradient is zero."""
    power = jnp.asarray(power)
    return (power > 0).astype(power.dtype)


def smooth_indicator(
    power: Float[Array, "*shape"],
    sharpness: Float[ArrayLike, "..."] | None = None,
    *,
    gradient: Float[ArrayLike, "..."] | None = None,
) -> Float[Array, "*shape"]:
    """tanh(sharpness * power), with a sharpness that is given or one that keeps the gradient up.

    Yin et al. (2025), eq. (16b); with `gradient`, their eq. (17) and Appendix B: of all sharpnesses whose slope
    at this power is at least `gradient`, the one nearest to the indicator, and the one of the largest slope
    where none reaches it. The sharpness is a constant for the derivatives, hence the slope is exactly
    ``min(gradient, 0.4477 / power)``. The value is then 1 near power 0 (at 0 itself it is 0, with the slope
    `gradient`), and not below 0.648 at any positive power.

    Args:
        power: any shape, in units of the largest admissible power; at least 0 with `gradient`, where what is
            below counts as 0.
        sharpness: theta, at least 0, broadcast to the shape of `power`; a constant for the derivatives. For annealing
            by hand.
        gradient: delta, the slope asked for, at least 0, broadcast to the shape of `power`; a constant for the
            derivatives. Instead of `sharpness`.

    Returns:
        The smooth indicator, the shape of `power`, from 0 to 1 where the power is not negative.

    Raises:
        ValueError: not exactly one of `sharpness` and `gradient` is given, or its shape does not fit.
    """
    power = jnp.asarray(power)
    check_one_of("sharpness", sharpness, "gradient", gradient)
    if gradient is not None:
        return _adaptive(power, as_constant("gradient", gradient, "power", power))
    return _fixed(power, as_constant("sharpness", sharpness, "power", power))


def adaptive_indicator_sharpness(
    power: Float[Array, "*shape"], gradient: Float[ArrayLike, "..."]
) -> Float[Array, "*shape"]:
    """The sharpness behind ``smooth_indicator(power, gradient=gradient)``: Yin et al. (2025), eq. (17).

    Args:
        power: any shape, in units of the largest admissible power; what is below 0 counts as 0.
        gradient: delta, the slope asked for, at least 0, broadcast to the shape of `power`.

    Returns:
        theta, in the inverse unit of the power, the shape of `power`; `gradient` where the power is 0. No gradients
        go through it.

    Raises:
        ValueError: the shape of `gradient` does not fit.
    """
    power = jax.lax.stop_gradient(jnp.asarray(power))
    gradient = as_constant("gradient", gradient, "power", power)
    limits = jnp.finfo(power.dtype)
    sharpness = _argument(gradient * power) / jnp.maximum(power, limits.tiny)
    return jnp.where(power > 0, jnp.minimum(sharpness, limits.max), gradient)


def _argument(slope: Array) -> Array:
    """Sharpness * power for a wanted slope * power: the larger root z of z / cosh(z)^2 = slope, at least c0.

    Newton's method on the logarithm of that equation, for s = z - c0 and with everything in the form that
    stays accurate at s = 0, where the root is double. Three steps from this start leave 2e-7 in float32 and
    1e-11 in float64 over all slopes that there are.
    """
    slope = jnp.maximum(slope, jnp.finfo(slope.dtype).tiny)
    # 1 - slope / kappa, with kappa in two parts so that nothing is lost in float32 just below it. The parts are
    # not subtracted one after the other: XLA would add them up again.
    short = (_LARGEST_SLOPE_F32 - slope) / LARGEST_SLOPE + (1 - _LARGEST_SLOPE_F32 / LARGEST_SLOPE)
    short = jnp.clip(short, 0, 0.5)
    depth = jnp.where(short < 0.5, -jnp.log1p(-short), jnp.log(LARGEST_SLOPE) - jnp.log(slope))
    excess = 0.5 * depth + 0.839 * jnp.sqrt(depth)
    for _ in range(_NEWTON_STEPS):
        decay = jnp.expm1(-2 * excess)
        reached = 2 * (excess + jnp.log1p(0.5 * (1 - _TANH) * decay)) - jnp.log1p(excess / STEEPEST)
        tail = (1 - _TANH) / (1 + _TANH) * (1 + decay)
        rise = 2 * (1 - tail) / (1 + tail) - 1 / (STEEPEST + excess)
        excess -= (reached - depth) / jnp.maximum(rise, jnp.finfo(slope.dtype).eps)
        excess = jnp.maximum(excess, 0)
    return STEEPEST + excess


def _fixed_tangent(power_dot: Array, value: Array, power: Array, sharpness: Array) -> Array:
    decay = jnp.exp(-2 * sharpness * jnp.abs(power))
    return 4 * sharpness * (decay / (1 + decay) ** 2) * power_dot


@closed_form_jvp(_fixed_tangent)
def _fixed(power: Array, sharpness: Array) -> Array:
    return jnp.tanh(sharpness * power)


def _adaptive_tangent(power_dot: Array, value: Array, power: Array, gradient: Array) -> Array:
    steep = gradient * power > LARGEST_SLOPE
    return jnp.where(steep, LARGEST_SLOPE / jnp.where(steep, power, 1), gradient) * power_dot


@closed_form_jvp(_adaptive_tangent)
def _adaptive(power: Array, gradient: Array) -> Array:
    return jnp.where(power > 0, jnp.tanh(_argument(gradient * power)), 0)
