"""From powers in slots to a `Solution`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float

from wirelax.problems import evaluate
from wirelax.problems.noma import NomaProblem, Slots
from wirelax.types import Solution, Status

__all__ = ["at_fixed_shares", "decided", "even_shares"]


def even_shares(slots: Slots) -> Float[Array, "subchannel slot"]:
    """The total power split evenly over the pairs."""
    return slots.used / jnp.maximum(slots.used.sum(), 1).astype(slots.snr.dtype)


def at_fixed_shares(
    problem: NomaProblem, slots: Slots, power: Float[Array, "subchannel slot"]
) -> Float[Array, "subchannel slot"]:
    """The powers, as functions of the problem at fixed shares of the simplex: optimal ones give optimal utilities.

    The feasible shares are the same for all constants, so that the derivative of the best utility is the partial
    one at the best shares (the envelope theorem). Values stay as they are.
    """
    simplex = problem.simplex(slots)
    power, still = jax.lax.stop_gradient((power, simplex))
    moved = simplex.power(still.share(power))
    return power + (moved - jax.lax.stop_gradient(moved))


def decided(
    problem: NomaProblem,
    slots: Slots,
    power: Float[Array, "subchannel slot"],
    *,
    assignment: Bool[Array, "subchannel user"] | None = None,
    feasible: Bool[ArrayLike, ""] | None = None,
    status: ArrayLike = Status.CONVERGED,
    iterations: ArrayLike = 0,
    residuals: Mapping[str, Array] | None = None,
) -> Solution:
    """Powers in slots as matrices in W, judged.

    Args:
        problem: one network.
        slots: the schedule.
        power: shares of the total power.
        assignment: the schedule as a matrix, where it is known.
        feasible: whether the schedule can meet R_min, where it is known.
        status: of the method; INFEASIBLE takes its place where the schedule is empty, exceeds a quota or cannot meet
            R_min, NOT_FINITE where the problem is not a number.
        iterations: of the method.
        residuals: of the method.
    """
    assignment = slots.assignment(problem.num_users) if assignment is None else assignment
    feasible = problem.simplex(slots).feasible if feasible is None else feasible
    possible = feasible & problem.within_quotas(assignment)
    power = jnp.where(jnp.isfinite(power), power, 0.0)
    allocation = {
        "assignment": assignment,
        "power_w": slots.scatter(power, problem.num_users) * problem.total_power_w,
    }
    ended = jnp.where(possible, jnp.asarray(status, jnp.int32), Status.INFEASIBLE)
    ended = jnp.where(_is_finite(problem), ended, Status.NOT_FINITE)
    return evaluate(problem, allocation, status=ended, iterations=iterations, residuals=residuals)


def _is_finite(problem: NomaProblem) -> Bool[Array, ""]:
    """Whether all numbers of the problem are."""
    floats = [leaf for field in fields(problem) if _is_float(leaf := getattr(problem, field.name))]
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in floats]).all()


def _is_float(value: object) -> bool:
    return isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.floating)
