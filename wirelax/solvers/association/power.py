"""Powers of a fixed association, by successive lower bounds of the rates.

At the present powers ``log2(1 + SINR_i)`` is bounded from below by ``alpha_i log2(SINR_i)`` plus a constant, with
``alpha = SINR / (1 + SINR)`` (Papandriopoulos and Evans, "SCALE", 2009), and the logarithm of the interference from
above by its tangent in the powers. What is left is separable in the logarithms of the powers, and its maximum is

    p_j = min(1, sum_{i of j} w_i alpha_i / sum_{i not of j} w_i alpha_i g_ij / I_i),

with ``w_i`` the slope of the utility in ``log2(1 + SINR_i)``. So the sum of ``w_i log2(1 + SINR_i)`` falls in no step:
the sum rate, where ``w_i = 1 / N_j`` does not depend on the powers.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from wirelax.kernels import rate
from wirelax.problems import AssociationProblem
from wirelax.solvers.association.links import Links, gather, links_of, product, sum_by_bs

__all__ = ["POWER_FLOOR", "Goal", "power_step", "power_update", "update_links", "utility_of_links"]

POWER_FLOOR = 1e-8
"""Least share of the budget of a BS with UEs: a power of zero would stay there."""

Goal = Literal["sum-rate", "proportional-fair", "log-rate"]
"""Utility of a power update; "log-rate" is proportional fairness without the floor of the rates."""


def _slope(links: Links, efficiency: Array, floor: Array, goal: Goal) -> Float[Array, "ue"]:
    """Of the utility in the spectral efficiency of every UE, up to a factor."""
    load = jnp.maximum(gather(links.load, links.association), 1.0)
    if goal == "sum-rate":
        return 1 / load
    least = jnp.finfo(efficiency.dtype).tiny
    return 1 / jnp.maximum(efficiency + (load * floor if goal == "proportional-fair" else 0.0), least)


def power_step(
    links: Links, power: Float[Array, " bs"], rate_floor: Array, goal: Goal, least: float
) -> Float[Array, " bs"]:
    """One step; BSs without UEs are silent, the others have at least the share `least`."""
    own, others = links.signals(power)
    weight = _slope(links, rate(own / others), rate_floor, goal) * own / (own + others)
    gained = sum_by_bs(weight, links.association, len(power))
    lost = product(links.cross.T, weight / others)
    full = gained >= lost  # also where both are 0, and where the quotient would overflow
    step = jnp.where(full, 1.0, gained / jnp.where(full, 1.0, lost))
    return jnp.where(links.load > 0, jnp.maximum(step, least), 0.0)


def utility_of_links(links: Links, power: Array, floor: Array, goal: Goal) -> Float[Array, ""]:
    """What an update of the powers of links maximises."""
    rates = links.rates(power)
    if goal == "sum-rate":
        return rates.sum()
    rates = rates + floor if goal == "proportional-fair" else jnp.maximum(rates, jnp.finfo(rates.dtype).tiny)
    return jnp.where(links.association >= 0, jnp.log(rates), 0.0).sum()


def update_links(
    links: Links, power: Array, iterations: int, rate_floor: Array, goal: Goal, least: float = POWER_FLOOR
) -> Float[Array, " bs"]:
    """`power_update` of links."""
    start = jnp.where(links.load > 0, jnp.clip(power, least, 1.0), 0.0)
    step = partial(power_step, links, rate_floor=rate_floor, goal=goal, least=least)
    if goal == "sum-rate":
        return jax.lax.fori_loop(0, iterations, lambda _, power: step(power), start)

    # The weights move along with the powers here, and a step may overshoot: the best of all powers is kept.
    def keep_best(_, state):
        power, best, value = state
        new = step(power)
        reached = utility_of_links(links, new, rate_floor, goal)
        better = reached > value
        return new, jnp.where(better, new, best), jnp.where(better, reached, value)

    state = (start, start, utility_of_links(links, start, rate_floor, goal))
    return jax.lax.fori_loop(0, iterations, keep_best, state)[1]


def power_update(
    problem: AssociationProblem,
    association: Int[Array, " ue"],
    power: Float[Array, " bs"],
    iterations: int,
    *,
    goal: Goal | None = None,
) -> Float[Array, " bs"]:
    """Powers after some steps of the fixed point from a start.

    Args:
        problem: one downlink.
        association: BS of every UE, -1 for none [ue].
        power: start, shares of the budgets [bs]; no BS with UEs starts from less than `POWER_FLOOR`.
        iterations: how many (static).
        goal: utility; that of the problem by default.

    Returns:
        Shares of the budgets [bs], 0 for BSs without UEs. The sum rate is no lower than at the start; of a
        proportional-fair utility the best powers on the way are returned.
    """
    links = links_of(problem, association)
    return update_links(links, power, iterations, problem.rate_floor, goal or problem.objective)
