"""The fewest RBs of a small cell, proven: tables over all sets of RBs, and a dynamic programme over the users."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from wirelax.problems import LONG, NONE, SHORT, UplinkQosProblem
from wirelax.solvers.uplink_qos.growing import Grown, decided
from wirelax.solvers.uplink_qos.levels import tolerance
from wirelax.solvers.uplink_qos.water import minimum_power
from wirelax.types import Solution

__all__ = ["MOST_RBS", "fewest_rbs", "uplink_exhaustive"]

MOST_RBS = 10
"""The tables of larger cells, three to the power of the RBs, are too long."""


def uplink_exhaustive(problem: UplinkQosProblem) -> Solution:
    """The fewest RBs of any number of users: all owners and services of all RBs, by dynamic programming.

    A user is served on disjoint sets L and S of RBs where the least powers of its services there sum to no more than
    its budget. The sets ``L + S`` that serve each user follow from all pairs, 3^F of them, and the sets that serve
    the first k users together from those of the first k - 1 and those of user k.

    Args:
        problem: a cell of at most `MOST_RBS` RBs.

    Returns:
        `Solution` with ``service`` and ``power_w``, always ``proven``; INFEASIBLE, with nothing allocated, where no
        allocation serves all users.

    Raises:
        ValueError: the cell has more RBs.
    """
    return decided(problem, fewest_rbs(jax.lax.stop_gradient(problem)), proven=True)


def fewest_rbs(problem: UplinkQosProblem) -> Grown:
    """The services of `uplink_exhaustive`."""
    num_users, num_rbs = problem.snr.shape
    if num_rbs > MOST_RBS:
        raise ValueError(
            f"num_rbs is {num_rbs}, wanted at most {MOST_RBS} for the search through all sets: use uplink_search"
        )
    bits = (np.arange(2**num_rbs)[:, None] >> np.arange(num_rbs)) & 1
    size = bits.sum(-1)
    need = jnp.where(problem.rate_short > 0, problem.short_need(size), 0.0)
    long_need = jnp.broadcast_to(problem.long_need, size.shape)

    def tables(snr: Float[Array, " rb"]) -> tuple[Array, Array]:
        of_sets = jax.vmap(lambda used, need: minimum_power(snr, used, need)[1])
        return of_sets(jnp.asarray(bits, bool), long_need), of_sets(jnp.asarray(bits, bool), need)

    long, short = jax.lax.map(lambda snr: tables(snr), problem.snr)
    slack = tolerance(long.dtype)
    alone = jax.vmap(_least_of_pairs)(long, short) <= 1 + slack
    nobody = jnp.asarray(size == 0)

    def join(before: Bool[Array, " mask"], alone: Bool[Array, " mask"]) -> tuple[Array, Array]:
        cost = [jnp.where(of, 0.0, 1.0).astype(long.dtype) for of in (before, alone)]
        return _least_of_pairs(*cost) < 1, before

    together, before = jax.lax.scan(join, nobody, alone)
    best = jnp.argmin(jnp.where(together, size, num_rbs + 1)).astype(jnp.int32)
    mask = np.arange(2**num_rbs, dtype=np.int32)

    def split(whole: Array, user: tuple[Array, Array, Array, Array]) -> tuple[Array, Array]:
        before, alone, long, short = user
        rest = whole & ~mask
        own = jnp.argmax(alone & before[rest] & (mask & ~whole == 0)).astype(jnp.int32)
        inside = mask & ~own == 0
        power = jnp.where(inside, long + short[own & ~mask], jnp.inf)
        on_long = jnp.argmin(power).astype(jnp.int32)
        rb = jnp.arange(num_rbs)
        service = jnp.where((on_long >> rb) & 1, LONG, jnp.where((own >> rb) & 1, SHORT, NONE))
        return whole & ~own, service

    _, service = jax.lax.scan(split, best, (before, alone, long, short), reverse=True)
    found = together[best]
    return Grown(
        service=jnp.where(found, service, NONE).astype(jnp.int32),
        served=jnp.full(num_users, found),
        proven=jnp.ones((), bool),
        rounds=jnp.zeros((), jnp.int32),
    )


def _least_of_pairs(first: Float[Array, " mask"], second: Float[Array, " mask"]) -> Float[Array, " mask"]:
    """For every set the least ``first[A] + second[B]`` over all pairs of disjoint sets A and B whose union it is.

    RB by RB: a digit of an index of the tables, in no set or in the set, becomes one of three, in none, in A, in B,
    and after the sum one of two again, so that nothing is gathered.
    """
    num_rbs = (len(first) - 1).bit_length()
    for rb in range(num_rbs):
        first, second = (table.reshape(-1, 2, 3**rb) for table in (first, second))
        first = jnp.stack([first[:, 0], first[:, 1], first[:, 0]], 1).reshape(-1)
        second = jnp.stack([second[:, 0], second[:, 0], second[:, 1]], 1).reshape(-1)
    total = first + second
    for rb in range(num_rbs):
        total = total.reshape(-1, 3, 2**rb)
        total = jnp.stack([total[:, 0], jnp.minimum(total[:, 1], total[:, 2])], 1).reshape(-1)
    return total
