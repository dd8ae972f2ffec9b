"""Between NOMA problems and networks: the features that go in, the heads that make powers of what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wirelax.policies import PolicySolve, PolicySpec, masked_split
from wirelax.problems import NomaProblem
from wirelax.solvers.noma import paus
from wirelax.types import Allocation, Solution
from wirelax.units import db_to_linear, linear_to_db

__all__ = ["Head", "PolicyInTurns", "Powers", "schedule_features"]

Head = Literal["raw", "split", "simplex"]
"""From logits to powers: a softmax split of P_c over pairs as it is, repaired to meet R_min, or a split of what the
least powers leave over, which meets R_min by construction."""
UNSCHEDULED = -1.0
"""Feature of pairs that are not scheduled, in tens of dB of SNR at full power."""
SNR_FLOOR_DB = -8.0
"""Scheduled users below it look alike; far lower values would drown the differences between the others."""


def schedule_features(problem: NomaProblem) -> Float[Array, "subchannel user"]:
    """SNR at full power in tens of dB of every scheduled pair, `UNSCHEDULED` for the others."""
    level_db = linear_to_db(jnp.maximum(problem.snr, db_to_linear(SNR_FLOOR_DB)))
    return jnp.where(problem.schedule, level_db / 10, UNSCHEDULED)


@dataclass(frozen=True)
class Powers:
    """Powers in W that logits stand for, P_c in all; feasible if the schedule is, but for "raw"."""

    kind: Head = "split"

    def shares(self, logits: Float[Array, "subchannel user"], problem: NomaProblem) -> Float[Array, "subchannel user"]:
        """Shares of P_c, before any repair."""
        share = masked_split(logits, problem.schedule, 1.0)
        if self.kind != "simplex":
            return share
        slots = problem.slots()
        return slots.scatter(problem.simplex(slots).power(slots.gather(share)), problem.num_users)

    def __call__(self, logits: Float[Array, "subchannel user"], problem: NomaProblem) -> Allocation:
        """The schedule of the problem with powers."""
        share = self.shares(logits, problem)
        if self.kind == "split":
            slots = problem.slots()
            share = slots.scatter(problem.simplex(slots).repair(slots.gather(share)), problem.num_users)
        return {"assignment": problem.schedule, "power_w": share * problem.total_power_w}


@dataclass(frozen=True)
class PolicyInTurns:
    """A policy and swap matching in turns."""

    spec: PolicySpec

    def __call__(self, state: Any, problem: NomaProblem, key: PRNGKeyArray) -> Solution:
        """Start from the schedule of the problem."""
        solve = PolicySolve(self.spec)
        return paus(problem, lambda scheduled: solve(state, scheduled, key))
