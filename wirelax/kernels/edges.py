"""The downlink of `wirelax.kernels.association` on a list of its links: memory linear in the links that exist.

A link, or edge, joins a UE and a BS that reaches it. Edges come in the order of their UEs, so that sums over the other
links of a UE are sums over neighbours in the list. An edge of SNR 0 and share 0 counts for nothing: padding.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from wirelax.kernels.rate import rate

__all__ = ["edge_activity", "edge_interference", "edge_sinr", "relaxed_edge_rates", "segment_starts"]


def segment_starts(segment: Int[Array, " edge"]) -> Bool[Array, " edge"]:
    """Where another segment begins in a list of edges that is in the order of its segments."""
    return jnp.concatenate([jnp.ones_like(segment[:1], bool), segment[1:] != segment[:-1]])


def _running(
    values: Float[Array, " edge"], starts: Bool[Array, " edge"], combine: Callable[[Array, Array], Array]
) -> Float[Array, " edge"]:
    """Running sum or product that starts anew with every segment: no digit of another segment gets in."""

    def step(left: tuple[Array, Array], right: tuple[Array, Array]) -> tuple[Array, Array]:
        return left[0] | right[0], jnp.where(right[0], right[1], combine(left[1], right[1]))

    return jax.lax.associative_scan(step, (starts, values))[1]


def _sum_before(values: Float[Array, " edge"], segment: Int[Array, " edge"]) -> Float[Array, " edge"]:
    starts = segment_starts(segment)
    running = _running(values, starts, jnp.add)
    shifted = jnp.concatenate([jnp.zeros_like(running[:1]), running[:-1]])
    return jnp.where(starts, 0.0, shifted)


def edge_interference(received: Float[Array, " edge"], ue: Int[Array, " edge"]) -> Float[Array, " edge"]:
    """Received power over all other edges of the same UE.

    The sum of the edges before plus that of the edges after, as in `wirelax.kernels.interference`, never the total
    minus the own one, which loses every digit in float32 next to a strong signal.

    Args:
        received: power at the UE of every edge from its BS, [edge], any linear unit.
        ue: UE of every edge, in ascending order.

    Returns:
        [edge], in the unit of `received`: the sum in the denominator of Zhang et al. (HBGNN), eq. (1), without the
        serving BS.
    """
    after = _sum_before(received[::-1], ue[::-1])[::-1]
    return _sum_before(received, ue) + after


def edge_sinr(
    gain: Float[Array, " edge"],
    power: Float[Array, " bs"],
    ue: Int[Array, " edge"],
    bs: Int[Array, " edge"],
    noise: Float[ArrayLike, ""],
) -> Float[Array, " edge"]:
    """SINR of every edge if its BS served its UE, all the others interfering.

    Args:
        gain: linear power gain of every edge; 0 for padding.
        power: transmit power, [bs], W (or the unit of `noise`).
        ue: UE of every edge, in ascending order.
        bs: BS of every edge.
        noise: noise power, W; 1 if `gain` is noise-normalised.

    Returns:
        Linear, [edge]: the entries of `wirelax.kernels.all_pairs_sinr` that exist.
    """
    received = gain / noise * power[bs]
    return received / (1 + edge_interference(received, ue))


def edge_activity(share: Float[Array, " edge"], bs: Int[Array, " edge"], num_bss: int) -> Float[Array, " bs"]:
    """How likely a BS has a UE at all, `wirelax.kernels.activity`: ``1 - prod (1 - x)`` over its edges.

    Args:
        share: x, how far the BS of every edge serves its UE, [edge], in [0, 1].
        bs: BS of every edge.
        num_bss: number of BSs (static).
    """
    order = jnp.argsort(bs, stable=True)
    in_order = bs[order]
    product = _running(1 - share[order], segment_starts(in_order), jnp.multiply)
    ends = jnp.searchsorted(in_order, jnp.arange(num_bss), side="right")
    count = ends - jnp.searchsorted(in_order, jnp.arange(num_bss), side="left")
    return jnp.where(count > 0, 1 - product[jnp.maximum(ends - 1, 0)], 0.0)


def relaxed_edge_rates(
    share: Float[Array, " edge"],
    gain: Float[Array, " edge"],
    power: Float[Array, " bs"],
    ue: Int[Array, " edge"],
    bs: Int[Array, " edge"],
    num_ues: int,
    noise: Float[ArrayLike, ""],
) -> Float[Array, " ue"]:
    """Rates under a soft association, `wirelax.kernels.relaxed_association_rates` on edges.

    Args:
        share: x, how far the BS of every edge serves its UE, [edge], in [0, 1]; 0 for padding.
        gain: linear power gain of every edge; 0 for padding.
        power: transmit power, [bs], W (or the unit of `noise`).
        ue: UE of every edge, in ascending order.
        bs: BS of every edge.
        num_ues: number of UEs (static).
        noise: noise power, W; 1 if `gain` is noise-normalised.

    Returns:
        ``sum x_ij log2(1 + SINR_ij) / (1 + sum_i' x_i'j - x_ij)`` over the edges of every UE, bit/s/Hz, [ue].
    """
    load = jax.ops.segment_sum(share, bs, power.shape[0])
    each = share * rate(edge_sinr(gain, power, ue, bs, noise)) / (1 + load[bs] - share)
    return jax.ops.segment_sum(each, ue, num_ues, indices_are_sorted=True)
