"""Power allocation and user scheduling in turns, until no exchange of users helps (Yang et al., 2020, Algorithm 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from wirelax.problems.noma import NomaProblem
from wirelax.solvers.noma.decision import at_fixed_shares, decided
from wirelax.solvers.noma.swap_matching import match_slots
from wirelax.types import Solution, Status

__all__ = ["paus"]

GAIN = 1e-6
"""Relative gain of a round that counts."""
OFFSET = 1e4
"""Taken off the sum rate where R_min cannot be met: any schedule that meets it is better."""
FAR = 1e30
"""Minus this is below every sum rate."""


class _Best(NamedTuple):
    """The best schedule so far, its powers (shares of the total), their score and how they were found."""

    user: Int[Array, "subchannel slot"]
    power: Float[Array, "subchannel slot"]
    score: Float[Array, ""]
    feasible: Bool[Array, ""]
    status: Int[Array, ""]


class _State(NamedTuple):
    """The best so far, the schedule to try next with the powers that the matching left, whether to go on, rounds."""

    best: _Best
    user: Int[Array, "subchannel slot"]
    kept: Float[Array, "subchannel slot"]
    rising: Bool[Array, ""]
    rounds: Int[Array, ""]


def paus(problem: NomaProblem, power_of: Callable[[NomaProblem], Solution], *, max_rounds: int = 20) -> Solution:
    """Repeat {powers of the schedule; swap matching at these powers} until the sum rate no longer rises.

    A new schedule is taken with the better of two powers: those of `power_of`, and those that the matching left,
    repaired to meet R_min. It counts only if its R_min can be met, so the sum rate never falls over the rounds.

    Derivatives of the utility are those at the schedule found and at fixed shares of what R_min leaves over: of the
    optimum for this schedule where `power_of` is optimal.

    Args:
        problem: one network; its schedule is the start, of more than H users on a subchannel the H strongest.
        power_of: solves the problem for its schedule, with feasible powers: `noma_power` with its key, or a policy.
        max_rounds: cap on the rounds (static).

    Returns:
        `Solution` with ``assignment`` and ``power_w``, W [subchannel, user]; its iterations are the rounds.
        INFEASIBLE where R_min could not be met by any schedule met on the way, ITERATION_LIMIT where the rounds did
        not end it, else the status of `power_of` for the schedule found.
    """
    still = jax.lax.stop_gradient(problem)

    def powers_of(user: Array) -> tuple[Array, Array]:
        slots = still.fill(user)
        found = power_of(replace(still, schedule=slots.assignment(still.num_users)))
        return slots.gather(found.allocation["power_w"]) / still.total_power_w, found.status

    def step(state: _State) -> _State:
        slots, best = still.fill(state.user), state.best
        simplex = still.simplex(slots)
        found, status = powers_of(state.user)  # traced here only: it may take a minute to compile
        better = still.slot_utility(slots, found) >= still.slot_utility(slots, state.kept)
        power = jnp.where(better, found, state.kept)
        value = still.slot_utility(slots, power)
        score = jnp.where(simplex.feasible, value, value - OFFSET)
        rises = score > best.score + GAIN * jnp.abs(best.score)
        taken = _Best(state.user, power, score, simplex.feasible, status)
        best = jax.tree.map(lambda a, b: jnp.where(rises, a, b), taken, best)
        matched = match_slots(still, still.fill(best.user), best.power)
        kept = still.simplex(still.fill(matched.user)).repair(matched.power)
        return _State(best, matched.user, kept, rises, state.rounds + 1)

    user = problem.slots().user
    nothing = jnp.zeros(user.shape, problem.snr.dtype)
    far, never, start = jnp.full((), -FAR, nothing.dtype), jnp.zeros((), bool), jnp.zeros((), jnp.int32)
    first = _Best(user, nothing, far, never, start)
    state = _State(first, user, nothing, ~never, start - 1)
    end = jax.lax.while_loop(lambda state: state.rising & (state.rounds < max_rounds), step, state)
    slots = problem.fill(end.best.user)
    return decided(
        problem,
        slots,
        at_fixed_shares(problem, slots, end.best.power),
        feasible=end.best.feasible,
        status=jnp.where(end.rising, Status.ITERATION_LIMIT, end.best.status),
        iterations=end.rounds,
    )
