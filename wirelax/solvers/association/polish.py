"""Powers and single moves of UEs in turns, after any method; the best of them from several starts."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from wirelax.problems import AssociationProblem, evaluate
from wirelax.solvers.association.links import links_of
from wirelax.solvers.association.power import update_links
from wirelax.solvers.association.switching import best_switching_moves
from wirelax.types import Allocation, Solution

__all__ = ["association_polish", "power_polish"]

LEAST_START = 1e-3
"""Share of the budget that powers rise from: one near 0 takes many updates to come back."""
ROUNDS, MOVES, UPDATES = 6, 10, 10
"""Fewer moves between updates reach less in the same time, and so do more (measured from random starts)."""


def power_polish(
    problem: AssociationProblem,
    association: Int[Array, " ue"],
    power: Float[Array, " bs"],
    *,
    rounds: int = ROUNDS,
    moves: int = MOVES,
    updates: int = UPDATES,
) -> tuple[Int[Array, " ue"], Float[Array, " bs"]]:
    """The best single moves, which switch BSs on and off, and power updates in turns, for the utility of the problem.

    Args:
        problem: one downlink.
        association: start, -1 for UEs out of reach [ue].
        power: start, shares of the budgets [bs]; those of BSs without UEs do not count.
        rounds: of moves and updates (static).
        moves: most moves in a round (static).
        updates: steps of the power in a round (static).

    Returns:
        The best association and powers on the way, the start (with BSs without UEs silent) among them.
    """

    def updated(association: Array, power: Array) -> tuple[Array, Array]:
        """Powers after some updates, and the utility that they reach."""
        links = links_of(problem, association)
        start = jnp.maximum(power, LEAST_START)
        power = update_links(links, start, updates, problem.rate_floor, problem.objective)
        return power, problem.utility_of_rates(links.rates(power))

    def round_of(_, state):
        association, power, best, value = state
        association, power = best_switching_moves(problem, association, power, moves)
        power, reached = updated(association, power)
        better = reached > value
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), (association, power), best)
        return association, power, best, jnp.where(better, reached, value)

    links = links_of(problem, association)
    silent = jnp.where(links.load > 0, power, 0.0)
    given = problem.utility_of_rates(links.rates(silent))
    first, reached = updated(association, silent)
    power = jnp.where(reached > given, first, silent)
    state = (association, power, (association, power), jnp.maximum(reached, given))
    return jax.lax.fori_loop(0, rounds, round_of, state)[2]


def association_polish(problem: AssociationProblem, allocation: Allocation) -> Solution:
    """`power_polish` after another method.

    Args:
        problem: one downlink.
        allocation: of the other method. UEs whose BS does not reach them start from nowhere and are moved.
    """
    still = jax.lax.stop_gradient(problem)
    allocation = jax.lax.stop_gradient(allocation)
    found = power_polish(still, allocation["association"], jnp.clip(still.power_share(allocation), 0.0, 1.0))
    return evaluate(problem, problem.allocation(*found), iterations=ROUNDS)
