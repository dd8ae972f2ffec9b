"""Straight-through estimators: a discrete value forwards, the gradient of a smooth one backwards."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from wirelax.smoothing._pattern import closed_form_jvp
from wirelax.smoothing.softmax import tempered_softmax

__all__ = ["straight_through", "straight_through_argmax"]


def straight_through(
    hard: Float[Array, "*shape"] | Int[Array, "*shape"] | Bool[Array, "*shape"], soft: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """The value of `hard` with the gradient of `soft`.

    Args:
        hard: what the forward pass returns, any shape; a constant for the derivatives.
        soft: what the backward pass goes through, the shape of `hard`.

    Returns:
        `hard` in the dtype of `soft`, exactly: unlike in ``soft + stop_gradient(hard - soft)``, nothing is
        rounded and a `soft` that is not finite does not reach the value.

    Raises:
        ValueError: the shapes differ.
    """
    hard, soft = jnp.asarray(hard), jnp.asarray(soft)
    if hard.shape != soft.shape:
        raise ValueError(
            f"hard has shape {hard.shape}, wanted {soft.shape}, the shape of soft: "
            "use jnp.broadcast_to to repeat it along an axis, or jax.nn.one_hot to make a vector of an index"
        )
    return _hard_value(soft, hard.astype(soft.dtype))


def straight_through_argmax(
    logits: Float[Array, "*batch choice"], temperature: Float[ArrayLike, ""]
) -> Float[Array, "*batch choice"]:
    """One-hot vector of the largest logit, with the gradient of `tempered_softmax`.

    Args:
        logits: scores, [..., choice], finite or -inf (masked out).
        temperature: temperature of the softmax behind the gradient, scalar, at least 0; a constant for the
            derivatives.

    Returns:
        1 at the largest logit (the first one of a tie) and 0 elsewhere, [..., choice]; all 0 where every
        logit is masked.

    Raises:
        ValueError: `temperature` is not a scalar.
    """
    logits = jnp.asarray(logits)
    soft = tempered_softmax(logits, temperature)
    first = jax.nn.one_hot(jnp.argmax(logits, axis=-1), logits.shape[-1], dtype=bool)
    return straight_through(first & ~jnp.isneginf(logits), soft)


def _hard_value_tangent(soft_dot: Array, value: Array, soft: Array, hard: Array) -> Array:
    return soft_dot


@closed_form_jvp(_hard_value_tangent)
def _hard_value(soft: Array, hard: Array) -> Array:
    return hard
