"""How the policy of the paper is trained, and what its ablations change: one plan each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PRNGKeyArray

from wirelax.policies import PolicySpec, PolicyState
from wirelax.policies.uplink_qos import (
    MultiplierDNN,
    UplinkDNN,
    WinningShares,
    in_turn_order,
    log_snr,
    log_snr_in_turn_order,
)
from wirelax.problems import UplinkQosProblem
from wirelax.systems.recipe import Recipe, Stage, fresh_problems
from wirelax.systems.uplink_qos.catalogue import RECIPES
from wirelax.systems.uplink_qos.system import UplinkQos
from wirelax.training import (
    ConstantMultipliers,
    LoopConfig,
    NetworkMultipliers,
    Source,
    make_schedule,
    mapped,
    primal_dual,
)
from wirelax.training.primal_dual import PrimalDual
from wirelax.training.uplink_qos import (
    AdaptiveSmoothing,
    GivenSmoothing,
    OccupiedRbs,
    Smoothing,
    StepPenalty,
    broken_part,
    peak_schedule,
)
from wirelax.types import FEASIBILITY_TOLERANCE

__all__ = ["PLANS", "Plan", "planned", "recipe"]

LAYERS = 3
WARMUP = 0.05
"""Of the steps, in which the learning rate and the gradient required of the indicator rise."""
SMALL = 64
"""Pairs of a user and an RB up to which the small network is enough."""
SMALL_WIDTH, WIDTH = 96, 256
SMALL_RATES = {
    "prop-learn": 2e-3,
    "unsorted": 4e-3,
    "fixed-parameter": 4e-3,
    "annealing": 2e-3,
    "default-constr": 2e-3,
    "incr-require": 4e-3,
    "fixed-multi-10": 8e-3,
    "fixed-multi-100": 8e-3,
}
"""Learning rates of the small network, best of three on validation channels: ``python -m benchmarks.uplink_tuning``."""
HELD_OUT, HELD_OUT_KEY = 512, 0x5EED
"""Channels of the metrics while training, the same for every recipe and seed."""
REGROUPED = 4
"""Groups of users that each user drawn is in: drawing channels takes a good part of a step."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What tells the recipes apart; the defaults are those of `prop-learn`. Powers are shares of the budget.

    Attributes:
        sort: whether the network sees the RBs in turn order.
        smoothing: "adaptive", or given by sharpnesses that go linearly from the first to the last value.
        indicator: gradient required of the indicator at the start, at its peak and at the end; or sharpnesses.
        winner: gradient required of the piecewise maximum at the start and at the end; or sharpnesses.
        cap: largest adaptive sharpness of the piecewise maximum.
        variant: of the adaptive sharpness.
        penalty: what multipliers are multiplied by: "step" (nonlinear), "linear", or "broken", its positive part.
        scale: of the nonlinear penalty, at the start and at the end; grows exponentially.
        violation_gradient: required of the nonlinear penalty.
        multiplier: fixed; None to learn networks of multipliers.
        long_factor: R_L in training over R_L.
        short_factor: R_S in training over R_S.
        error_factor: decoding error probability in training over that of the problem.
        learning_rate: of the policy, at its highest.
        multiplier_rate: of the multipliers.
        final_rate: the last learning rates over the highest.
        clip_norm: of the policy's gradient; None for any.
        width: of the hidden layers of the policy; None for one that fits the numbers of users and RBs.
        multiplier_width: of those of the multipliers; None for a quarter of that.
    """

    sort: bool = True
    smoothing: Literal["adaptive", "given"] = "adaptive"
    indicator: tuple[float, ...] = (20.0, 300.0, 30.0)
    winner: tuple[float, float] = (3e-3, 1e-4)
    cap: float = 2000.0
    variant: str = "capped"
    penalty: Literal["step", "linear", "broken"] = "step"
    scale: tuple[float, float] = (1.0, 100.0)
    violation_gradient: float = 30.0
    multiplier: float | None = None
    long_factor: float = 1.0
    short_factor: float = 1.0
    error_factor: float = 0.5
    learning_rate: float = 1e-3
    multiplier_rate: float = 1e-3
    final_rate: float = 0.005
    clip_norm: float | None = 3.0
    width: int | None = None
    multiplier_width: int | None = None


PLANS: dict[str, Plan] = {
    "prop-learn": Plan(),
    "unsorted": Plan(sort=False),
    "fixed-parameter": Plan(smoothing="given", indicator=(50.0, 50.0), winner=(1000.0, 1000.0)),
    "annealing": Plan(smoothing="given", indicator=(1.0, 200.0), winner=(10.0, 2000.0)),
    "default-constr": Plan(penalty="linear"),
    "incr-require": Plan(penalty="linear", long_factor=1.05, error_factor=0.05),
    "fixed-multi-10": Plan(penalty="broken", multiplier=10.0),
    "fixed-multi-100": Plan(penalty="broken", multiplier=100.0),
}


@dataclass(frozen=True)
class _Effort:
    """How long a preset trains: steps, problems in a batch, steps between two looks at the metrics."""

    steps: int
    batch: int
    chunk: int


_EFFORTS = {
    "smoke": _Effort(steps=20, batch=32, chunk=10),
    "quick": _Effort(steps=1500, batch=128, chunk=100),
    "paper": _Effort(steps=6000, batch=256, chunk=500),
}


def _smoothing(plan: Plan, steps: int) -> Smoothing:
    if plan.smoothing == "given":
        indicator, winner = (optax.linear_schedule(ends[0], ends[1], steps) for ends in (plan.indicator, plan.winner))
        return GivenSmoothing(indicator_sharpness=indicator, winner_sharpness=winner)
    first, peak, last = plan.indicator
    return AdaptiveSmoothing(
        indicator_gradient=peak_schedule(first, peak, last, steps, WARMUP),
        winner_gradient=optax.linear_schedule(*plan.winner, steps),
        cap=plan.cap,
        variant=plan.variant,
    )


def _penalise(plan: Plan, steps: int) -> Callable[..., Any] | None:
    if plan.penalty != "step":
        return broken_part if plan.penalty == "broken" else None
    first, last = plan.scale
    growth = optax.exponential_decay(first, steps, last / first)
    return StepPenalty(scale=growth, gradient=plan.violation_gradient)


def lagrangian(spec: PolicySpec, width: int, plan: Plan, loop: LoopConfig) -> PrimalDual:
    """The objective of a plan with its multipliers, for problems whose RBs are in the order of the outputs."""
    objective = OccupiedRbs(
        spec=spec,
        smoothing=_smoothing(plan, loop.steps),
        long_factor=plan.long_factor,
        short_factor=plan.short_factor,
        error_factor=plan.error_factor,
    )
    multipliers: Any = NetworkMultipliers(
        network=MultiplierDNN((plan.multiplier_width or width // 4,) * LAYERS), inputs=spec.inputs, limit=math.inf
    )
    if plan.multiplier is not None:
        multipliers = ConstantMultipliers(plan.multiplier)
    rate = make_schedule(replace(loop, learning_rate=plan.multiplier_rate))
    return primal_dual(objective, multipliers, optimizer=optax.adam(rate), penalise=_penalise(plan, loop.steps))


def recipe(system: UplinkQos, name: str) -> Recipe:
    """A policy of the uplink QoS system that can be trained."""
    plan = PLANS[name]
    if system.config.num_users * system.config.num_rbs <= SMALL:
        plan = replace(plan, learning_rate=SMALL_RATES[name], multiplier_rate=SMALL_RATES[name])
    return planned(system, name, plan)


def planned(system: UplinkQos, name: str, plan: Plan) -> Recipe:
    """The recipe of any plan, under the name of one of `PLANS`."""
    users, rbs = system.config.num_users, system.config.num_rbs
    width = plan.width or (SMALL_WIDTH if users * rbs <= SMALL else WIDTH)
    network = UplinkDNN((width,) * LAYERS)
    features = log_snr_in_turn_order if plan.sort else log_snr
    sizes = ("num_users", "num_rbs")
    spec = PolicySpec(network, features, WinningShares(plan.sort), sizes)
    # Problems of the training come sorted, once a step, so that its features need not sort.
    trained = replace(spec, features=log_snr)

    def stages(preset: str, seed: int) -> list[Stage]:
        effort = _EFFORTS[preset]
        loop = LoopConfig(
            steps=effort.steps,
            learning_rate=plan.learning_rate,
            schedule="linear",
            final_learning_rate_fraction=plan.final_rate,
            warmup_steps=int(WARMUP * effort.steps),
            clip_norm=plan.clip_norm,
            chunk=effort.chunk,
            checkpoint_every=5 * effort.chunk,
            seed=seed,
        )
        times = REGROUPED if users > 1 else 1
        source = _regrouped(fresh_problems(system, effort.batch // times), times)
        if plan.sort:
            source = mapped(source, lambda problem, key: in_turn_order(problem))
        objective, evaluate = lagrangian(trained, width, plan, loop), _HeldOut(system, spec)
        return [Stage(name="primal-dual", objective=objective, source=source, loop=loop, evaluate=evaluate)]

    return Recipe(name=name, summary=RECIPES[name].summary, spec=spec, stages=stages)


@dataclass(frozen=True)
class _HeldOut:
    """Metrics of the policy as it decides, on channels that no step draws."""

    system: UplinkQos
    spec: PolicySpec

    def __call__(self, policy: PolicyState, data: Any) -> dict[str, Array]:
        """Mean occupied RBs and shares of users that miss a target."""
        problems = fresh_problems(self.system, HELD_OUT).draw(data, jax.random.key(HELD_OUT_KEY))

        def one(problem: UplinkQosProblem) -> tuple[Array, ...]:
            allocation = self.spec.allocate(policy, problem)
            long, short = problem.shortfalls(allocation)
            missed = [(shortfall > FEASIBILITY_TOLERANCE).mean() for shortfall in (long, short)]
            return (problem.occupied(allocation).astype(float), *missed)

        names = ("occupied", "violation_long", "violation_short")
        return {name: each.mean() for name, each in zip(names, jax.vmap(one)(problems), strict=True)}


def _regrouped(source: Source, times: int) -> Source:
    """Batches `times` as large: every user of a problem also meets users of others, as they are drawn alike."""

    def draw(data: Any, key: PRNGKeyArray) -> UplinkQosProblem:
        draw_key, shift_key = jax.random.split(key)
        batch = source.draw(data, draw_key)
        count, users, _ = batch.snr.shape
        shift = jax.random.randint(shift_key, (times, 1, users), 0, count)
        row = (jnp.arange(count)[:, None] + shift) % count
        snr = batch.snr[row, jnp.arange(users)].reshape(times * count, *batch.snr.shape[1:])
        return replace(jax.tree.map(lambda leaf: jnp.concatenate([leaf] * times), batch), snr=snr)

    return Source(draw)
