"""Losses that any system can train a policy with."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

__all__ = ["classify_and_regress", "expected_utility", "label_weights"]


def classify_and_regress(
    logits: Float[Array, " choice"],
    label: Int[Array, ""],
    values: Float[Array, "..."],
    targets: Float[Array, "..."],
) -> Float[Array, ""]:
    """Cross-entropy of a choice plus summed squared error of values (Xu et al., 2019, eqs. (10)-(12))."""
    cross_entropy = optax.softmax_cross_entropy_with_integer_labels(logits, label)
    return cross_entropy + jnp.square(values - targets).sum()


def expected_utility(logits: Float[Array, " choice"], log_utility: Float[Array, " choice"]) -> Float[Array, ""]:
    """Expectation of a log utility when the choice is drawn from the softmax of `logits`."""
    return (jax.nn.softmax(logits) * log_utility).sum()


def label_weights(
    utility: Float[Array, " choice"], sharpness: float = 30.0, floor: float = 0.02
) -> Float[Array, " choice"]:
    """Weights that favour choices near the best: softmax of ``sharpness * log utility``, plus a floor."""
    log_utility = jnp.log(jnp.maximum(utility, jnp.finfo(utility.dtype).tiny))
    return jax.nn.softmax(sharpness * log_utility) + floor
