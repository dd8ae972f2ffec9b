"""The few records that every part of wirelax shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

__all__ = ["Allocation", "Channel", "Method", "Solution", "Status"]

Channel = Mapping[str, Any]
"""One instance of a problem: arrays by the names of the file format (``{"gain": ...}``)."""

Allocation = Mapping[str, Any]
"""One decision: arrays by the names of the file format (``{"assignment": ..., "power_w": ...}``)."""


class Status(IntEnum):
    """How a solver ended. Failure is data here and becomes an error only in `Solution.check`."""

    CONVERGED = 0
    INFEASIBLE = 1
    ITERATION_LIMIT = 2


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Solution:
    """What every solver and every policy returns, for one instance or (vmapped) for a batch.

    Attributes:
        allocation: the decision, arrays by name; always finite, also when `status` is not CONVERGED.
        utility: the value of the objective at `allocation`, in the unit of the system.
        iterations: steps taken (0 for closed forms and policies).
        status: one of `Status`, as an integer array.
        residuals: how well the conditions of optimality are met, by name, where the solver measures it.
    """

    allocation: Allocation
    utility: Float[Array, "*batch"]
    iterations: Int[Array, "*batch"]
    status: Int[Array, "*batch"]
    residuals: Mapping[str, Array] = field(default_factory=dict)

    @property
    def feasible(self) -> Array:
        """True where the allocation meets every constraint."""
        return self.status != Status.INFEASIBLE

    def check(self) -> Solution:
        """Return self, or raise for the first instance that has no feasible solution.

        Raises:
            ValueError: some instance is infeasible; the message names the first one and the remedy.
        """
        bad = np.atleast_1d(np.asarray(self.status == Status.INFEASIBLE))
        if bad.any():
            first = int(np.argmax(bad))
            raise ValueError(
                f"{int(bad.sum())} of {bad.size} instances have no feasible solution (first: index {first}); "
                "relax the constraints of the configuration or look at `Solution.status` instance by instance"
            )
        return self


@dataclass(frozen=True)
class Method:
    """A way to solve a system: heuristic, solver or trained policy, all alike.

    Attributes:
        name: what the command line calls it.
        summary: one line for listings.
        solve: ``(state, channel, key) -> Solution``, pure and jittable.
        load: gives the arrays that `solve` needs (weights) when the method is first run; they are passed as an
            argument, never captured in a trace. ValueError where they do not fit the system.
        over: how it is batched. "vmap" and "map" lift a function of one channel (use "map" where it branches);
            a "batch" function takes channels and keys with a leading batch axis itself.
        chunk: with "vmap", channels at once: iterations of a chunk last as long as its slowest channel.
    """

    name: str
    summary: str
    solve: Callable[[Any, Channel, PRNGKeyArray], Solution]
    load: Callable[[], Any] = lambda: None
    over: Literal["vmap", "map", "batch"] = "vmap"
    chunk: int | None = None
