"""Training a policy from a recipe: labels, statistics, stages, and the weights file at the end."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from wirelax._version import __version__
from wirelax.policies import Policy, Standardiser, load_policy, save_policy
from wirelax.training.labels import load_labels, save_labels
from wirelax.training.loop import train
from wirelax.training.recipe import Recipe

__all__ = ["RUN_FILE", "WEIGHTS_FILE", "labels_of", "train_policy"]

RUN_FILE = "run.json"
WEIGHTS_FILE = "policy.msgpack"
Report = Callable[[str, int, int, Mapping[str, float]], None]


def labels_of(
    recipe: Recipe, count: int, seed: int, path: str | os.PathLike[str], report: Callable[[str], None] = print
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Labels and notes from the cache at `path`, made and written there if it does not exist.

    Raises:
        LabelCacheError: the cache is broken or belongs to another configuration, seed or level grid.
    """
    path = Path(path)
    arrays, source, notes = recipe.make_labels(count, seed, only_source=path.exists(), report=report)
    if path.exists():
        return load_labels(path, source)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_labels(path, arrays, source, notes)
    return arrays, notes


def train_policy(
    system: Any,
    recipe: Recipe,
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
        recipe: network, labels and stages.
        directory: run folder; must not hold a run yet, unless `resume`.
        preset: "quick" or "paper".
        seed: of the labels, the initial weights and the batches.
        resume: continue the run in `directory` from its last checkpoint.
        labels: label cache; by default ``directory/labels.h5``.
        report: called with stage, step, steps of the stage and metrics.
        say: called with lines of progress.

    Raises:
        ValueError: the folder holds a run and `resume` is off, there is nothing to resume, or what is there
            was started with other settings.
    """
    directory = Path(directory)
    _claim(directory, _settings(system, recipe, preset, seed), resume)
    if (directory / WEIGHTS_FILE).exists():
        say(f"{directory} is finished already")
        return load_policy(directory / WEIGHTS_FILE)
    path = Path(labels) if labels else directory / "labels.h5"
    arrays, notes = labels_of(recipe, recipe.num_labels[preset], seed, path, say)
    data = jax.tree.map(jnp.asarray, arrays)
    channels = {spec.name: data[spec.name] for spec in system.arrays if spec.name in data}
    features = jax.jit(jax.vmap(system.features))(channels)
    standardise = Standardiser.fit(features, shared=recipe.shared_statistics)
    params = jax.jit(recipe.network.init)(jax.random.key(seed), standardise(features[0]))
    meta = {**_settings(system, recipe, preset, seed), "version": __version__, "labels": notes}
    policy = Policy(name=recipe.name, params=params, standardise=standardise, meta=meta)
    for stage in recipe.stages(preset, standardise, seed):
        say(f"stage {stage.name}: {stage.loop.steps} steps")
        params = train(
            stage.loss,
            policy.params,
            data,
            stage.batches,
            stage.loop,
            directory=directory,
            name=stage.name,
            resume=resume,
            report=lambda step, metrics, stage=stage: report(stage.name, step, stage.loop.steps, metrics),
            evaluate=stage.evaluate,
        )
        policy = dataclasses.replace(policy, params=params)
        save_policy(directory / f"policy-{stage.name}.msgpack", policy)
    save_policy(directory / WEIGHTS_FILE, policy)
    return policy


def _settings(system: Any, recipe: Recipe, preset: str, seed: int) -> dict[str, Any]:
    return {
        "system": system.name,
        "policy": recipe.name,
        "preset": preset,
        "seed": seed,
        "config": dataclasses.asdict(system.config),
    }


def _claim(directory: Path, settings: Mapping[str, Any], resume: bool) -> None:
    """Make `directory` the folder of this run, or raise if it is another's."""
    file = directory / RUN_FILE
    if not file.exists():
        if resume:
            raise ValueError(f"{directory} holds no run to resume; start it without --resume")
        if directory.exists() and any(directory.iterdir()):
            raise ValueError(f"{directory} is not empty; choose a new folder for the run")
        directory.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings, indent=1) + "\n")
        return
    if not resume:
        raise ValueError(f"{directory} holds a run already; add --resume to continue it or choose another folder")
    found, wanted = json.loads(file.read_text()), json.loads(json.dumps(settings))
    for name in wanted:
        if found.get(name) != wanted[name]:
            raise ValueError(
                f"{directory} was started with {name}={found.get(name)!r}, not {wanted[name]!r}; "
                "resume it with the same settings or choose another folder"
            )
