"""Methods that build on the own-set test: one user, many users in turns, and repair of a given choice of RBs."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from wirelax.problems import NONE, UplinkQosProblem
from wirelax.solvers.uplink_qos.growing import Grown, decided, grow
from wirelax.solvers.uplink_qos.own_set import own_set_test
from wirelax.types import Solution

__all__ = ["CHUNK", "better_of", "uplink_numerical", "uplink_repair", "uplink_single"]

CHUNK = 64
"""Cells at once: a chunk takes as many rounds as the slowest of its cells."""


def uplink_single(problem: UplinkQosProblem) -> Solution:
    """The fewest RBs of a single user, and powers for them: Yin et al. (2025), Sec. III-A.

    The best RB is added until the set passes the exact test, see `wirelax.solvers.uplink_qos.own_set`.

    Args:
        problem: a cell of one user.

    Returns:
        `Solution` with ``service`` and ``power_w``; INFEASIBLE where all RBs do not suffice. ``proven`` says that
        fewer RBs do not either: false only where a set of more than 14 RBs was turned down without a proof.

    Raises:
        ValueError: there is more than one user.
    """
    if problem.num_users != 1:
        raise ValueError(f"snr has shape {problem.snr.shape}, wanted one user: use uplink_numerical for a cell of many")
    still = jax.lax.stop_gradient(problem)
    grown = grow(still, partial(own_set_test, still))
    return decided(problem, grown, proven=grown.proven)


def uplink_numerical(problem: UplinkQosProblem) -> Solution:
    """The users in turns, each taking its best free RB until its own set serves it: Yin et al. (2025), Sec. III-B.

    Args:
        problem: one cell.

    Returns:
        `Solution` with ``service`` and ``power_w``; its iterations are the rounds. INFEASIBLE where the RBs ran out
        before all users were served, with what the others need and even powers of those left over. ``proven`` only
        for a single user.
    """
    if problem.num_users == 1:
        return uplink_single(problem)
    still = jax.lax.stop_gradient(problem)
    return decided(problem, grow(still, partial(own_set_test, still)))


def uplink_repair(problem: UplinkQosProblem, service: Int[Array, "user rb"], *, compare: bool = True) -> Solution:
    """Make a choice of RBs serve every user: drop what is too much, add what is missing.

    Of an RB that several users chose the one with the largest gain keeps it. Every user keeps the fewest of its best
    RBs that pass the exact test; who is not served by all of them takes more in turns, as in `uplink_numerical`. The
    services and powers of the result are those of the test, so that only the choice of RBs matters.

    Args:
        problem: one cell.
        service: a policy's choice, NONE where an RB is not used [user, rb].
        compare: take the allocation of `uplink_numerical` where it occupies fewer RBs (static). It is also taken,
            at a cost only in batches where it happens, where the repair leaves a user without its services.

    Returns:
        `Solution`, as of `uplink_numerical`; ``residuals`` tells under ``numerical`` whether it is that allocation.
    """
    if service.shape != problem.snr.shape:
        raise ValueError(f"service has shape {service.shape}, wanted {problem.snr.shape} of one cell: use jax.vmap")
    still, claimed = jax.lax.stop_gradient(problem), service != NONE
    strongest = jnp.argmax(jnp.where(claimed, still.snr, -1.0), 0)
    owned = claimed & (jnp.arange(still.num_users)[:, None] == strongest)
    accept = partial(own_set_test, still)
    repaired = grow(still, accept, owned)
    other = grow(still, accept, wanted=True if compare else ~repaired.served.all())
    best, taken = better_of(repaired, other)
    return decided(problem, best, numerical=taken.astype(still.snr.dtype))


def better_of(first: Grown, second: Grown) -> tuple[Grown, Array]:
    """Whichever serves all users, and of two that do the one with fewer RBs, the first of equals; if the second."""

    def rank(of: Grown) -> Array:
        unserved = (~of.served).sum(dtype=jnp.int32)
        return unserved * (of.service.size + 1) + (of.service != NONE).sum(dtype=jnp.int32)

    second_wins = rank(second) < rank(first)
    return jax.tree.map(lambda one, other: jnp.where(second_wins, other, one), first, second), second_wins
