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
FAR = 1e30
"""Minus this is below every sum rate."""


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
        *best, user, kept, _, rounds = state
        slots = problem.fill(user)
        found = power_of(slots)  # traced here only: it may take a minute to compile
        better = problem.slot_utility(slots, found) >= problem.slot_utility(slots, kept)
        power_w = jnp.where(better, found, kept)
        value, feasible = score(slots, power_w)
        rises = value > best[2] + GAIN * jnp.abs(best[2])
        taken = [user, power_w, value, feasible]
        best = jax.tree.map(lambda a, b: jnp.where(rises, a, b), taken, best)
        matched = swap_matching(problem, problem.fill(best[0]), best[1]).allocation
        slots = problem.fill(matched["user"])
        return (*best, slots.user, problem.simplex(slots).repair(matched["power_w"]), rises, rounds + 1)

    nothing = jnp.zeros_like(slots.gain)
    first = (slots.user, nothing, jnp.full((), -FAR, nothing.dtype), jnp.zeros((), bool))
    state = (*first, slots.user, nothing, jnp.ones((), bool), jnp.full((), -1, jnp.int32))
    user, power_w, _, feasible, _, _, going, rounds = jax.lax.while_loop(
        lambda state: state[-2] & (state[-1] < max_rounds), step, state
    )
    ended = jnp.where(going, Status.ITERATION_LIMIT, Status.CONVERGED)
    return Solution(
        allocation={"user": user, "power_w": power_w},
        utility=problem.slot_utility(problem.fill(user), power_w),
        iterations=rounds,
        status=jnp.where(feasible, ended, Status.INFEASIBLE).astype(jnp.int32),
    )
