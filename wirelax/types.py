"""The few records that every part of wirelax shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int

__all__ = ["Allocation", "Channel", "Solution", "Status"]

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
    """

    allocation: Allocation
    utility: Float[Array, "*batch"]
    iterations: Int[Array, "*batch"]
    status: Int[Array, "*batch"]

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
