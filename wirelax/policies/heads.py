"""Output heads that make every network output a feasible allocation."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float

__all__ = ["LogPowerBounds", "budgeted_power", "log_power_bounds", "masked_split"]

LOG_POWER_MAX = 1.0
"""Largest log10 fraction: beyond the budget, because the split over subchannels is what is left then."""
OFF_DECADES = 2.0
"""How far below the smallest level of the grid the regression target of a link that is off lies."""
OFF_MARGIN = 0.1
"""How far above that target a link is still off. A network that was fine-tuned on the utility uses the powers up to
the smallest level, so that a margin of half a decade would cost 0.3 to 0.4 % of its energy efficiency."""


class LogPowerBounds(NamedTuple):
    """The three log10 fractions of a budget that tell "off" from "on"; ``off < threshold < smallest``.

    Attributes:
        off: regression target of a link that is off.
        threshold: at and below which `budgeted_power` gives exactly 0 W.
        smallest: the smallest positive level of the grid that labels come from.
    """

    off: float
    threshold: float
    smallest: float


def log_power_bounds(range_db: float = 40.0) -> LogPowerBounds:
    """The bounds that belong to a grid of power levels.

    Args:
        range_db: distance in dB of the smallest positive level below the budget, as
            ``level_range_db`` of a search; ``10 * log10(count - 1)`` for ``count`` levels at even steps in watt.
    """
    smallest = -range_db / 10
    return LogPowerBounds(off=smallest - OFF_DECADES, threshold=smallest - OFF_DECADES + OFF_MARGIN, smallest=smallest)


_DEFAULT_BOUNDS = log_power_bounds()


def budgeted_power(
    log_power: Float[Array, "*batch bs subchannel"],
    max_power_w: Float[Array, " bs"],
    bounds: LogPowerBounds = _DEFAULT_BOUNDS,
) -> Float[Array, "*batch bs subchannel"]:
    """Powers in W from log10 fractions of the budgets, scaled down where their sum exceeds the budget.

    Powers span four decades and more, so a network regresses their logarithm (a dB scale). An output that hits the
    target of a link that is off, ``bounds.off``, gives exactly 0 W, however strong the channel is.
    """
    fraction = 10.0 ** jnp.clip(log_power, bounds.threshold, LOG_POWER_MAX)
    fraction = jnp.where(log_power > bounds.threshold, fraction, 0.0)
    fraction = fraction / jnp.maximum(fraction.sum(-1, keepdims=True), 1.0)
    return fraction * max_power_w[:, None]


def masked_split(
    logits: Float[Array, "*shape"], mask: Bool[Array, "*shape"], total: Float[ArrayLike, ""]
) -> Float[Array, "*shape"]:
    """A total split over the places of a mask by a softmax over all of them; 0 elsewhere, and for an empty mask."""
    flat, places = logits.reshape(-1), mask.reshape(-1)
    share = jax.nn.softmax(jnp.where(places, flat, -jnp.inf), where=places)
    return jnp.asarray(total) * jnp.where(places, share, 0.0).reshape(logits.shape)
