"""Local search: powers and single moves in turns from several starts, each near the best so far."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from wirelax.problems import AssociationProblem, evaluate
from wirelax.solvers.association.links import best_bs, efficiency, full_power
from wirelax.solvers.association.log_rate import association_msuapc
from wirelax.solvers.association.polish import power_polish
from wirelax.solvers.association.sum_of_ratios import (
    association_juapcmwser,
    association_uamwser,
    max_rate_association,
)
from wirelax.types import Solution

__all__ = ["association_local_search"]

ROUNDS = 6
DEPTH = 7.0
"""Most nats by which the power of a BS is lowered at random, before UEs choose."""
MOVED = 0.15
"""Share of the UEs and BSs that change at random in a start near the best so far."""

Found = tuple[Int[Array, "ue"], Float[Array, "bs"]]


def _random_start(problem: AssociationProblem, best: Found, key: PRNGKeyArray) -> Found:
    """Some BSs at random powers, and some UEs where their rate is highest then."""
    level, which_bs, which_ue, near = jax.random.split(key, 4)
    association, power = best
    moved = jnp.where(jax.random.bernoulli(near), MOVED, 1.0)
    drawn = jnp.exp(-DEPTH * jax.random.uniform(level, power.shape, power.dtype))
    power = jnp.where(jax.random.uniform(which_bs, power.shape) < moved, drawn, power)
    chosen = best_bs(efficiency(problem, power), (problem.snr > 0).T)[1]
    return jnp.where(jax.random.uniform(which_ue, association.shape) < moved, chosen, association), power


def association_local_search(problem: AssociationProblem, *, key: PRNGKeyArray, starts: int = 8) -> Solution:
    """The best of `power_polish` from several starts.

    The first starts are the associations of the other methods: of the highest rate; then, with a sum-rate objective,
    JUAPCMWSER and UAMWSER, otherwise MSUAPC. The others are drawn at random, half of them afresh, half near
    the best so far.

    Args:
        problem: one downlink.
        key: random key.
        starts: how many (static); the time is proportional to it.
    """
    still = jax.lax.stop_gradient(problem)
    known = [(max_rate_association(still), full_power(still))]
    others = (association_juapcmwser, association_uamwser) if still.objective == "sum-rate" else (association_msuapc,)
    for other in others[: max(starts - 1, 0)]:
        allocation = other(still).allocation
        known.append((allocation["association"], still.power_share(allocation)))

    def better_of(best: tuple[Found, Array], start: Found) -> tuple[Found, Array]:
        found = power_polish(still, *start, rounds=ROUNDS)
        value = still.utility(still.allocation(*found))
        better = value > best[1]
        return jax.tree.map(lambda new, old: jnp.where(better, new, old), (found, value), best)

    worst = jnp.full((), -jnp.inf, still.snr.dtype)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *known)
    best, _ = jax.lax.scan(lambda best, start: (better_of(best, start), None), (known[0], worst), stacked)
    if starts > len(known):
        keys = jax.random.split(key, starts - len(known))
        explore = lambda best, key: (better_of(best, _random_start(still, best[0], key)), None)  # noqa: E731
        best, _ = jax.lax.scan(explore, best, keys)
    return evaluate(problem, problem.allocation(*best[0]), iterations=starts)
