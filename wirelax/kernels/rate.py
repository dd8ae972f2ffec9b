"""Rates and spectral efficiency."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

__all__ = ["rate", "spectral_efficiency"]


def rate(sinr: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
    """Shannon rate ``log2(1 + sinr)`` in bit/s/Hz, elementwise.

    Args:
        sinr: linear SINR, any shape, at least 0.

    Returns:
        Rate, bit/s/Hz, the shape of `sinr`; right also where ``1 + sinr`` rounds to 1. Times the bandwidth it
        is Xu et al. (2019), eq. (3), whose print lacks the "1 +".
    """
    return jnp.log1p(sinr) / math.log(2)


def spectral_efficiency(
    sum_rate_bps: Float[ArrayLike, "..."],
    bandwidth_per_subchannel_hz: Float[ArrayLike, "..."],
    num_subchannels: int,
) -> Float[Array, "..."]:
    """Sum rate over the whole bandwidth, Xu et al. (2019), eq. (7).

    Args:
        sum_rate_bps: sum rate of the network, bit/s, any shape.
        bandwidth_per_subchannel_hz: bandwidth B of one subchannel, Hz.
        num_subchannels: number K of subchannels.

    Returns:
        ``sum_rate / (K B)``, bit/s/Hz, the shape of `sum_rate_bps`.
    """
    return jnp.asarray(sum_rate_bps) / (num_subchannels * jnp.asarray(bandwidth_per_subchannel_hz))
