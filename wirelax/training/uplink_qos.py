"""What the policies for uplink RBs are trained by: occupied RBs made smooth, and a penalty on shortfalls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray

from wirelax.policies import PolicySpec, PolicyState
from wirelax.policies.uplink_qos import competitors, power_shares
from wirelax.problems import UplinkQosProblem
from wirelax.smoothing import smooth_indicator, smooth_piecewise_max, violation_penalty
from wirelax.training.objectives import Evaluation, instance_objective

__all__ = [
    "AdaptiveSmoothing",
    "GivenSmoothing",
    "OccupiedRbs",
    "Smoothing",
    "StepPenalty",
    "broken_part",
    "peak_schedule",
]

Schedule = Callable[[Any], Any]
FEWEST = 1.0
"""RBs that the need of a short service is counted for at least. The smooth indicator counts one RB as 0.65 to 1: the
policy would end just below the need. At 0, the square root in the need would have an infinite gradient."""


def peak_schedule(first: float, peak: float, last: float, steps: int, rise: float = 0.05) -> Schedule:
    """Linear from the first value to the peak over a share `rise` of the steps, then linear to the last."""
    up = max(int(rise * steps), 1)
    return optax.join_schedules(
        [optax.linear_schedule(first, peak, up), optax.linear_schedule(peak, last, max(steps - up, 1))], [up]
    )


class Smoothing(Protocol):
    """Smooth forms of the two discrete functions, at a step of training; powers are shares of the budget."""

    def indicator(self, power: Array, step: ArrayLike) -> Array:
        """Elementwise, near 1 where a power is above 0: u, eq. (16b)."""
        ...

    def winners(self, power: Float[Array, "rb entry"], step: ArrayLike) -> Float[Array, "rb entry"]:
        """The largest entry of each RB about as it is, the others near 0: psi, eq. (16a)."""
        ...


@dataclass(frozen=True, kw_only=True)
class AdaptiveSmoothing:
    """Sharpnesses that keep gradients at what is required, Yin et al. (2025), eqs. (17) to (22).

    Attributes:
        indicator_gradient: delta_u, schedule of the gradient required of the indicator.
        winner_gradient: delta_psi, schedule of the gradient required of entries that are not the largest.
        cap: largest sharpness of the piecewise maximum, 1 over the budget.
        variant: of `wirelax.smoothing.smooth_piecewise_max`.
    """

    indicator_gradient: Schedule
    winner_gradient: Schedule
    cap: float = 2000.0
    variant: str = "capped"

    def indicator(self, power: Array, step: ArrayLike) -> Array:
        """With the gradient of the step."""
        return smooth_indicator(power, gradient=self.indicator_gradient(step))

    def winners(self, power: Float[Array, "rb entry"], step: ArrayLike) -> Float[Array, "rb entry"]:
        """With the gradient of the step."""
        gradient = self.winner_gradient(step)
        return smooth_piecewise_max(power, gradient=gradient, cap=self.cap, variant=self.variant)


@dataclass(frozen=True, kw_only=True)
class GivenSmoothing:
    """Sharpnesses that are the same for all powers: fixed, or annealed by their schedules.

    Attributes:
        indicator_sharpness: theta.
        winner_sharpness: beta.
    """

    indicator_sharpness: Schedule
    winner_sharpness: Schedule

    def indicator(self, power: Array, step: ArrayLike) -> Array:
        """With the sharpness of the step."""
        return smooth_indicator(power, self.indicator_sharpness(step))

    def winners(self, power: Float[Array, "rb entry"], step: ArrayLike) -> Float[Array, "rb entry"]:
        """With the sharpness of the step."""
        return smooth_piecewise_max(power, self.winner_sharpness(step))


@dataclass(frozen=True, kw_only=True)
class StepPenalty:
    """The nonlinear penalty of Yin et al. (2025), eq. (25), for `primal_dual`: firm at any violation.

    Attributes:
        scale: c, schedule of its size; the share of violated constraints settles near 1 over it.
        gradient: delta_v, required at small violations, before scaling.
        step: at which the schedule is read.
    """

    scale: Schedule
    gradient: float = 30.0
    step: Any = 0

    def at(self, step: Int[ArrayLike, ""]) -> StepPenalty:
        """The same at another step."""
        return replace(self, step=step)

    def __call__(self, violation: Array, multiplier: Array) -> Array:
        """Elementwise."""
        return violation_penalty(violation, multiplier, self.scale(self.step), self.gradient)


def broken_part(violation: Array, multiplier: Array) -> Array:
    """The violation where there is one, else 0: for fixed multipliers, which must not reward room to spare."""
    return jax.nn.relu(violation)


@dataclass(frozen=True, kw_only=True)
class OccupiedRbs:
    """The objective of problem (14): smooth occupied RBs; how far rates fall short are the constraints.

    An `Objective` at one step of its schedules. Constraints are ``long`` and ``short`` [batch, user], (14b) and (14c)
    as shares of the targets.

    Attributes:
        spec: the policy, whose outputs are for the RBs in the order of the problems that it is trained on.
        smoothing: of indicator and piecewise maximum.
        long_factor: R_L in training over that of the problem.
        short_factor: the same of R_S.
        error_factor: decoding error probability in training over that of the problem.
        step: at which the schedules are read.
    """

    spec: PolicySpec
    smoothing: Smoothing
    long_factor: float = 1.0
    short_factor: float = 1.0
    error_factor: float = 0.5
    step: Any = 0

    def at(self, step: Int[ArrayLike, ""]) -> OccupiedRbs:
        """The same at another step."""
        return replace(self, step=step)

    def __call__(self, policy: PolicyState, batch: Any, key: PRNGKeyArray) -> Evaluation:
        """Mean over a batch of problems."""
        return instance_objective(self.spec, self.measure)(policy, batch, key)

    def required(self, problem: UplinkQosProblem) -> UplinkQosProblem:
        """The problem with the targets that training asks for."""
        return replace(
            problem,
            rate_long=problem.rate_long * self.long_factor,
            rate_short=problem.rate_short * self.short_factor,
            error_probability=problem.error_probability * self.error_factor,
        )

    def measure(
        self, outputs: Float[Array, "user service rb"], problem: UplinkQosProblem, key: PRNGKeyArray
    ) -> Evaluation:
        """Of one problem."""
        problem = self.required(problem)
        won = self.smoothing.winners(competitors(power_shares(outputs)), self.step)
        occupied = self.smoothing.indicator(won.sum(-1), self.step).sum()
        power = won.T.reshape(outputs.shape)
        nats = jnp.log1p(problem.snr[:, None] * power).sum(-1)
        count = self.smoothing.indicator(power[:, 1], self.step).sum(-1)
        floor = problem.rate_short * jnp.log(2.0)
        missing = problem.short_need(jnp.maximum(count, FEWEST)) - nats[:, 1]
        constraints = {
            "long": _relative(problem.long_need - nats[:, 0], problem.long_need),
            "short": _relative(missing, floor),
        }
        violated = {f"violated_{name}": (value > 0).mean() for name, value in constraints.items()}
        return Evaluation(occupied, constraints, {"smooth_occupied": occupied, **violated})


def _relative(missing: Float[Array, " user"], target: Float[Array, ""]) -> Float[Array, " user"]:
    """Shortfalls as shares of a target; met where there is none."""
    return jnp.where(target > 0, missing / jnp.where(target > 0, target, 1.0), -1.0)
