"""Power consumption and energy efficiency of a network."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

__all__ = ["energy_efficiency", "total_power_w"]


def total_power_w(
    radiated_power_w: Float[ArrayLike, "..."],
    amplifier_efficiency: Float[ArrayLike, "..."],
    circuit_power_w: Float[ArrayLike, "..."],
) -> Float[Array, "..."]:
    """Power that a network draws, Xu et al. (2019), eq. (5).

    Args:
        radiated_power_w: radiated power, already summed over BSs and subchannels, W.
        amplifier_efficiency: fraction rho of the amplifiers' input that is radiated, in (0, 1].
        circuit_power_w: power of all circuits together, drawn also at zero radiated power, W.

    Returns:
        ``radiated / rho + circuit``, W, the broadcast shape of the arguments.
    """
    return jnp.asarray(radiated_power_w) / amplifier_efficiency + circuit_power_w


def energy_efficiency(
    sum_rate_bps: Float[ArrayLike, "..."],
    radiated_power_w: Float[ArrayLike, "..."],
    amplifier_efficiency: Float[ArrayLike, "..."],
    circuit_power_w: Float[ArrayLike, "..."],
) -> Float[Array, "..."]:
    """Bits carried per joule drawn, Xu et al. (2019), eq. (6).

    Args:
        sum_rate_bps: sum rate of the network, bit/s.
        radiated_power_w: radiated power, already summed over BSs and subchannels, W.
        amplifier_efficiency: fraction rho of the amplifiers' input that is radiated, in (0, 1].
        circuit_power_w: power of all circuits together, W.

    Returns:
        Energy efficiency, bit/J, the broadcast shape of the arguments; 0 where no power is drawn at all, as silence
        carries no bits.
    """
    drawn_w = total_power_w(radiated_power_w, amplifier_efficiency, circuit_power_w)
    silent = drawn_w == 0
    return jnp.where(silent, 0.0, jnp.asarray(sum_rate_bps) / jnp.where(silent, 1.0, drawn_w))
