"""What a problem is, and the one place where a decision is judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float

from wirelax.types import FEASIBILITY_TOLERANCE, Allocation, Solution, Status

__all__ = ["Problem", "evaluate", "is_feasible"]


@runtime_checkable
class Problem(Protocol):
    """One instance of an optimisation problem as data: a registered dataclass.

    Gains and all constants (noise, budgets, targets) are traced leaves, normalised where it matters; sizes and modes
    are static. So a sweep over noise or budgets is one batch and one compilation, and gradients with respect to them
    are there for the asking. A problem may also have ``snr``, the SNRs at full power in any shape, by which inputs in
    wrong units are noticed, and ``metrics(allocation)``, further numbers for result files by name.
    """

    def utility(self, allocation: Allocation) -> Float[Array, ""]:
        """The scalar to maximise, through the kernels."""
        ...

    def violations(self, allocation: Allocation) -> Mapping[str, Float[Array, ""]]:
        """One number a constraint, positive where it is broken, relative to its budget or target."""
        ...


def is_feasible(violations: Mapping[str, Array]) -> Bool[Array, ""]:
    """Whether no constraint is broken by more than `FEASIBILITY_TOLERANCE`; NaN breaks it."""
    held = [jnp.asarray(value) <= FEASIBILITY_TOLERANCE for value in violations.values()]
    return jnp.stack(held).all() if held else jnp.ones((), bool)


def evaluate(
    problem: Problem,
    allocation: Allocation,
    *,
    status: ArrayLike = Status.CONVERGED,
    iterations: ArrayLike = 0,
    proven: ArrayLike = False,
    residuals: Mapping[str, Any] | None = None,
) -> Solution:
    """Judge a decision: its utility, its constraints and whether it meets them all, in the problem's own words.

    The only place of the package that fills these fields of a `Solution`. For one instance; vmap it for a batch.

    Args:
        problem: one instance.
        allocation: a decision, arrays by name.
        status: how the solver ended, a `Status`.
        iterations: that the solver took.
        proven: whether the solver proves the allocation to be the best that it could find.
        residuals: conditions of optimality that the solver measured.
    """
    utility, violations = problem.utility(allocation), dict(problem.violations(allocation))
    return Solution(
        allocation=allocation,
        utility=utility,
        feasible=is_feasible(violations) & jnp.isfinite(utility),
        violations=violations,
        status=jnp.asarray(status, jnp.int32),
        iterations=jnp.asarray(iterations, jnp.int32),
        proven=jnp.asarray(proven, bool),
        residuals=dict(residuals or {}),
    )
