"""Gradient ascent on the powers of a NOMA schedule, in logits of shares of the simplex of feasible powers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from wirelax.problems.noma import NomaProblem
from wirelax.solvers.gradient import gradient_ascent
from wirelax.types import Allocation, Solution

__all__ = ["noma_gradient"]

FIRST_LEAD = 5.0
"""Logit that the strongest user of every subchannel starts with above the others."""


def _of_logits(logits: Any, problem: Any) -> Allocation:
    slots = problem.slots()
    share = jax.nn.softmax(jnp.where(slots.used, logits, -jnp.inf).reshape(-1), where=slots.used.reshape(-1))
    power = problem.simplex(slots).power(jnp.where(slots.used, share.reshape(logits.shape), 0.0))
    power_w = slots.scatter(power, problem.num_users) * problem.total_power_w
    return {"assignment": problem.schedule, "power_w": power_w}


def noma_gradient(problem: NomaProblem, *, key: PRNGKeyArray, starts: int = 4, steps: int = 200) -> Solution:
    """Powers of the problem's schedule: R_min and total power hold by construction, Adam climbs the sum rate.

    Args:
        problem: one network; its schedule is kept.
        key: of the random starts.
        starts: mostly the strongest users, even powers, then random ones (static).
        steps: of every start (static).
    """
    slots = problem.slots()
    drawn = jax.random.normal(key, (starts, *slots.user.shape), slots.snr.dtype)
    lead = jnp.where(jnp.arange(slots.user.shape[1]) == 0, FIRST_LEAD, 0.0).astype(slots.snr.dtype)
    fixed = jnp.stack([jnp.broadcast_to(lead, slots.user.shape), jnp.zeros(slots.user.shape, slots.snr.dtype)])
    logits = drawn.at[: min(starts, 2)].set(fixed[:starts])
    return gradient_ascent(problem, logits, _of_logits, steps=steps)
