"""Power allocation of a NOMA schedule: by interior point on the simplex of its feasible powers, even, or random."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from wirelax.problems.noma import NomaProblem, QosSimplex, Slots
from wirelax.solvers.nlp import InteriorPointOptions, NonlinearProgram, multi_start
from wirelax.solvers.noma.decision import decided, even_shares
from wirelax.types import Solution

__all__ = [
    "CHUNK",
    "SlotPower",
    "equal_power",
    "noma_power",
    "power_program",
    "power_starts",
    "random_power",
    "slot_power",
]

CHUNK = 64
"""Networks to solve at once: all of a batch wait for its slowest, so that large ones lose more than they gain."""
OPTIONS = InteriorPointOptions(barrier_decrease=0.1, max_iterations=150)
CONCENTRATED = 0.7
"""Share of the excess that the first start gives the strongest users, and that random ones draw."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class SlotPower:
    """Powers of slots by interior point, and how it ended.

    Attributes:
        power: shares of the total power [subchannel, slot].
        utility: (weighted) sum rate at them, bit/s/Hz.
        status: of the interior point method, one of `Status`; where `feasible` is false, of a problem without R_min.
        feasible: whether the schedule can meet R_min.
        iterations: over all starts.
        residuals: of the interior point method.
    """

    power: Float[Array, "subchannel slot"]
    utility: Float[Array, ""]
    status: Int[Array, ""]
    feasible: Array
    iterations: Int[Array, ""]
    residuals: dict[str, Array]


def _shares(share: Array, args: tuple[NomaProblem, Slots, QosSimplex]) -> Array:
    return share.reshape(args[1].user.shape)


def _cost(share: Array, args: tuple[NomaProblem, Slots, QosSimplex]) -> Array:
    problem, slots, simplex = args
    value = problem.slot_utility(slots, simplex.power(_shares(share, args)))
    # Empty slots take no part; a square keeps them from being directions without curvature.
    return jnp.square(jnp.where(slots.used.reshape(-1), 0.0, share - 1.0)).sum() - value


def _total(share: Array, args: tuple[NomaProblem, Slots, QosSimplex]) -> Array:
    return jnp.where(args[1].used.reshape(-1), share, 0.0).sum(keepdims=True) - 1.0


def _same(share: Array, args: tuple[NomaProblem, Slots, QosSimplex]) -> Array:
    return share


def power_program(slots: Slots) -> NonlinearProgram:
    """-(weighted) sum rate over shares of the simplex, sum 1 and each at least 0; eqs. (10)-(11)."""
    return NonlinearProgram(_cost, _total, _same, block=slots.user.shape[1])


def power_starts(slots: Slots, count: int, key: PRNGKeyArray) -> Float[Array, "start share"]:
    """Shares to start from: mostly the strongest user of every subchannel, even, then random ones."""
    used = slots.used
    even = used / jnp.maximum(used.sum(), 1).astype(slots.snr.dtype)
    strongest = used & (jnp.arange(used.shape[1]) == 0)
    off_boundary = lambda share: CONCENTRATED * share + (1 - CONCENTRATED) * even  # noqa: E731
    lean = off_boundary(strongest / jnp.maximum(strongest.sum(), 1).astype(even.dtype))
    drawn = jax.random.exponential(key, (max(count - 2, 0), *used.shape), even.dtype)
    drawn = jnp.where(used, drawn + 1e-3, 0.0)
    drawn = off_boundary(drawn / jnp.maximum(drawn.sum((1, 2), keepdims=True), 1e-30))
    starts = jnp.concatenate([jnp.stack([lean, even][:count]), drawn])
    return jnp.where(used, starts, 1.0).reshape(count, -1)


def slot_power(
    problem: NomaProblem,
    slots: Slots,
    *,
    starts: int = 4,
    key: PRNGKeyArray,
    options: InteriorPointOptions = OPTIONS,
) -> SlotPower:
    """`noma_power` of any schedule of the network, in slots; powers are shares of the total power."""
    simplex = problem.simplex(slots)
    args = (problem, slots, simplex)
    found = multi_start(power_program(slots), power_starts(slots, starts, key), args, options)
    share = jnp.maximum(_shares(found.x, args), 0.0) * slots.used
    # Where nobody is scheduled, the method has nothing to sum up to 1.
    power = simplex.power(share / jnp.maximum(share.sum(), jnp.finfo(share.dtype).tiny))
    return SlotPower(
        power=power,
        utility=problem.slot_utility(slots, power),
        status=found.status,
        feasible=simplex.feasible,
        iterations=found.iterations,
        residuals=dict(found.residuals),
    )


def noma_power(
    problem: NomaProblem,
    *,
    starts: int = 4,
    key: PRNGKeyArray,
    options: InteriorPointOptions = OPTIONS,
) -> Solution:
    """Powers of the problem's schedule that maximise the (weighted) sum rate and meet R_min: the best local optimum.

    The sum rate is not concave in the powers (Yang et al.'s (2020) appendix errs), so the interior point method finds
    local optima; `power_starts` are tried.

    Derivatives of the utility by every leaf of the problem are those of the optimum (the envelope theorem on the
    simplex of feasible powers, which is the same for all constants); those of the powers hold the shares fixed
    unless ``options.implicit`` is set.

    Args:
        problem: one network; its schedule is kept.
        starts: how many starts (static).
        key: of the random ones.
        options: of the interior point method.

    Returns:
        `Solution` with ``assignment`` and ``power_w``, W [subchannel, user]. INFEASIBLE where the schedule is empty,
        exceeds a quota or cannot meet R_min, the powers being those without R_min then; else the status of the
        interior point method.
    """
    slots = problem.slots()
    found = slot_power(problem, slots, starts=starts, key=key, options=options)
    return decided(
        problem,
        slots,
        found.power,
        assignment=problem.schedule,
        feasible=found.feasible,
        status=found.status,
        iterations=found.iterations,
        residuals=found.residuals,
    )


def equal_power(problem: NomaProblem) -> Solution:
    """P_c split evenly over the pairs of the problem's schedule; INFEASIBLE where that cannot meet R_min."""
    slots = problem.slots()
    return decided(problem, slots, even_shares(slots), assignment=problem.schedule)


def random_power(problem: NomaProblem, *, key: PRNGKeyArray) -> Solution:
    """Uniform random powers of the problem's schedule, scaled to P_c; INFEASIBLE where it cannot meet R_min."""
    slots = problem.slots()
    drawn = jax.random.uniform(key, slots.user.shape, slots.snr.dtype, minval=1e-6)
    drawn = jnp.where(slots.used, drawn, 0.0)
    return decided(problem, slots, drawn / jnp.maximum(drawn.sum(), 1e-6), assignment=problem.schedule)
