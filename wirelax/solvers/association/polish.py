"""Powers and single moves of UEs in turns, after any method; the best of them from several starts."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from wirelax.problems import AssociationProblem, evaluate
from wirelax.solvers.association.links import efficiency, links_of
from wirelax.solvers.association.moves import moves_at
from wirelax.solvers.association.power import update_links
from wirelax.types import Allocation, Solution

__all__ = ["association_polish", "power_polish"]

LEAST_START = 1e-3
"""Share of the budget that powers rise from, and with which moves see silent BSs, so that these come back."""
ROUNDS = 4
MOVES = 30
UPDATES = 30


def power_polish(
    problem: AssociationProblem,
    association: Int[Array, " ue"],
    power: Float[Array, " bs"],
    *,
    rounds: int = ROUNDS,
    moves: int = MOVES,
    updates: int = UPDATES,
) -> tuple[Int[Array, " ue"], Float[Array, " bs"]]:
    """Power updates and the best single moves in turns, for the utility of the problem.

    Args:
        problem: one downlink.
        association: start, -1 for UEs out of reach [ue].
        power: start, shares of the budgets [bs]; the powers of BSs without UEs do not count.
        rounds: of updates and moves (static).
        moves: most moves in a round (static).
        updates: steps of the power in a round (static).

    Returns:
        The best association and powers on the way, the start (with BSs without UEs silent) among them.
    """

    def utility(links, power) -> Array:
        return problem.utility_of_rates(links.rates(power))

    def round_of(_, state):
        association, power, best, value = state
        links = links_of(problem, association)
        start = jnp.maximum(power, LEAST_START)
        power = update_links(links, start, updates, problem.rate_floor, problem.objective)
        reached = utility(links, power)
        better = reached > value
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), (association, power), best)
        seen = efficiency(problem, jnp.maximum(power, LEAST_START))
        association = moves_at(problem, seen, association, moves)
        return association, power, best, jnp.where(better, reached, value)

    links = links_of(problem, association)
    silent = jnp.where(links.load > 0, power, 0.0)
    state = (association, silent, (association, silent), utility(links, silent))
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
