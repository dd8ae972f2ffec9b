"""How the HetNet policies are trained: the paper's supervised training, and what goes beyond it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import comb
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from wirelax.channels import vary_path_gain
from wirelax.errors import InputError
from wirelax.execution import compiled
from wirelax.policies import LogPowerBounds, PolicySpec, log_power_bounds
from wirelax.policies.energy_efficiency import (
    AssignmentSearch,
    BestAssignment,
    HetNetCNN,
    HetNetConditioned,
    HetNetDNN,
    LikeliestAssignment,
    SearchedAssignment,
    search_features,
    snr_features,
)
from wirelax.problems import EnergyEfficiencyProblem
from wirelax.solvers.energy_efficiency import Spacing, exhaustive_polish, make_power_grid, search_with_assignments
from wirelax.systems.hetnet_ee.catalogue import RECIPES
from wirelax.systems.hetnet_ee.methods import SearchSolve
from wirelax.systems.recipe import Labels, Recipe, Stage, fresh_problems, labelled_rows
from wirelax.training import (
    LoopConfig,
    Source,
    Term,
    instance_objective,
    mapped,
    supervised_objective,
    weighted,
)
from wirelax.training.energy_efficiency import (
    assignment_error,
    log_efficiency,
    renumbered,
    search_objective,
    with_varied_constants,
)
from wirelax.types import Channel
from wirelax.units import decades, linear_to_db

__all__ = ["recipe"]

Grid = tuple[int, float, Spacing]
"""Number of levels, their range in dB and their spacing."""
GAP_CHANNELS = 256
"""Labels whose gap to the polished optimum is measured."""
MAX_CLASSES = 512
"""Assignments that a network may have an output for; labels hold the best powers of each."""
SIZES = ("num_micro", "users_per_bs", "num_subchannels")


@dataclass(frozen=True)
class GridLabel:
    """The best grid value and log powers of every assignment of a problem."""

    grid: Grid
    bounds: LogPowerBounds

    def __call__(self, problem: EnergyEfficiencyProblem, key: PRNGKeyArray) -> dict[str, Array]:
        """``value`` [class] and ``log_power`` [class, bs, subchannel]."""
        _, each = search_with_assignments(problem, make_power_grid(problem.num_subchannels, *self.grid), each=True)
        fraction = each.allocation["power_w"] / problem.max_power_w[:, None]
        log_power = jnp.where(fraction > 0, decades(jnp.where(fraction > 0, fraction, 1.0)), self.bounds.off)
        return {"value": each.utility, "log_power": log_power}


@dataclass(frozen=True)
class _Polished:
    grid: Grid

    def __call__(self, problems: EnergyEfficiencyProblem) -> Array:
        polish = lambda p: exhaustive_polish(p, make_power_grid(p.num_subchannels, *self.grid)).utility  # noqa: E731
        return jax.lax.map(polish, problems)


def _gap_to_polish(grid: Grid, problems: EnergyEfficiencyProblem, labels: Mapping[str, Array]) -> dict[str, Any]:
    """Mean relative distance of grid optima below the polished ones, over some of the channels."""
    some = jax.tree.map(lambda leaf: leaf[:GAP_CHANNELS], problems)
    run, _ = compiled(_Polished(grid), some)
    gap = 1 - np.asarray(labels["value"])[:GAP_CHANNELS].max(1) / np.asarray(run(some))
    return {"mean_gap_to_polish": float(gap.mean()), "gap_channels": len(gap)}


def sample_varied(system: Any, key: PRNGKeyArray) -> Channel:
    """A fresh channel, with other path gains on every second draw."""
    sample_key, vary_key = jax.random.split(key)
    return {"gain": vary_path_gain(system.sample(sample_key)["gain"], key=vary_key)}


def loop_config(steps: int, seed: int) -> LoopConfig:
    """The settings that all HetNet recipes share."""
    every = max(steps // 1000 * 100, 100)
    return LoopConfig(steps=steps, warmup_steps=min(200, steps // 10), checkpoint_every=every, seed=seed)


_LABELS = {"smoke": 500, "quick": 5000, "paper": 20000}
_STEPS = {"smoke": (200, 100), "quick": (2000, 1000), "paper": (8000, 12000)}
"""Steps of the supervised and of the fine-tuning stage, per preset."""
_CNN_STEPS = {**_STEPS, "smoke": (100, 100), "quick": (1000, 500)}
_ENDLESS_STEPS = {"smoke": (100, 100), "quick": (1000, 2000), "paper": (3000, 12000)}


_SEARCH_STEPS = {"smoke": 100, "quick": 3000, "paper": 10000}
_SEARCH_SIZES = ((4, 2, 3, 12), (1, 2, 2, 8), (3, 3, 3, 8))
"""Micros, users per BS, subchannels that the search also learns from, and problems of that size in a step."""
_SEARCH_BATCH = 64
SEARCH_CHUNK = 50
"""Problems at once: what a search holds of them stays in the cache."""


def search_recipe(system: Any, name: str) -> Recipe:
    """One network for any size: endless channels of several sizes in every step, no labels."""
    network = AssignmentSearch()
    spec = PolicySpec(network, search_features, SearchedAssignment(), shared_statistics="none")
    scenes = {"own": (system, _SEARCH_BATCH)}
    for micros, users, subchannels, count in _SEARCH_SIZES:
        sizes = {"num_micro": micros, "users_per_bs": users, "num_subchannels": subchannels, "scenario": "triangle"}
        scenes[f"{1 + micros}x{users}x{subchannels}"] = (type(system)(system.config, **sizes), count)
    total = sum(count for _, count in scenes.values())
    objective = search_objective(spec)
    terms = {key: Term(objective=objective, weight=count / total, part=key) for key, (_, count) in scenes.items()}
    sources = {
        key: mapped(fresh_problems(scene, count, sample_varied), with_varied_constants)
        for key, (scene, count) in scenes.items()
    }

    def draw(data: Any, key: PRNGKeyArray) -> dict[str, Any]:
        keys = jax.random.split(key, len(sources))
        return {of: source.draw(data, k) for (of, source), k in zip(sources.items(), keys, strict=True)}

    def stages(preset: str, seed: int) -> list[Stage]:
        loop = replace(loop_config(_SEARCH_STEPS[preset], seed), learning_rate=3e-3)
        return [Stage(name="efficiency", objective=weighted(**terms), source=Source(draw), loop=loop)]

    return Recipe(
        name=name,
        summary=RECIPES[name].summary,
        spec=spec,
        stages=stages,
        solve=SearchSolve(spec),
        over="batch",
        chunk=SEARCH_CHUNK,
    )


def recipe(system: Any, name: str) -> Recipe:
    """The paper's networks on all, 5,000 and 10,000 labels and fine-tuned on the efficiency, and `conditioned`."""
    if name == "equivariant":
        return search_recipe(system, name)
    config, kind = system.config, name.split("+")[0].split("-")[0]
    endless, tuned = kind == "conditioned", kind == "conditioned" or name.endswith("+ee")
    linear = float(linear_to_db(config.power_levels - 1)) if config.power_levels > 2 else 10.0
    bounds = log_power_bounds(config.level_range_db if config.level_spacing == "db" else linear)
    classes = _classes(system, name)
    network = {"dnn": HetNetDNN, "cnn": HetNetCNN, "conditioned": HetNetConditioned}[kind](classes)
    head = BestAssignment(bounds) if endless else LikeliestAssignment(bounds)
    spec = PolicySpec(network, snr_features, head, SIZES)
    steps = _ENDLESS_STEPS if endless else _CNN_STEPS if kind == "cnn" else _STEPS
    batch = 128 if endless else 256
    most = 1000 * int(name.split("-")[1].removesuffix("k")) if "-" in name else 20_000
    grid = (config.power_levels, config.level_range_db, config.level_spacing)

    def stages(preset: str, seed: int) -> list[Stage]:
        first, second = steps[preset]
        source = labelled_rows(batch)
        supervised = supervised_objective(spec, assignment_error)
        found = [Stage(name="supervised", objective=supervised, source=source, loop=loop_config(first, seed))]
        if tuned:
            unlabelled = Source(lambda data, key: source.draw(data, key).problem)
            again = fresh_problems(system, batch, sample_varied) if endless else mapped(unlabelled, renumbered)
            objective = instance_objective(spec, partial(log_efficiency, bounds))
            loop = loop_config(second, seed + 1)
            found.append(Stage(name="efficiency", objective=objective, source=again, loop=loop))
        return found

    labels = Labels(
        count={preset: min(count, most) for preset, count in _LABELS.items()},
        label=GridLabel(grid, bounds),
        what="exhaustive search",
        notes=partial(_gap_to_polish, grid),
    )
    return Recipe(name=name, summary=RECIPES[name].summary, spec=spec, stages=stages, labels=labels, batch_size=batch)


def _classes(system: Any, name: str) -> int:
    """How many assignments the network tells apart."""
    config = system.config
    of_cell = sum(
        (-1) ** j * comb(config.users_per_bs, j) * (config.users_per_bs - j) ** config.num_subchannels
        for j in range(config.users_per_bs + 1)
    )
    classes = of_cell**config.num_bs
    if classes > MAX_CLASSES:
        raise InputError(
            f"{name!r} has an output for every assignment, of which {config.num_bs} BSs with {config.users_per_bs} "
            f"users each on {config.num_subchannels} subchannels have {classes:,}; it serves up to {MAX_CLASSES}: use "
            "'equivariant' or 'gradient', which serve any size"
        )
    return classes
