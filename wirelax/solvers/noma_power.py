"""Power allocation of a NOMA schedule by interior point, on the simplex of its feasible powers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wirelax.solvers.nlp import InteriorPointOptions, NonlinearProgram, multi_start
from wirelax.solvers.noma_problem import NomaProblem, QosSimplex, Slots
from wirelax.types import Solution, Status

__all__ = ["CHUNK", "noma_power", "power_program", "power_starts"]

CHUNK = 64
"""Networks to solve at once: all of a batch wait for its slowest, so that large ones lose more than they gain."""
OPTIONS = InteriorPointOptions(barrier_decrease=0.1, max_iterations=150)
CONCENTRATED = 0.7
"""Share of the excess that the first start gives the strongest users, and that random ones draw."""


def _shares(share: Array, args: tuple[NomaProblem, Slots, QosSimplex]) -> Array:
    return share.reshape(args[1].user.shape)


def _cost(share: Array, args: tuple[NomaProblem, Slots, QosSimplex]) -> Array:
    problem, slots, simplex = args
    value = problem.slot_utility(slots, simplex.power(_shares(share, args)))
    # Empty slots take no part; a square keeps them from being directions without curvature.
    return jnp.square(jnp.where(slots.used.reshape(-1), 0.0, share - 1.0)).sum() - value


def _total(share: Array, args: tuple[NomaProblem, Slots, QosSimplex]) -> Array:
    return jnp.where(args[1].used.reshape(-1), share, 0.0).sum(keepdims=True) - 1.0


def power_program(slots: Slots) -> NonlinearProgram:
    """-(weighted) sum rate over shares of the simplex, sum 1 and each at least 0; eqs. (10)-(11)."""
    return NonlinearProgram(_cost, _total, lambda share, args: share, block=slots.user.shape[1])


def power_starts(slots: Slots, count: int, key: PRNGKeyArray) -> Float[Array, "start share"]:
    """Shares to start from: mostly the strongest user of every subchannel, even, then random ones."""
    used = slots.used
    even = used / jnp.maximum(used.sum(), 1)
    strongest = used & (jnp.arange(used.shape[1]) == 0)
    off_boundary = lambda share: CONCENTRATED * share + (1 - CONCENTRATED) * even  # noqa: E731
    lean = off_boundary(strongest / jnp.maximum(strongest.sum(), 1))
    drawn = jnp.where(used, jax.random.exponential(key, (max(count - 2, 0), *used.shape)) + 1e-3, 0.0)
    drawn = off_boundary(drawn / jnp.maximum(drawn.sum((1, 2), keepdims=True), 1e-30))
    starts = jnp.concatenate([jnp.stack([lean, even][:count]), drawn])
    return jnp.where(used, starts, 1.0).reshape(count, -1)


def noma_power(
    problem: NomaProblem,
    slots: Slots,
    *,
    starts: int = 4,
    key: PRNGKeyArray,
    options: InteriorPointOptions = OPTIONS,
) -> Solution:
    """Powers of a schedule that maximise the (weighted) sum rate and meet R_min: the best of several local optima.

    The sum rate is not concave in the powers (the paper's appendix errs), so the interior point method finds
    local optima; `power_starts` are tried.

    Args:
        problem: one network.
        slots: its schedule.
        starts: how many starts (static).
        key: of the random ones.
        options: of the interior point method.

    Returns:
        `Solution` with ``power_w`` [subchannel, slot] and the multipliers; INFEASIBLE where R_min cannot be met
        by this schedule, the powers being those without R_min then.
    """
    simplex = problem.simplex(slots)
    args = (problem, slots, simplex)
    found = multi_start(power_program(slots), power_starts(slots, starts, key), args, options)
    share = jnp.maximum(_shares(found.x, args), 0.0) * slots.used
    power_w = simplex.power(share / share.sum())
    return Solution(
        allocation={"power_w": power_w},
        utility=problem.slot_utility(slots, power_w),
        iterations=found.iterations,
        status=jnp.where(simplex.feasible, found.status, Status.INFEASIBLE).astype(jnp.int32),
        residuals=found.residuals,
    )
