"""What the association solvers share: the links of an association, their rates, loads, the best BS of every UE.

Inside the solvers a UE without a BS has an association of -1 and takes part in nothing. Sums over UEs or BSs are matrix
products with the gains where that is possible: on a CPU these take a tenth of the time of a masked sum.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from wirelax.kernels import all_pairs_sinr, rate
from wirelax.problems import NO_BS, AssociationProblem

__all__ = ["Links", "best_bs", "efficiency", "full_power", "gather", "links_of", "load_of", "product", "sum_by_bs"]

RADIX = 16
"""Rows compared in one step of `best_bs`."""


class Links(NamedTuple):
    """The downlink as an interference system, one link a UE; `snr` at full power of the problem split in two.

    Attributes:
        own: SNR of every UE from its BS at full power, 0 without one [ue].
        cross: SNR of every UE from the other BSs at full power, 0 at its own [ue, bs].
        association: [ue], -1 for none.
        load: UEs of every BS [bs].
    """

    own: Float[Array, "ue"]
    cross: Float[Array, "ue bs"]
    association: Int[Array, "ue"]
    load: Float[Array, "bs"]

    def signals(self, power: Float[Array, "bs"]) -> tuple[Float[Array, "ue"], Float[Array, "ue"]]:
        """Received power over the noise from the own BS, and noise and interference over the noise."""
        return self.own * gather(power, self.association), 1 + product(self.cross, power)

    def efficiencies(self, power: Float[Array, "bs"]) -> Float[Array, "ue"]:
        """``log2(1 + SINR)`` of every UE, bit/s/Hz, before its BS's time is split."""
        own, others = self.signals(power)
        return rate(own / others)

    def rates(self, power: Float[Array, "bs"]) -> Float[Array, "ue"]:
        """Rates of all UEs, bit/s/Hz, those of `AssociationProblem.rates`."""
        return self.efficiencies(power) / jnp.maximum(gather(self.load, self.association), 1.0)


def links_of(problem: AssociationProblem, association: Int[Array, "ue"]) -> Links:
    """The links of an association."""
    at_own = association[:, None] == jnp.arange(problem.num_bss)
    own = jnp.take_along_axis(problem.snr, jnp.maximum(association, 0)[:, None], 1)[:, 0]
    return Links(
        own=jnp.where(association >= 0, own, 0.0),
        cross=jnp.where(at_own, 0.0, problem.snr),
        association=association,
        load=load_of(problem, association),
    )


def load_of(problem: AssociationProblem, association: Int[Array, "ue"]) -> Float[Array, "bs"]:
    """UEs of every BS."""
    return sum_by_bs(jnp.ones(problem.num_ues, problem.snr.dtype), association, problem.num_bss)


def sum_by_bs(value: Float[Array, "ue"], association: Int[Array, "ue"], num_bss: int) -> Float[Array, "bs"]:
    """Sum over the UEs of every BS; those without a BS are left out."""
    held = jnp.where(association >= 0, value, 0.0)
    return jnp.zeros(num_bss, value.dtype).at[jnp.maximum(association, 0)].add(held)


def gather(value: Float[Array, "bs"], association: Int[Array, "ue"]) -> Float[Array, "ue"]:
    """The value of every UE's BS, 0 without one."""
    return jnp.where(association >= 0, value[jnp.maximum(association, 0)], 0.0)


def product(matrix: Array, vector: Array) -> Array:
    """Matrix times vector with all the digits that there are: accelerators round to fewer by default."""
    return jnp.matmul(matrix, vector, precision=jax.lax.Precision.HIGHEST)


def full_power(problem: AssociationProblem) -> Float[Array, "bs"]:
    """Every BS at its budget."""
    return jnp.ones(problem.num_bss, problem.snr.dtype)


def efficiency(problem: AssociationProblem, power: Float[Array, "bs"]) -> Float[Array, "bs ue"]:
    """``log2(1 + SINR)`` of every UE under every BS that could serve it, bit/s/Hz; BSs first, for `best_bs`."""
    return rate(all_pairs_sinr(problem.snr, power, 1.0)).T


def best_bs(score: Float[Array, "bs ue"], reach: Bool[Array, "bs ue"]) -> tuple[Float[Array, "ue"], Int[Array, "ue"]]:
    """The highest score of every UE over the BSs that reach it, and the BS; -inf and -1 for none.

    A tournament between blocks of rows, which compilers vectorise; ``argmax`` they do not, at four times the time.
    """
    rows = score.shape[0]
    score = jnp.where(reach, score, -jnp.inf)
    index = jnp.broadcast_to(jnp.arange(rows, dtype=jnp.int32)[:, None], score.shape)
    while rows > 1:
        radix = min(RADIX, rows)
        block = -(-rows // radix)
        padding = ((0, block * radix - rows), (0, 0))
        score, index = jnp.pad(score, padding, constant_values=-jnp.inf), jnp.pad(index, padding)
        top, at = score[:block], index[:block]
        for k in range(1, radix):
            rival, rival_at = score[k * block : (k + 1) * block], index[k * block : (k + 1) * block]
            better = rival > top
            top, at = jnp.where(better, rival, top), jnp.where(better, rival_at, at)
        score, index, rows = top, at, block
    return score[0], jnp.where(score[0] > -jnp.inf, index[0], NO_BS)
