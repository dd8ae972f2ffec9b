"""Training a policy of a system from its recipe: labels, statistics, stages, and the weights file at the end."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax

from wirelax._version import __version__
from wirelax.errors import InputError, unknown_name
from wirelax.io import RunFolder, claim_run
from wirelax.io.errors import import_extra
from wirelax.policies import Policy, PolicyState
from wirelax.systems.labels import LABEL_STREAM, labelled_problems
from wirelax.systems.recipe import Recipe
from wirelax.systems.registry import recipes_of
from wirelax.systems.run import instance_keys
from wirelax.training import train

__all__ = ["PRESETS", "train_policy"]

PRESETS = ("smoke", "quick", "paper")
STATISTICS_COUNT = 2048
"""Fresh channels that feature statistics are taken of where a recipe has no labels."""
Report = Callable[[str, int, int, Mapping[str, float]], None]


def train_policy(
    system: Any,
    recipe: Recipe | str,
    *,
    directory: str | os.PathLike[str],
    preset: str = "quick",
    seed: int = 0,
    resume: bool = False,
    labels: str | os.PathLike[str] | None = None,
    report: Report = lambda stage, step, steps, metrics: None,
    say: Callable[[str], None] = lambda line: None,
) -> Policy:
    """Train a recipe's network and write its weights to ``directory/policy.msgpack``.

    After every stage the weights so far are kept as ``policy-STAGE.msgpack``.

    Args:
        system: the system that the recipe belongs to.
        recipe: network, labels and stages; or its name.
        directory: run folder; must not hold a run yet, unless `resume`.
        preset: "smoke", "quick" or "paper".
        seed: of the labels, the initial weights and the batches.
        resume: continue the run in `directory` from its last checkpoint.
        labels: label cache; by default ``directory/labels.h5``.
        report: called with stage, step, steps of the stage and metrics.
        say: called with lines of progress.

    Raises:
        InputError: an unknown recipe or preset, or the folder holds a run and `resume` is off, there is nothing to
            resume, or what is there was started with other settings.
        MissingExtraError: Orbax, or h5py where there are labels, is not installed.
        FloatingPointError: the loss is not finite; the last good checkpoint stays.
    """
    recipe = recipe_of(system, recipe)
    if preset not in PRESETS:
        raise InputError(f"unknown preset {preset!r}; choose {', '.join(PRESETS)}")
    settings = {
        "system": system.name,
        "policy": recipe.name,
        "preset": preset,
        "seed": seed,
        "config": dataclasses.asdict(system.config),
    }
    stages = recipe.stages(preset, seed)  # what does not fit is said before the folder is taken
    import_extra("orbax.checkpoint", "a training run writes checkpoints, which", "train")  # before labels are made
    with claim_run(directory, settings, resume) as run:
        if run.finished:
            say(f"{directory} is finished already")
            return run.load_policy()
        data, problems, notes = _data(system, recipe, preset, seed, Path(labels or run.labels), say)
        state = recipe.spec.init(problems, key=jax.random.key(seed))
        meta = {**settings, "version": __version__, "labels": notes}
        for stage in stages:
            say(f"stage {stage.name}: {stage.loop.steps} steps")
            state = _run_stage(stage, state, data, run, report)
            run.save_policy(_policy(recipe, state, meta), stage.name)
        policy = _policy(recipe, state, meta)
        run.save_policy(policy)
    return policy


def recipe_of(system: Any, recipe: Recipe | str) -> Recipe:
    """The recipe that is meant."""
    if not isinstance(recipe, str):
        return recipe
    recipes = recipes_of(system)
    if recipe not in recipes:
        raise unknown_name("policy", recipe, recipes)
    return recipes[recipe]


def _policy(recipe: Recipe, state: PolicyState, meta: Mapping[str, Any]) -> Policy:
    return Policy(name=recipe.name, params=state.params, standardise=state.standardise, meta=meta)


def _data(
    system: Any, recipe: Recipe, preset: str, seed: int, path: Path, say: Callable[[str], None]
) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """What the stages draw from, problems for the feature statistics, and notes on the labels."""
    data: dict[str, Any] = {"constants": system.constants()}
    if recipe.labels is None:
        keys = instance_keys(seed, 0, STATISTICS_COUNT, LABEL_STREAM)
        return data, jax.jit(jax.vmap(lambda key: system.problem(system.sample(key))))(keys), {}
    data["labels"], notes = labelled_problems(system, recipe.labels, recipe.labels.count[preset], seed, path, say)
    return data, data["labels"].problem, notes


def _run_stage(stage: Any, state: PolicyState, data: Any, run: RunFolder, report: Report) -> PolicyState:
    log = run.metrics(stage.name)
    found = train(
        stage.objective,
        state,
        data,
        stage.source,
        stage.loop,
        name=stage.name,
        checkpoints=run.checkpoints(stage.name),
        log=log,
        report=lambda step, metrics: report(stage.name, step, stage.loop.steps, metrics),
        evaluate=stage.evaluate,
    )
    return found.policy
