"""How the NOMA policies are trained: the paper's supervised training, and what goes beyond it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from wirelax.policies import PolicySpec, PolicyState
from wirelax.policies.noma import Head, NomaDNN, NomaEquivariant, Powers, schedule_features
from wirelax.problems import NomaProblem
from wirelax.solvers.noma import CHUNK, noma_power
from wirelax.systems.noma.catalogue import RECIPES
from wirelax.systems.noma.system import Noma, sample_mixed
from wirelax.systems.recipe import Labels, Recipe, Stage, fresh_problems, labelled_rows
from wirelax.training import (
    Evaluation,
    LoopConfig,
    Objective,
    Source,
    Term,
    held_out_rows,
    instance_objective,
    supervised_objective,
    weighted,
)
from wirelax.training.noma import ShareError, SumRate, hold_min_rate

__all__ = ["recipe"]

HELD_OUT = 0.1
"""Fraction of the labels that is never trained on."""
OTHER_SIZES = ((10, 30), (25, 20))
"""Subchannels and users that the equivariant network also sees: the paper's largest."""
BATCH = 128


def _label(problem: NomaProblem, key: PRNGKeyArray) -> dict[str, Array]:
    """Powers by interior point."""
    found = noma_power(problem, starts=1, key=key)
    return {"power_w": found.allocation["power_w"], "solved": found.feasible}


def _notes(problems: NomaProblem, labels: Mapping[str, Array]) -> dict[str, Any]:
    return {"infeasible": int(np.size(labels["solved"]) - np.sum(labels["solved"]))}


def _all_sizes(system: Noma, objective: Objective) -> tuple[Objective, Source]:
    """The objective at the sizes that the equivariant network also sees, and problems of all of them."""
    sizes = {"own": system}
    if system.config.scenario == "rayleigh":
        for n, m in OTHER_SIZES:
            sizes[f"{n}x{m}"] = Noma(replace(system.config, num_subchannels=n, num_users=m))
    sources = {name: fresh_problems(of, BATCH // len(sizes), sample_mixed) for name, of in sizes.items()}

    def draw(data: Any, key: PRNGKeyArray) -> dict[str, NomaProblem]:
        keys = jax.random.split(key, len(sources))
        return {name: source.draw(data, k) for (name, source), k in zip(sources.items(), keys, strict=True)}

    def unconstrained(policy: PolicyState, batch: Any, key: PRNGKeyArray) -> Evaluation:
        return objective(policy, batch, key)._replace(constraints={})  # each term would bring the same names

    return weighted(**{name: Term(objective=unconstrained, part=name) for name in sizes}), Source(draw)


_LABELS = {"smoke": 256, "quick": 10000, "paper": 20000}
_STEPS = {
    "smoke": {"supervised": 100, "sum-rate": 100, "primal-dual": 100},
    "quick": {"supervised": 6000, "sum-rate": 3000, "primal-dual": 6000},
    "paper": {"supervised": 40000, "sum-rate": 20000, "primal-dual": 40000},
}
"""Steps of the stages, per preset."""
_EQUIVARIANT_STEPS = {
    "smoke": {"supervised": 100, "sum-rate": 100},
    "quick": {"supervised": 3000, "sum-rate": 1500},
    "paper": {"supervised": 10000, "sum-rate": 10000},
}
_CURVE_STEPS = {"smoke": 100, "quick": 2000, "paper": 40000}


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What tells the recipes apart."""

    network: Any = field(default_factory=NomaDNN)
    fine_tuned: Literal["sum-rate", "primal-dual"] | None = None
    steps: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: _STEPS)
    batch: int = 50
    learning_rate: float = 1e-3
    head: Head = "split"
    sizes: tuple[str, ...] = ("num_subchannels", "num_users")
    shared_statistics: bool = False


def _plan(system: Noma, name: str) -> _Plan:
    curve = {preset: {"supervised": steps} for preset, steps in _CURVE_STEPS.items()}
    if name.startswith("dnn-batch-"):
        return _Plan(steps=curve, batch=int(name.rsplit("-", 1)[1]))
    if name.startswith("dnn-rate-"):
        return _Plan(steps=curve, learning_rate=float(name.rsplit("-", 1)[1]))
    if name == "equivariant":
        return _Plan(
            network=NomaEquivariant(system.config.max_users_per_subchannel),
            fine_tuned="sum-rate",
            head="simplex",
            steps=_EQUIVARIANT_STEPS,
            sizes=("max_users_per_subchannel",),
            shared_statistics=True,
        )
    return {
        "dnn": _Plan(),
        "dnn+rate": _Plan(fine_tuned="sum-rate"),
        "dnn+qos": _Plan(network=NomaDNN(floor=True), fine_tuned="primal-dual"),
        "dnn+simplex": _Plan(fine_tuned="sum-rate", head="simplex"),
    }[name]


def recipe(system: Noma, name: str) -> Recipe:
    """A policy of the NOMA system that can be trained."""
    plan = _plan(system, name)
    head = Powers(plan.head)
    spec = PolicySpec(plan.network, schedule_features, head, plan.sizes, plan.shared_statistics)
    supervised, rate = supervised_objective(spec, ShareError(head)), instance_objective(spec, SumRate(head))

    def held_out(policy: PolicyState, data: Any) -> Mapping[str, Array]:
        rows = held_out_rows(data["labels"], HELD_OUT)
        return {"held_out_loss": supervised(policy, rows, jax.random.key(0)).loss}

    def stages(preset: str, seed: int) -> list[Stage]:
        def loop(index: int, name: str, **options: Any) -> LoopConfig:
            steps = plan.steps[preset][name]
            return LoopConfig(steps=steps, seed=seed + index, checkpoint_every=max(steps // 1000 * 100, 100), **options)

        first = Stage(
            name="supervised",
            objective=supervised,
            source=labelled_rows(plan.batch, HELD_OUT),
            loop=loop(0, "supervised", optimizer="rmsprop", learning_rate=plan.learning_rate),
            evaluate=held_out,
        )
        if plan.fine_tuned is None:
            return [first]
        objective, source = hold_min_rate(rate), fresh_problems(system, BATCH, sample_mixed)
        if plan.fine_tuned == "sum-rate":
            objective = rate
        if isinstance(plan.network, NomaEquivariant):
            objective, source = _all_sizes(system, rate)
        settings = loop(1, plan.fine_tuned, learning_rate=1e-3, warmup_steps=50)
        return [first, Stage(name=plan.fine_tuned, objective=objective, source=source, loop=settings)]

    labels = Labels(count=_LABELS, label=_label, what="interior point", sample=sample_mixed, chunk=CHUNK, notes=_notes)
    return Recipe(
        name=name, summary=RECIPES[name].summary, spec=spec, stages=stages, labels=labels, batch_size=plan.batch
    )
