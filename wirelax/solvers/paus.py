"""Power allocation and user scheduling in turns, until no exchange of users helps (paper 2, Algorithm 2)."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from wirelax.solvers.noma_problem import NomaProblem, Slots
from wirelax.solvers.swap_matching import swap_matching
from wirelax.types import Solution, Status

__all__ = ["paus"]

GAIN = 1e-6
"""Relative gain of a round that counts."""
OFFSET = 1e4
"""Taken off the sum rate where R_min cannot be met: any schedule that meets it is better."""


def paus(problem: NomaProblem, slots: Slots, power_of: Callable[[Slots], Array], *, max_rounds: int = 20) -> Solution:
    """Repeat {powers of the schedule; swap matching at these powers} until the sum rate no longer rises.

    A new schedule is taken with the better of two powers: those of `power_of`, and those that the matching left,
    repaired to meet R_min. It counts only if its R_min can be met, so the sum rate never falls over the rounds.

    Args:
        problem: one network.
        slots: the schedule to start with.
        power_of: feasible powers [subchannel, slot] in W of a schedule: interior point, or a policy.
        max_rounds: cap on the rounds (static).

    Returns:
        `Solution` with ``user`` and ``power_w`` [subchannel, slot]; its iterations are the rounds. INFEASIBLE where
        R_min could not be met by any schedule met on the way.
    """

    def score(slots: Slots, power_w: Array) -> tuple[Array, Array]:
        feasible, value = problem.simplex(slots).feasible, problem.slot_utility(slots, power_w)
        return jnp.where(feasible, value, value - OFFSET), feasible

    def step(state: tuple) -> tuple:
        user, power_w, value, _, _, rounds = state
        matched = swap_matching(problem, problem.fill(user), power_w)
        slots = problem.fill(matched.allocation["user"])
        kept = problem.simplex(slots).repair(matched.allocation["power_w"])
        found = power_of(slots)
        better = problem.slot_utility(slots, found) >= problem.slot_utility(slots, kept)
        new_power = jnp.where(better, found, kept)
        new_value, feasible = score(slots, new_power)
        rises = new_value > value + GAIN * jnp.abs(value)
        taken = (slots.user, new_power, new_value, feasible)
        kept_state = jax.tree.map(lambda a, b: jnp.where(rises, a, b), taken, state[:4])
        return (*kept_state, rises, rounds + 1)

    power_w = power_of(slots)
    value, feasible = score(slots, power_w)
    state = (slots.user, power_w, value, feasible, jnp.ones((), bool), jnp.zeros((), jnp.int32))
    user, power_w, value, feasible, going, rounds = jax.lax.while_loop(
        lambda state: state[4] & (state[5] < max_rounds), step, state
    )
    ended = jnp.where(going, Status.ITERATION_LIMIT, Status.CONVERGED)
    return Solution(
        allocation={"user": user, "power_w": power_w},
        utility=problem.slot_utility(problem.fill(user), power_w),
        iterations=rounds,
        status=jnp.where(feasible, ended, Status.INFEASIBLE).astype(jnp.int32),
    )
