"""Multi-cell OFDMA downlink: who is served where, and the SINR that follows.

Users are numbered cell by cell: BS ``n`` serves users ``n * users_per_bs + j``. On every subchannel each BS
serves at most one of its users, so the network is one square interference system per subchannel.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from wirelax.kernels.sinr import link_sinr

__all__ = ["assigned_link_gain", "assigned_sinr"]


def assigned_link_gain(
    gain: Float[Array, "subchannel user bs"], assignment: Int[Array, "bs subchannel"]
) -> Float[Array, "subchannel bs bs"]:
    """Gain from every BS (last axis) to the user that each cell (middle axis) serves on a subchannel.

    Args:
        gain: linear power gain from BS to user on each subchannel.
        assignment: global index of the user that a BS serves on a subchannel, -1 for none.

    Returns:
        Square gains, one per subchannel; the rows of cells that serve nobody are zero.
    """
    subchannel = jnp.arange(gain.shape[0])[:, None]
    served = gain[subchannel, jnp.maximum(assignment, 0).T]
    return jnp.where((assignment >= 0).T[..., None], served, 0.0)


def assigned_sinr(
    gain: Float[Array, "subchannel user bs"],
    assignment: Int[Array, "bs subchannel"],
    power: Float[Array, "bs subchannel"],
    noise: Float[Array, ""] | float,
) -> Float[Array, "bs subchannel"]:
    """SINR of the user that each BS serves on each subchannel (Xu et al., 2019, eq. (3), with the "1 +" in the rate).

    Args:
        gain: linear power gain from BS to user on each subchannel.
        assignment: global user index, -1 for none (its SINR is 0).
        power: transmit power in W.
        noise: noise power per subchannel in W.
    """
    links = assigned_link_gain(gain, assignment)
    return jax.vmap(link_sinr, in_axes=(0, 1, None), out_axes=1)(links, power, noise)
