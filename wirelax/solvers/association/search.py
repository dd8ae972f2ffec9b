"""Local search: moves that switch BSs, and powers, in turns from several starts, some near the best so far."""

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
from wirelax.solvers.association.switching import all_on_one
from wirelax.types import Solution

__all__ = ["association_greedy", "association_local_search"]

GREEDY_ROUNDS = 12
FEWEST_ON, MOST_ON = 0.1, 0.6
"""Share of the BSs that are on in a start at random: drawn between these."""
MOVED = 0.15
"""Share of the UEs and BSs that change at random in a start near the best so far."""

Found = tuple[Int[Array, "ue"], Float[Array, "bs"]]


def _random_start(problem: AssociationProblem, best: Found, key: PRNGKeyArray) -> Found:
    """Some BSs on and the UEs at the strongest of them; or the best so far with some BSs and UEs changed so."""
    share_key, on_key, which_key, near = jax.random.split(key, 4)
    association, power = best
    moved = jnp.where(jax.random.bernoulli(near), MOVED, 1.0)
    share = jax.random.uniform(share_key, (), power.dtype, FEWEST_ON, MOST_ON)
    drawn = jax.random.uniform(on_key, power.shape, power.dtype) < share
    which_bs, which_ue = (
        jax.random.uniform(k, x.shape) < moved for k, x in zip(jax.random.split(which_key), best[::-1])
    )
    power = jnp.where(which_bs, drawn.astype(power.dtype), power)
    chosen = best_bs(efficiency(problem, power), (problem.snr > 0).T)[1]
    return jnp.where(which_ue, chosen, association), power


def association_greedy(problem: AssociationProblem) -> Solution:
    """BSs switched on one at a time from nothing, see `all_on_one` and `power_polish`.

    Args:
        problem: one downlink.
    """
    still = jax.lax.stop_gradient(problem)
    found = power_polish(still, *all_on_one(still), rounds=GREEDY_ROUNDS)
    return evaluate(problem, problem.allocation(*found), iterations=GREEDY_ROUNDS)


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
        found = power_polish(still, *start)
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
