"""Output heads that make every network output a feasible allocation."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float

__all__ = ["LOG_POWER_MAX", "LOG_POWER_MIN", "budgeted_power", "masked_split"]

LOG_POWER_MIN = -7.0
"""log10 fraction of a budget at and below which a link is off: exactly 0 W, however strong its channel."""
LOG_POWER_MAX = 1.0
"""Largest log10 fraction: beyond the budget, because the split over subchannels is what is left then."""


def budgeted_power(
    log_power: Float[Array, "*batch bs subchannel"], max_power_w: Float[Array, " bs"]
) -> Float[Array, "*batch bs subchannel"]:
    """Powers in W from log10 fractions of the budgets, scaled down where their sum exceeds the budget.

    Powers span four decades and more, so a network regresses their logarithm (a dB scale).
    """
    fraction = 10.0 ** jnp.clip(log_power, LOG_POWER_MIN, LOG_POWER_MAX)
    fraction = jnp.where(log_power > LOG_POWER_MIN, fraction, 0.0)
    fraction = fraction / jnp.maximum(fraction.sum(-1, keepdims=True), 1.0)
    return fraction * max_power_w[:, None]


def masked_split(
    logits: Float[Array, "*shape"], mask: Bool[Array, "*shape"], total: Float[ArrayLike, ""]
) -> Float[Array, "*shape"]:
    """A total split over the places of a mask by a softmax over all of them; 0 elsewhere, and for an empty mask."""
    flat, places = logits.reshape(-1), mask.reshape(-1)
    share = jax.nn.softmax(jnp.where(places, flat, -jnp.inf), where=places)
    return jnp.asarray(total) * jnp.where(places, share, 0.0).reshape(logits.shape)
