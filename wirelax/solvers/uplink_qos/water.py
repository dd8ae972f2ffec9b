"""Powers that reach a sum of ln(1 + SNR), by water-filling, of one service and of two that share a budget.

All powers are shares of the budget of a user, so that the SNR of an RB is its ``snr`` times the share. Gains enter as
depths, ``ln(best gain / gain)``: levels over the best RB's inverse gain stay near one, and differences of nearly equal
numbers do not arise, neither at low nor at high SNR.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

__all__ = ["LEAST_SNR", "Depths", "depths", "minimum_power", "two_level_power", "usable"]

LEAST_SNR = 1e-30
"""An RB with an SNR at full power of no more than this, or of more than its inverse, is never used."""
HIGHEST = 60.0
"""Largest logarithm of a level, and largest depth: their exponentials are finite in float32."""


class Depths(NamedTuple):
    """Some RBs seen from the best one of them.

    Attributes:
        used: which RBs [rb].
        depth: ``ln(best SNR / SNR)``, at least 0, and 0 where an RB is not used [rb].
        best: ``ln(best SNR)`` at full power; 0 where no RB is used.
    """

    used: Bool[Array, "rb"]
    depth: Float[Array, "rb"]
    best: Float[Array, ""]


def usable(snr: Float[Array, "*shape"]) -> Bool[Array, "*shape"]:
    """Where the SNR at full power is a number that powers can be computed from."""
    return (snr > LEAST_SNR) & (snr < 1 / LEAST_SNR)


def depths(snr: Float[Array, "rb"], used: Bool[Array, "rb"]) -> Depths:
    """The used RBs that can carry anything.

    Args:
        snr: SNR at full power [rb].
        used: which RBs count [rb].
    """
    used = used & usable(snr)
    level = jnp.log(jnp.where(used, snr, 1.0))
    best = jnp.where(used.any(), jnp.max(jnp.where(used, level, -jnp.inf)), 0.0)
    return Depths(used, jnp.where(used, jnp.minimum(best - level, HIGHEST), 0.0), best)


def minimum_power(
    snr: Float[Array, "rb"], used: Bool[Array, "rb"], need: Float[Array, ""]
) -> tuple[Float[Array, "rb"], Float[Array, ""]]:
    """Least powers for which ln(1 + SNR) sums to `need`: inverse water-filling, Yin et al. (2025), eq. (5).

    An RB gets power if and only if raising all better ones to its inverse gain yields less than `need`; the level is
    then given in closed form, and so are the derivatives.

    Args:
        snr: SNR at full power [rb].
        used: RBs that may get power [rb].
        need: sum to reach, nats; nothing is needed at 0 and below.

    Returns:
        Powers as shares of the budget, finite everywhere, and their sum: above 1 where the budget does not suffice,
        inf where something is needed and no used RB has a gain.
    """
    used, depth, best = depths(snr, used)
    still = jax.lax.stop_gradient(depth)
    above = jnp.where(used, jnp.maximum(still[:, None] - still, 0.0), 0.0).sum(-1)
    active = used & (above < need)
    count = jnp.maximum(active.sum(), 1).astype(depth.dtype)
    level = (need + jnp.where(active, depth, 0.0).sum()) / count
    power = _raised(depth, active, level, best)
    return power, jnp.where(used.any() | (need <= 0), power.sum(), jnp.inf)


def two_level_power(
    snr: Float[Array, "rb"], long: Bool[Array, "rb"], short: Bool[Array, "rb"], short_need: Float[Array, ""]
) -> Float[Array, "rb"]:
    """Powers of one user at given services, the whole budget spent: Yin et al. (2025), eqs. (5) and (8).

    The short-blocklength service gets what it needs on all of its RBs, the long one the rest. Powers that would be
    negative are 0: at services that the own-set test accepts none is.

    Args:
        snr: SNR at full power [rb].
        long: RBs of the long-blocklength service [rb].
        short: RBs of the short-blocklength service, of positive gain [rb].
        short_need: b of that many RBs, nats.

    Returns:
        Shares of the budget [rb]; those of the short service alone where `long` is empty.
    """
    _, depth, best = depths(snr, long | short)
    num_long, num_short = (jnp.maximum(of.sum(), 1).astype(depth.dtype) for of in (long, short))
    short_level = (short_need + jnp.where(short, depth, 0.0).sum()) / num_short
    short_power = _raised(depth, short, short_level, best)
    left = (1 - short_power.sum()) * jnp.exp(best) + jnp.where(long, jnp.expm1(depth), 0.0).sum()
    long_level = jnp.log1p(jnp.maximum(left, 0.0) / num_long)
    return short_power + _raised(depth, long, long_level, best)


def _raised(
    depth: Float[Array, "rb"], active: Bool[Array, "rb"], level: Float[Array, ""], best: Float[Array, ""]
) -> Float[Array, "rb"]:
    """Powers that fill the active RBs up to a level, both in nats over the best RB's inverse gain."""
    gap = jnp.where(active, jnp.minimum(depth - level, 0.0), 0.0)
    return jnp.where(gap < 0, -jnp.exp(jnp.minimum(level - best, HIGHEST)) * jnp.expm1(gap), 0.0)
