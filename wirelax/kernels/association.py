"""Downlink of BSs that share one band, each splitting its time evenly among its users: rates, loads, fairness."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from wirelax.kernels.rate import rate
from wirelax.kernels.sinr import all_pairs_sinr

__all__ = [
    "activity",
    "associated_rates",
    "associated_sinr",
    "association_load",
    "association_mask",
    "jain_index",
    "relaxed_association_rates",
]


def association_mask(association: Int[Array, " ue"], num_bss: int) -> Bool[Array, "ue bs"]:
    """Which BS serves which UE, x of Zhang et al. (HBGNN), problem (3).

    Args:
        association: index of the BS of every UE, -1 for none.
        num_bss: number of BSs (static).

    Returns:
        True where the BS serves the UE, [ue, bs].
    """
    return association[:, None] == jnp.arange(num_bss)


def association_load(association: Int[Array, " ue"], num_bss: int) -> Int[Array, " bs"]:
    """UEs of every BS, N_j.

    Args:
        association: index of the BS of every UE, -1 for none.
        num_bss: number of BSs (static).
    """
    return association_mask(association, num_bss).sum(0)


def associated_sinr(
    gain: Float[Array, "ue bs"],
    power: Float[Array, " bs"],
    association: Int[Array, " ue"],
    noise: Float[ArrayLike, ""],
) -> Float[Array, " ue"]:
    """SINR of every UE under the BS that serves it, all the others interfering.

    The entries of `wirelax.kernels.all_pairs_sinr` that an association picks, in one pass over the gains.

    Args:
        gain: linear power gain, [ue, bs]; 0 where unreachable.
        power: transmit power, [bs], W (or the unit of `noise`).
        association: index of the BS of every UE, -1 for none, whose SINR is 0.
        noise: noise power, W; 1 if `gain` is noise-normalised.

    Returns:
        Linear SINR, [ue]: Zhang et al. (HBGNN), eq. (1), whose print counts the serving BS among
        the interferers.
    """
    own = association_mask(association, gain.shape[1])
    received = gain / noise * power
    return jnp.where(own, received, 0.0).sum(-1) / (1 + jnp.where(own, 0.0, received).sum(-1))


def associated_rates(
    gain: Float[Array, "ue bs"],
    power: Float[Array, " bs"],
    association: Int[Array, " ue"],
    noise: Float[ArrayLike, ""],
) -> Float[Array, " ue"]:
    """Rate of every UE, with its BS's time split evenly among the UEs of that BS.

    Args:
        gain: linear power gain, [ue, bs]; 0 where unreachable.
        power: transmit power, [bs], W (or the unit of `noise`).
        association: index of the BS of every UE, -1 for none, whose rate is 0.
        noise: noise power, W; 1 if `gain` is noise-normalised.

    Returns:
        ``log2(1 + SINR) / N_j``, bit/s/Hz, [ue]: gamma of Zhang et al. (HBGNN), section II.A, over the bandwidth.
    """
    load = association_load(association, gain.shape[1])
    sharing = jnp.maximum(load, 1)[jnp.maximum(association, 0)]
    return rate(associated_sinr(gain, power, association, noise)) / sharing


def relaxed_association_rates(
    share: Float[Array, "ue bs"], gain: Float[Array, "ue bs"], power: Float[Array, " bs"], noise: Float[ArrayLike, ""]
) -> Float[Array, " ue"]:
    """Rates under a soft association: every link shares its BS with the *others'* shares of it.

    Dividing by ``1 + N_j - x_ij`` rather than by the load ``N_j`` equals `associated_rates` at a binary association,
    has no 0 / 0 at an empty BS, and at fixed powers never exceeds the mean over independent random roundings of `share`
    (Jensen's inequality), so that the best relaxed value is the best binary one. The load itself would credit a BS with
    its weighted mean rate however tiny its shares are.

    Args:
        share: x, how far each BS serves each UE, [ue, bs], in [0, 1].
        gain: linear power gain, [ue, bs]; 0 where unreachable.
        power: transmit power, [bs], W (or the unit of `noise`).
        noise: noise power, W; 1 if `gain` is noise-normalised.

    Returns:
        ``sum_j x_ij log2(1 + SINR_ij) / (1 + sum_i' x_i'j - x_ij)``, bit/s/Hz, [ue].
    """
    efficiency = rate(all_pairs_sinr(gain, power, noise))
    return (share * efficiency / (1 + share.sum(0) - share)).sum(-1)


def activity(share: Float[Array, "ue bs"]) -> Float[Array, " bs"]:
    """How likely a BS has a UE at all: ``1 - prod_i (1 - x_ij)``, exactly 0 or 1 at a binary association.

    Args:
        share: x, how far each BS serves each UE, [ue, bs], in [0, 1].
    """
    return 1 - jnp.prod(1 - share, axis=0)


def jain_index(rates: Float[Array, " ue"]) -> Float[Array, ""]:
    """Jain's fairness index ``(sum r)^2 / (n sum r^2)``: 1 where all rates are equal, 1/n where one UE has all.

    Args:
        rates: of all UEs, at least 0, any unit. Where all are 0, the index is 1.
    """
    # Squares of tiny rates would vanish. It cancels, so that no derivative needs to go through it.
    top = jax.lax.stop_gradient(rates.max())
    scaled = rates / jnp.where(top > 0, top, 1.0)
    squares = (scaled**2).sum()
    return jnp.where(top > 0, scaled.sum() ** 2 / (rates.size * jnp.where(top > 0, squares, 1.0)), 1.0)
