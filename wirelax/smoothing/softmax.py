"""Softmax with a temperature that can go to zero."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wirelax.smoothing._pattern import closed_form_jvp

__all__ = ["tempered_softmax"]


def tempered_softmax(
    logits: Float[Array, "..."], temperature: Float[ArrayLike, ""], axis: int = -1
) -> Float[Array, "..."]:
    """Softmax of ``logits / temperature`` along one axis: argmax at a low temperature, uniform at a high one.

    Args:
        logits: scores, any shape, finite or -inf (masked out).
        temperature: scalar, at least 0, in the unit of the logits. A constant for the derivatives: its
            gradient is zero. At 0 it is the limit: equal shares for the largest logits, 0 for the rest.
        axis: the axis that sums to one.

    Returns:
        Weights w, the shape of `logits`. They sum to one along `axis`, except where every logit is masked:
        there all are 0. A gradient g is pulled back to ``w_i (g_i - sum_j w_j g_j) / temperature``, which is
        finite, and 0 at masked logits.

    Raises:
        ValueError: `temperature` is not a scalar, or `axis` is none of `logits`.
    """
    logits = jnp.asarray(logits)
    if jnp.shape(temperature) != ():
        raise ValueError(
            f"temperature has shape {jnp.shape(temperature)}, wanted (): use jax.vmap for one per instance"
        )
    if not -logits.ndim <= axis < logits.ndim:
        raise ValueError(
            f"axis is {axis}, but logits has shape {logits.shape}: "
            f"wanted an axis from {-logits.ndim} to {logits.ndim - 1}"
        )
    # The square root of the smallest number: 1 / temperature times any sane gradient stays finite.
    coldest = float(jnp.finfo(logits.dtype).tiny) ** 0.5
    temperature = jnp.maximum(jnp.asarray(temperature, logits.dtype), coldest)
    return jnp.moveaxis(_softmax(jnp.moveaxis(logits, axis, -1), temperature), -1, axis)


def _softmax_tangent(logits_dot: Array, weights: Array, logits: Array, temperature: Array) -> Array:
    mean = jnp.sum(weights * logits_dot, axis=-1, keepdims=True)
    return weights / temperature * (logits_dot - mean)


@closed_form_jvp(_softmax_tangent)
def _softmax(logits: Array, temperature: Array) -> Array:
    top = jnp.max(logits, axis=-1, keepdims=True)
    # In a row with nothing but -inf, the difference would be NaN; against 0 it is -inf, which gives weight 0.
    below_top = logits - jnp.where(jnp.isneginf(top), 0, top)
    unnormalised = jnp.exp(below_top / temperature)
    total = jnp.sum(unnormalised, axis=-1, keepdims=True)
    return unnormalised / jnp.where(total > 0, total, 1)
