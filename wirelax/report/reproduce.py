"""The engine behind ``wirelax reproduce``: trains, solves, and sets our numbers beside the paper's."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wirelax.policies import Policy, load_policy
from wirelax.report import figures
from wirelax.report._format import prefixed_unit
from wirelax.report.compare import comparison_figures, comparison_rows
from wirelax.report.html import FigureItem, Section, write_report
from wirelax.report.machine import machine_summary
from wirelax.report.table import write_table
from wirelax.systems import get
from wirelax.systems.run import BatchResult, sample_channels, solve_batch
from wirelax.training.run import train_policy
from wirelax.types import Method

__all__ = ["reproduce"]

Say = Callable[[str], None]
TRAINED = "trained:"
"""Before the names of policies trained in the run."""


def reproduce(
    system: Any, directory: Path, *, preset: str, seed: int, say: Say, training_report: Callable[..., None]
) -> tuple[list[dict[str, Any]], Path]:
    """Run a system's reproduction and write table.json, table.md, figures and report.html.

    Training runs lie under ``directory/runs`` and are continued if the command is repeated after a break.

    Returns:
        The rows of all tables (column ``scenario`` first after the method), and the page's path.
    """
    plan = system.reproduction(preset)
    directory.mkdir(parents=True, exist_ok=True)
    train = lambda scene, name, folder: _train(  # noqa: E731
        scene, name, plan.train_preset, folder, seed, say, training_report
    )
    trained = {TRAINED + name: train(system, name, directory) for name in plan.train}
    rows, sections = [], []
    for title, overrides in plan.scenarios.items():
        scene = get(system.name, **{**_changed(system), **overrides})
        channels = sample_channels(scene, plan.count, seed + 1)
        results = {}
        for name in (*plan.methods, *trained):
            say(f"{title}: {name}")
            method = _trained_method(scene, name, trained[name]) if name in trained else scene.methods[name]
            results[name] = solve_batch(scene, method, channels, seed=seed + 2)
        here = [{"method": row["method"], "scenario": title, **row} for row in comparison_rows(scene, results)]
        rows += here
        sections.append(_scenario_section(scene, title, plan, here, results, directory, first=not sections))
    sections += [_curves_section(system, curves, plan, directory, train) for curves in plan.curves]
    for sweep in plan.sweeps:
        found, section = _sweep_section(system, sweep, plan.sweep_count, seed + 3, directory, say, train)
        rows += found
        sections.append(section)
    write_table(rows, directory, units=_units(system))
    meta = {**machine_summary(), "system": system.name, "preset": preset, "seed": str(seed)}
    page = write_report(directory / "report.html", f"wirelax reproduce {system.name}", sections, meta)
    return rows, Path(page)


def _units(system: Any) -> Mapping[str, str]:
    return {"utility_mean": system.utility_unit, "utility_median": system.utility_unit}


def _changed(system: Any) -> Mapping[str, Any]:
    """Configuration fields that differ from the defaults."""
    default = get(system.name).config
    return {name: value for name, value in vars(system.config).items() if getattr(default, name) != value}


def _train(system: Any, name: str, preset: str, directory: Path, seed: int, say: Say, report: Callable[..., None]):
    """The policy of a recipe, or with RECIPE@STAGE as it was after a stage."""
    name, _, stage = name.partition("@")
    recipe, run = system.recipes[name], directory / "runs" / name
    say(f"training {name}")
    policy = train_policy(
        system,
        recipe,
        directory=run,
        preset=preset,
        seed=seed,
        resume=(run / "run.json").exists(),
        labels=directory / "labels" / f"{recipe.num_labels[preset]}.h5",
        report=report,
        say=say,
    )
    return load_policy(run / f"policy-{stage}.msgpack") if stage else policy


def _trained_method(scene: Any, name: str, policy: Policy) -> Method:
    recipe, _, _ = name.removeprefix(TRAINED).partition("@")
    return scene.recipes[recipe].method(policy)


def _scenario_section(scene, title, plan, rows, results, directory: Path, *, first: bool) -> Section:
    items: list[FigureItem] = []
    for number, (group, methods) in enumerate(plan.groups.items()):
        stem = f"{_slug(title)}_{number + 1}_"
        found = comparison_figures(scene, results, directory, stem=stem, methods=methods)
        items += [
            FigureItem(item.image, f"{group}. {item.caption}", item.alt)
            for item in found
            if "time" not in str(item.image)
        ]
    items += [
        item
        for item in comparison_figures(scene, results, directory, stem=f"{_slug(title)}_")
        if "time" in str(item.image)
    ]
    text = [f"{plan.count} {title}.", *(plan.notes if first else ())]
    if first:
        text += [_beside_paper(figure, rows) for figure in plan.paper]
    return Section(title=title, text=text, rows=rows, figures=items, units=_units(scene))


def _beside_paper(figure: Any, rows: Sequence[Mapping[str, Any]]) -> str:
    row = next(row for row in rows if row["method"] == figure.method)
    if figure.reference:
        reference = next(row for row in rows if row["method"] == figure.reference)
        ours = 100 * row["seconds_per_channel"] / reference["seconds_per_channel"]
    else:
        ours = row[figure.column]
    return f"{figure.quantity}: paper {figure.value:g} ({figure.source}), here {ours:.3g}."


def _curves_section(system: Any, curves: Any, plan: Any, directory: Path, train: Callable[..., Any]) -> Section:
    items = []
    history: dict[str, dict[str, list[tuple[float, float]]]] = {metric: {} for metric in curves.metrics}
    for name in curves.recipes:
        train(system, name, directory)
        recipe = system.recipes[name]
        lines = [json.loads(line) for line in (directory / "runs" / name / "metrics.jsonl").read_text().splitlines()]
        epoch = recipe.batch_size / recipe.num_labels[plan.train_preset]
        for metric in curves.metrics:
            history[metric][name] = [(line["step"] * epoch, line[metric]) for line in lines if metric in line]
    for metric, of_recipe in history.items():
        label = metric.replace("_", " ").capitalize()
        figure = figures.learning_curves(of_recipe, label, "Epoch", yscale="log")
        path = figures.save(figure, directory / f"curves_{_slug(curves.title)}_{metric}.png")
        items.append(FigureItem(path, f"{curves.title}: {label.lower()} over epochs.", label))
    return Section(title=curves.title, figures=items)


Solved = Iterator[tuple[float, Any, dict[str, BatchResult]]]
"""Value, system and results by method."""


def _solve_by_value(sweep: Any, scenes: Sequence[Any], title: str, count: int, seed: int, say: Say, train) -> Solved:
    channels = None
    for value, scene in zip(sweep.values, scenes, strict=True):
        say(f"{title} {value:g}")
        if channels is None or sweep.resample:
            channels = sample_channels(scene, count, seed)
        methods = {name: scene.methods[name] for name in sweep.methods}
        for name in sweep.train:
            methods[TRAINED + name] = _trained_method(scene, name, train(scene, name, value))
        yield (
            value,
            scene,
            {name: solve_batch(scene, method, channels, seed=seed) for name, method in methods.items()},
        )


def _solve_at_once(sweep: Any, scenes: Sequence[Any], title: str, count: int, seed: int, say: Say, train) -> Solved:
    """All values in one batch: the field is an array of the channels."""
    say(f"{title} {', '.join(f'{value:g}' for value in sweep.values)}")
    drawn = sample_channels(scenes[0], count, seed)
    channels = {name: np.concatenate([array] * len(scenes)) for name, array in drawn.items()}
    channels[sweep.field] = np.repeat(np.asarray(sweep.values, np.float32), count)
    results = {name: solve_batch(scenes[0], scenes[0].methods[name], channels, seed=seed) for name in sweep.methods}
    for i, (value, scene) in enumerate(zip(sweep.values, scenes, strict=True)):
        rows = slice(i * count, (i + 1) * count)
        yield value, scene, {name: result.part(rows) for name, result in results.items()}


def _sweep_section(
    system: Any, sweep: Any, count: int, seed: int, directory: Path, say: Say, train: Callable[..., Any]
) -> tuple[list[dict[str, Any]], Section]:
    """Rows of the table (where sizes change) and the section of one sweep."""
    mean: dict[str, list[float]] = defaultdict(list)
    feasible: dict[str, list[float]] = defaultdict(list)
    rows: list[dict[str, Any]] = []
    for line, overrides in sweep.lines.items():
        scenes = [
            get(system.name, **{**_changed(system), **sweep.overrides, **overrides, sweep.field: value})
            for value in sweep.values
        ]
        title = f"{sweep.title}: {line}{', ' if line else ''}{sweep.field} ="
        folder = f"{_slug(sweep.title)}-{_slug(line)}"
        train_in = lambda scene, name, value, folder=folder: train(scene, name, directory / f"{folder}{value:g}")  # noqa: E731
        solved = _solve_at_once if sweep.with_channels else _solve_by_value
        for value, scene, results in solved(sweep, scenes, title, count, seed, say, train_in):
            for name, result in results.items():
                of = f"{name}, {line}" if line else name
                # Infeasible channels count as 0: the mean over the others rises when only good ones are left.
                mean[of].append(float(np.where(result.feasible, result.utility, 0.0).mean()))
                feasible[of].append(float(result.feasible.mean()))
            if sweep.resample:
                rows += [
                    {"method": row["method"], "scenario": f"{title} {value:g}", **row}
                    for row in comparison_rows(scene, results)
                ]
    label = sweep.field.replace("_", " ") + (f" ({sweep.unit})" if sweep.unit else "")
    scale, unit = prefixed_unit(max(max(line) for line in mean.values()), system.utility_unit)
    mean = {name: [value / scale for value in line] for name, line in mean.items()}
    quantity = f"Mean {system.utility_name.replace('_', ' ')} ({unit})"
    items, shown = [], [("utility", mean, quantity)]
    if min(min(line) for line in feasible.values()) < 1:
        shown.append(("feasible", feasible, "Fraction of channels feasible"))
    for suffix, table, ylabel in shown:
        series = {name: (np.asarray(sweep.values), np.asarray(line)) for name, line in table.items()}
        path = figures.save(
            figures.lines(series, label, ylabel), directory / f"sweep_{_slug(sweep.title)}_{suffix}.png"
        )
        items.append(FigureItem(path, f"{sweep.title}: {ylabel.lower()} over {count} channels.", ylabel))
    text = [f"Means over {count} channels, infeasible ones counting as 0."]
    return rows, Section(title=sweep.title, text=text, rows=rows or None, figures=items, units=_units(system))


def _slug(title: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in title.lower()).strip("-")[:40]
