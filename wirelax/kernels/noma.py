"""Downlink NOMA: several users share a subchannel and cancel weaker signals, imperfectly (SIC).

On every subchannel the scheduled users are sorted by falling gain. A user cancels the signals of weaker users up
to a residual and hears those of stronger users as noise (Yang et al., 2020, eqs. (3)-(6)).
"""

from __future__ import annotations

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from wirelax.kernels._numerics import exclusive_sums
from wirelax.kernels._shapes import check_same_shape

__all__ = ["InterferenceGain", "ordered_sic_sinr", "sic_order", "sic_sinr"]

PAIRWISE_USERS = 64
"""Up to so many users of a subchannel are compared in pairs: sorting rows one by one takes several times longer."""
InterferenceGain = Literal["receiver", "paper"]
"""Whose gain carries interference to a user: its own, as every signal leaves one BS, or the other's, as Yang et al.
(2020) print it."""


def sic_order(gain: Float[Array, "*batch user"], scheduled: Bool[Array, "*batch user"]) -> Int[Array, "*batch user"]:
    """Users by falling gain, scheduled ones first; ties by user index.

    Args:
        gain: linear power gain of every user on a subchannel.
        scheduled: which users the subchannel carries.

    Returns:
        User indices: the decoding order of successive interference cancellation, strongest first.
    """
    check_same_shape("scheduled", scheduled, "gain", gain)
    return jnp.argsort(jnp.where(scheduled, -gain, jnp.inf), axis=-1, stable=True)


def ordered_sic_sinr(
    gain: Float[Array, "*batch user"],
    power: Float[Array, "*batch user"],
    noise: Float[ArrayLike, "..."],
    residual: Float[ArrayLike, "..."],
    interference_gain: InterferenceGain = "receiver",
) -> Float[Array, "*batch user"]:
    """`sic_sinr` of users that are sorted already, strongest first: for solvers, which sort once.

    Time linear in the users: what stronger and weaker users add are prefix and suffix sums.
    """
    if interference_gain not in get_args(InterferenceGain):
        raise ValueError(f"interference_gain is {interference_gain!r}, want 'receiver' or 'paper'")
    received = power if interference_gain == "receiver" else gain * power
    stronger, weaker = exclusive_sums(received)
    heard = residual * weaker + stronger
    if interference_gain == "receiver":
        heard = gain * heard
    return gain * power / (heard + noise)


def sic_sinr(
    gain: Float[Array, "*batch user"],
    power: Float[Array, "*batch user"],
    scheduled: Bool[Array, "*batch user"],
    noise: Float[ArrayLike, "..."],
    residual: Float[ArrayLike, "..."],
    interference_gain: InterferenceGain = "receiver",
) -> Float[Array, "*batch user"]:
    """SINR of every scheduled user of a subchannel after imperfect SIC, Yang et al. (2020), eqs. (3)-(6).

        SINR_j = p_j G_j / (residual sum_{l weaker} p_l X_l + sum_{k stronger} p_k X_k + noise)

    Args:
        gain: linear power gain G of every user on a subchannel, [..., user]; leading axes are subchannels.
        power: transmit power, W (or the unit of `noise`); that of users who are not scheduled is ignored.
        scheduled: which users the subchannel carries.
        noise: noise power, W; 1 if `gain` is noise-normalised. It may be 0 where interference is left.
        residual: eps, the share of a weaker user's signal that is left after cancellation.
        interference_gain: X is the user's own gain G_j ("receiver": all signals come from one BS), or the gain
            of the other user ("paper").

    Returns:
        SINR, linear, 0 for users who are not scheduled. Ties in gain are broken by user index.

    Raises:
        ValueError: shapes differ, or an unknown `interference_gain`.
    """
    check_same_shape("power", power, "gain", gain)
    check_same_shape("scheduled", scheduled, "gain", gain)
    if interference_gain not in get_args(InterferenceGain):
        raise ValueError(f"interference_gain is {interference_gain!r}, want 'receiver' or 'paper'")
    served = jnp.where(scheduled, power, 0.0)
    if gain.shape[-1] > PAIRWISE_USERS:
        order = sic_order(gain, scheduled)
        place = jnp.argsort(order, axis=-1)
        gain_there, power_there = (jnp.take_along_axis(value, order, -1) for value in (gain, served))
        sinr = ordered_sic_sinr(gain_there, power_there, noise, residual, interference_gain)
        return jnp.where(scheduled, jnp.take_along_axis(sinr, place, -1), 0.0)
    received = served if interference_gain == "receiver" else gain * served
    heard = jnp.where(_stronger(gain), 1.0, residual) * received[..., None, :]
    heard = jnp.where(jnp.eye(gain.shape[-1], dtype=bool), 0.0, heard).sum(-1)
    if interference_gain == "receiver":
        heard = gain * heard
    return jnp.where(scheduled, gain * served / (heard + noise), 0.0)


def _stronger(gain: Float[Array, "*batch user"]) -> Bool[Array, "*batch user other"]:
    """Whether another user is decoded before a user: the stronger one, of equals the first."""
    index, fixed = jnp.arange(gain.shape[-1]), jax.lax.stop_gradient(gain)
    other, own = fixed[..., None, :], fixed[..., :, None]
    return (other > own) | ((other == own) & (index < index[:, None]))
