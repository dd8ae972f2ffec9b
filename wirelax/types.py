"""The few records that every part of wirelax shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

__all__ = ["FEASIBILITY_TOLERANCE", "Allocation", "Channel", "Method", "Solution", "Status"]

FEASIBILITY_TOLERANCE = 1e-5
"""Relative excess over a constraint that counts as rounding, everywhere in wirelax."""

Channel = Mapping[str, Any]
"""One random draw of a system: arrays by the names of the file format (``{"gain": ...}``)."""

Allocation = Mapping[str, Any]
"""One decision: arrays by the names of the file format (``{"assignment": ..., "power_w": ...}``)."""


class Status(IntEnum):
    """How a solver ended. Failure is data here and becomes an error only in `Solution.check`."""

    CONVERGED = 0
    """It ended as it should; whether the allocation meets the constraints says `Solution.feasible`."""
    INFEASIBLE = 1
    """It found no point that meets the constraints."""
    ITERATION_LIMIT = 2
    """It was stopped by its cap on iterations."""
    STALLED = 3
    """It could not improve any more and has not met its tolerance."""
    NOT_FINITE = 4
    """Its start, or the objective or a constraint there, is not a number."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Solution:
    """What every solver and every policy returns, for one instance or (vmapped) for a batch.

    Made by `wirelax.problems.evaluate` alone, so that utility and constraints are always those of the kernels.

    Attributes:
        allocation: the decision, arrays by name; always finite, also when `status` is not CONVERGED.
        utility: the value of the objective at `allocation`, in the unit of the system.
        feasible: whether every constraint holds to within `FEASIBILITY_TOLERANCE`.
        violations: relative excess of every constraint, by name; positive where it is broken.
        status: one of `Status`, as an integer array.
        iterations: steps taken (0 for closed forms and policies).
        proven: whether the solver proves that no allocation (of those it searches, see its docstring) is better.
        residuals: how well the conditions of optimality are met, by name, where the solver measures it.
    """

    allocation: Allocation
    utility: Float[Array, "*batch"]
    feasible: Bool[Array, "*batch"]
    violations: Mapping[str, Array]
    status: Int[Array, "*batch"]
    iterations: Int[Array, "*batch"]
    proven: Bool[Array, "*batch"]
    residuals: Mapping[str, Array] = field(default_factory=dict)

    def check(self) -> Solution:
        """Return self, or raise for the first instance whose allocation breaks a constraint.

        Raises:
            ValueError: some allocation is infeasible; the message names the first one, the constraint that it
                breaks most, and the remedy.
        """
        bad = np.logical_not(np.atleast_1d(np.asarray(self.feasible)))
        if bad.any():
            first = int(np.argmax(bad))
            broken = {name: float(np.atleast_1d(np.asarray(v))[first]) for name, v in self.violations.items()}
            worst = max(broken, key=lambda name: np.nan_to_num(broken[name], nan=np.inf))
            raise ValueError(
                f"{int(bad.sum())} of {bad.size} instances have no feasible solution (first: index {first}, which "
                f"breaks {worst!r}); relax the constraints of the configuration or look at `Solution.status` and "
                "`Solution.violations` instance by instance"
            )
        return self


@dataclass(frozen=True)
class Method:
    """A way to solve a system: heuristic, solver or trained policy, all alike.

    Compiled programs are kept by `solve` and the shapes of its arguments, so give it a function of a module or a
    frozen dataclass with ``__call__``: a new closure every time compiles every time.

    Attributes:
        name: what the command line calls it.
        summary: one line for listings.
        solve: ``(state, problem, key) -> Solution``, pure and jittable.
        load: gives the arrays that `solve` needs (weights, grids) when the method is first run; they are passed as
            an argument, never captured in a trace. InputError where they do not fit the system.
        over: how it is batched. "vmap" and "map" lift a function of one problem (use "map" where it branches);
            a "batch" function takes problems and keys with a leading batch axis itself.
        chunk: problems at once, with "vmap" and "batch": iterations of a chunk last as long as its slowest problem,
            and a small one stays in the cache.
        exact: whether it claims the optimum of what it searches, so that results it does not prove are worth a word.
    """

    name: str
    summary: str
    solve: Callable[[Any, Any, PRNGKeyArray], Solution]
    load: Callable[[], Any] = lambda: None
    over: Literal["vmap", "map", "batch"] = "vmap"
    chunk: int | None = None
    exact: bool = False
