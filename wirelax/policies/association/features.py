"""What networks for association and power see of a problem: its links, and scale-free inputs of every link."""

from __future__ import annotations

from typing import TypedDict

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from wirelax.problems import AssociationProblem

__all__ = ["EDGE_INPUTS", "LinkFeatures", "edge_inputs", "link_features", "log_snr"]

UNIT = 4.605170185988092
"""Natural logarithm of 20 dB, in which the logarithms of SNRs are measured: inputs are of order 1."""
SMALLEST_SNR = 1e-6
"""Of a link that counts as an edge, where it enters a logarithm."""
EDGE_INPUTS = 6
"""Numbers of every link that `edge_inputs` gives."""


class LinkFeatures(TypedDict):
    """The links of one problem, of any numbers of UEs and BSs.

    Attributes:
        snr: at full power, linear [ue, bs]; 0 where the BS does not reach the UE.
        reach: which links there are, the edges of the graph [ue, bs].
        macro: which BSs are macros [bs].
        rate_floor: of proportional fairness, bit/s/Hz.
        fair: whether the utility is proportionally fair.
    """

    snr: Float[Array, "ue bs"]
    reach: Bool[Array, "ue bs"]
    macro: Bool[Array, " bs"]
    rate_floor: Float[Array, ""]
    fair: Bool[Array, ""]


def link_features(problem: AssociationProblem) -> LinkFeatures:
    """The features of every network here; for ``PolicySpec(shared_statistics="none")``."""
    return {
        "snr": problem.snr,
        "reach": problem.snr > 0,
        "macro": problem.macro,
        "rate_floor": problem.rate_floor,
        "fair": jnp.asarray(problem.objective == "proportional-fair"),
    }


def log_snr(features: LinkFeatures) -> Float[Array, "ue bs"]:
    """Logarithm of the SNRs in units of 20 dB; 0 where there is no link."""
    snr = jnp.where(features["reach"], jnp.maximum(features["snr"], SMALLEST_SNR), 1.0)
    return jnp.log(snr) / UNIT


def edge_inputs(features: LinkFeatures) -> Float[Array, "ue bs input"]:
    """Six numbers of every link, the same for any numbers of UEs and BSs; 0 where there is no link.

    Returns:
        The logarithm of the SNR; that over the largest of the UE and of the BS; that over the sum of the UE's and of
        the BS's SNRs, all in units of 20 dB; and whether the BS is a macro, [ue, bs, input].
    """
    reach, level = features["reach"], log_snr(features)
    held = jnp.where(reach, level, -jnp.inf)

    def over(reference: Array) -> Array:
        return jnp.where(reach, level - jnp.where(jnp.isfinite(reference), reference, 0.0), 0.0)

    def total(axis: int) -> Array:
        return jax.nn.logsumexp(held * UNIT, axis=axis, keepdims=True) / UNIT

    macro = jnp.where(reach & features["macro"], 1.0, 0.0).astype(level.dtype)
    tops = [over(held.max(axis, keepdims=True)) for axis in (1, 0)]
    return jnp.stack([level, *tops, over(total(1)), over(total(0)), macro], -1)
