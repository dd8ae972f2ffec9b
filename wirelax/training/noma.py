"""What the policies for NOMA are trained by: errors of labels, the sum rate itself, R_min by primal-dual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PRNGKeyArray

from wirelax.policies.noma import Powers
from wirelax.problems import NomaProblem
from wirelax.training.objectives import Evaluation, Objective
from wirelax.training.primal_dual import PrimalDual, ScalarMultipliers, primal_dual

__all__ = ["ShareError", "SumRate", "hold_min_rate"]

RATE_SCALE = 0.1
"""Sum rates of tens of bit/s/Hz as losses of order 1."""
TARGET_MARGIN = 1.2
"""Primal-dual training asks for R_min times this."""
ACCEPTED_SHORTFALL = 1e-4
"""Mean log shortfall at which the multiplier stays where it is: at most 0.055 % of pairs are below R_min then."""
FIRST_MULTIPLIER = 10.0


@dataclass(frozen=True)
class ShareError:
    """Squared error of the shares of P_c, eq. (12)."""

    head: Powers

    def __call__(self, outputs: Array, problem: NomaProblem, label: Mapping[str, Array]) -> Array:
        """Of one problem; ``power_w`` of the label is in W [subchannel, user]."""
        error = self.head.shares(outputs, problem) - label["power_w"] / problem.total_power_w
        return jnp.square(error).sum()


@dataclass(frozen=True)
class SumRate:
    """Minus the sum rate through the kernels; the mean log shortfall from R_min is the constraint."""

    head: Powers

    def __call__(self, outputs: Array, problem: NomaProblem, key: PRNGKeyArray) -> Evaluation:
        """Of one problem; pairs of schedules that cannot meet R_min do not count as short."""
        power_w = self.head.shares(outputs, problem) * problem.total_power_w
        rates = problem.rates({"assignment": problem.schedule, "power_w": power_w})
        counted = problem.schedule & problem.simplex(problem.slots()).feasible
        count = jnp.maximum(problem.schedule.sum(), 1)
        target = jnp.maximum(problem.min_rate, 1e-9)
        short = jax.nn.relu(jnp.log(TARGET_MARGIN * target / jnp.maximum(rates, 1e-20)))
        mean = lambda v: jnp.where(counted, v, 0.0).sum() / count  # noqa: E731
        metrics = {"sum_rate": rates.sum(), "violated_pairs": mean(rates < target)}
        return Evaluation(-RATE_SCALE * rates.sum(), {"min_rate": mean(short)}, metrics)


def hold_min_rate(objective: Objective, learning_rate: float = 1e-3) -> PrimalDual:
    """An objective with R_min held by one multiplier, whose logarithm is learnt."""
    multipliers = ScalarMultipliers(first=FIRST_MULTIPLIER, slack=ACCEPTED_SHORTFALL, unit=ACCEPTED_SHORTFALL)
    return primal_dual(objective, multipliers, optimizer=optax.adam(learning_rate))
