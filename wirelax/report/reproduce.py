"""The engine behind ``wirelax reproduce``: trains, solves, and sets our numbers beside the paper's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from wirelax.io import RunFolder, load_policy
from wirelax.policies import Policy
from wirelax.report import figures
from wirelax.report.compare import METRICS, comparison_figures, comparison_rows, map_figure
from wirelax.report.html import About, FigureItem, Section, figure_item, write_report
from wirelax.report.machine import machine_summary
from wirelax.report.rows import RATIO_DEFINITION, units_of
from wirelax.report.study import SEED_MARK, beside_paper, study_figure, study_rows
from wirelax.report.sweep import sweep_figures, sweep_rows
from wirelax.report.table import write_table
from wirelax.systems import get
from wirelax.systems.config import unit_of_field
from wirelax.systems.policies import trained_method
from wirelax.systems.run import BatchResult, make_problems, sample_channels, solve_batch
from wirelax.systems.train import train_policy

__all__ = ["network_sizes", "relative", "reproduce"]

Say = Callable[[str], None]
Row = dict[str, Any]
TRAINED = "trained:"
"""Before the names of policies trained in the run."""


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What all sections of one reproduction share."""

    system: Any
    plan: Any
    directory: Path
    seed: int
    say: Say
    training_report: Callable[..., None]

    @property
    def order(self) -> list[str]:
        """Names of all methods, so that each looks the same in every figure."""
        swept = [name for sweep in self.plan.sweeps for name in (*sweep.methods, *_trained_names(sweep.train))]
        studied = [name for study in self.plan.studies for name in (*study.methods, *study.recipes)]
        return list(dict.fromkeys([*self.plan.methods, *_trained_names(self.plan.train), *swept, *studied]))

    def scene(self, overrides: Mapping[str, Any]) -> Any:
        """The system with further fields overridden."""
        default = type(self.system).config
        changed = {name: v for name, v in vars(self.system.config).items() if getattr(default, name) != v}
        return get(self.system.name, **{**changed, **overrides})

    def train(self, scene: Any, name: str, directory: Path, seed: int | None = None) -> Policy:
        """The policy of a recipe, or with RECIPE@STAGE as it was after a stage; of the run's seed, or another."""
        name, _, stage = name.partition("@")
        folder = name if seed is None else f"{name}-seed-{seed}"
        recipe, run = scene.recipes[name], RunFolder(directory / "runs" / folder)
        labels = None
        if recipe.labels is not None:
            labels = directory / "labels" / f"{recipe.labels.count[self.plan.train_preset]}.h5"
        self.say(f"training {folder}")
        policy = train_policy(
            scene,
            recipe,
            directory=run.path,
            preset=self.plan.train_preset,
            seed=self.seed if seed is None else seed,
            resume=(run.path / "run.json").exists(),
            labels=labels,
            report=self.training_report,
            say=self.say,
        )
        return load_policy(run.path / f"policy-{stage}.msgpack") if stage else policy

    def solve(self, scene: Any, names: Sequence[str], trained: Mapping[str, Policy], channels: Any, seed: int):
        """Results of methods and of trained policies by name."""
        results: dict[str, BatchResult] = {}
        for name in names:
            self.say(f"  {name}")
            method = trained_method(scene, trained[name], name) if name in trained else name
            results[name] = solve_batch(scene, method, channels, seed=seed)
        return results


def reproduce(
    system: Any,
    directory: Path,
    *,
    preset: str,
    seed: int,
    say: Say,
    training_report: Callable[..., None],
    command: str = "",
) -> tuple[list[Row], Path]:
    """Run a system's reproduction and write table.json, table.md, table.csv, figures and report.html.

    Training runs lie under ``directory/runs`` and are continued if the command is repeated after a break.

    Returns:
        The rows of all tables (column ``scenario`` first after the method), and the page's path.
    """
    plan = system.paper(preset)
    directory.mkdir(parents=True, exist_ok=True)
    run = _Run(system=system, plan=plan, directory=directory, seed=seed, say=say, training_report=training_report)
    trained = {TRAINED + name: run.train(system, name, directory) for name in plan.train}
    rows: list[Row] = []
    sections: list[Section] = []
    parts: list[Any] = [lambda: _networks(run)] if plan.networks else []
    parts += [lambda t=title, o=overrides: _scenario(run, t, o, trained) for title, overrides in plan.scenarios.items()]
    parts += [lambda c=curves: ([], _curves(run, c)) for curves in plan.curves]
    parts += [lambda s=sweep: _sweep(run, s) for sweep in plan.sweeps]
    parts += [lambda s=study: _study(run, s) for study in plan.studies]
    for part in parts:
        found, section = part()
        rows += found
        sections.append(section)
    write_table(rows, directory, units=units_of(system))
    about = About.of(system, command=command, seed=seed, source="drawn in the run, see the sections")
    meta = {**machine_summary(), "preset": preset}
    page = write_report(directory / "report.html", f"wirelax reproduce {system.name}", sections, meta, about)
    return rows, Path(page)


def _trained_names(names: Sequence[str]) -> list[str]:
    return [TRAINED + name for name in names]


def _scenario(
    run: _Run, title: str, overrides: Mapping[str, Any], trained: Mapping[str, Policy]
) -> tuple[list[Row], Section]:
    """Tables and figures of one kind of channels."""
    plan, scene = run.plan, run.scene(overrides)
    channels = sample_channels(scene, plan.count, run.seed + 1)
    run.say(title)
    results = run.solve(scene, [*plan.methods, *trained], trained, channels, run.seed + 2)
    found = comparison_rows(scene, results)
    rows = [{"method": row["method"], "scenario": title, **row, **relative(plan, row, found)} for row in found]
    items: list[FigureItem] = []
    stem, order = _slug(title), run.order
    whole = comparison_figures(
        scene, results, run.directory, stem=f"{stem}_", order=order, only=("speed_quality", "time")
    )
    items += map_figure(scene, channels, results, run.directory, stem=f"{stem}_").values()
    items += whole.values()
    for number, (group, methods) in enumerate(plan.groups.items(), 1):
        found = comparison_figures(
            scene,
            results,
            run.directory,
            stem=f"{stem}_{number}_",
            methods=methods,
            order=order,
            only=("utility_cdf", "error_cdf", *([METRICS] if plan.metric_cdfs else [])),
        )
        items += [FigureItem(item.image, f"{group}. {item.caption}", item.alt) for item in found.values()]
    first = title == next(iter(plan.scenarios))
    text = [f"{plan.count} {title}.", *((RATIO_DEFINITION, *plan.notes) if first else ())]
    text += [_beside_paper(figure, rows) for figure in plan.paper] if first else []
    return rows, Section(title=title, text=text, rows=rows, figures=items, units=units_of(scene))


def relative(plan: Any, row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Row:
    """Columns that set a row beside other methods' and beside what the paper prints of it."""
    column, found = plan.reference_column, {}
    for name in plan.references:
        reference = next(other[column] for other in rows if other["method"] == name)
        found[f"over_{name}"] = row[column] / reference if reference else None
        printed = plan.printed.get(column, {})
        if name in printed:
            found[f"paper_over_{name}"] = printed[row["method"]] / printed[name] if row["method"] in printed else None
    return found | {f"paper_{name}": of.get(row["method"]) for name, of in plan.printed.items()}


def network_sizes(system: Any, networks: Mapping[str, float | None]) -> list[Row]:
    """How large the networks of some recipes are, beside the paper's numbers: ``parameters``, ``paper_parameters``."""
    drawn = make_problems(system, sample_channels(system, 1, seed=0))
    rows: list[Row] = []
    for name, printed in networks.items():
        spec = system.recipes[name].spec
        features = jax.vmap(spec.features)(drawn)
        first = jax.tree.map(lambda leaf: leaf[0], features)
        variables = jax.eval_shape(spec.network.init, jax.random.key(0), first)
        count = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
        rows.append({"method": name, "scenario": "Parameters", "parameters": count, "paper_parameters": printed})
    return rows


def _networks(run: _Run) -> tuple[list[Row], Section]:
    rows = network_sizes(run.system, run.plan.networks)
    return rows, Section(title="Parameters of the networks", rows=rows)


def _beside_paper(figure: Any, rows: Sequence[Mapping[str, Any]]) -> str:
    row = next(row for row in rows if row["method"] == figure.method)
    if figure.reference:
        reference = next(row for row in rows if row["method"] == figure.reference)
        ours = 100 * row["seconds_per_channel"] / reference["seconds_per_channel"]
    else:
        ours = row[figure.column]
    return f"{figure.quantity}: paper {figure.value:g} ({figure.source}), here {ours:.3g}."


def _curves(run: _Run, curves: Any) -> Section:
    """Learning curves of recipes that are trained for them."""
    history: dict[str, dict[str, list[tuple[float, float]]]] = {metric: {} for metric in curves.metrics}
    scene, epochs = run.scene(curves.overrides), True
    folder = run.directory / _slug(curves.title) if curves.overrides else run.directory
    for name in curves.recipes:
        run.train(scene, name, folder)
        recipe = scene.recipes[name]
        file = folder / "runs" / name / "metrics.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        epochs = recipe.labels is not None and recipe.batch_size is not None
        unit = recipe.batch_size / recipe.labels.count[run.plan.train_preset] if epochs else 1
        for metric in curves.metrics:
            history[metric][name] = [(line["step"] * unit, line[metric]) for line in lines if metric in line]
    items = []
    over = "Epoch" if epochs else "Step"
    for metric, of_recipe in history.items():
        label = metric.replace("_", " ").capitalize()
        figure = figures.learning_curves(of_recipe, label, over, yscale=curves.yscale)
        caption = f"{curves.title}: {label.lower()} over {over.lower()}s."
        items.append(figure_item(figure, caption, run.directory / f"curves_{_slug(curves.title)}_{metric}"))
    return Section(title=curves.title, figures=items)


def _sweep(run: _Run, sweep: Any) -> tuple[list[Row], Section]:
    """Rows of all values, and the section of one sweep."""
    rows: list[Row] = []
    seed, count = run.seed + 3, run.plan.sweep_count
    for line, overrides in sweep.lines.items():
        channels: Any = None
        for value in sweep.values:
            scene = run.scene({**sweep.overrides, **overrides, sweep.field: value})
            run.say(f"{sweep.title}: {line}{', ' if line else ''}{sweep.field} = {value:g}")
            if channels is None or sweep.resample:
                channels = sample_channels(scene, count, seed)
            folder = run.directory / f"{_slug(sweep.title)}-{_slug(line)}{value:g}"
            trained = {TRAINED + name: run.train(scene, name, folder) for name in sweep.train}
            results = run.solve(scene, [*sweep.methods, *trained], trained, channels, seed)
            rows += sweep_rows(scene, sweep.field, value, results, line=line)
    items = sweep_figures(
        run.system,
        sweep.field,
        rows,
        run.directory,
        unit=unit_of_field(run.system.config, sweep.field),
        stem=f"sweep_{_slug(sweep.title)}_",
        title=sweep.title,
    )
    text = [f"{count} channels a value."]
    section = Section(title=sweep.title, text=text, rows=rows, figures=list(items.values()), units=units_of(run.system))
    named = [{"method": row["method"], "scenario": f"{sweep.title}: {_place(sweep.field, row)}", **row} for row in rows]
    return named, section


def _study(run: _Run, study: Any) -> tuple[list[Row], Section]:
    """Rows of means and spreads over the seeds, and the section of one study."""
    scene, folder = run.scene(study.overrides), run.directory / _slug(study.title)
    run.say(study.title)
    channels = sample_channels(scene, run.plan.count, run.seed + 1)
    trained = {
        f"{name}{SEED_MARK}{seed}": run.train(scene, name, folder, seed)
        for name in study.recipes
        for seed in study.seeds
    }
    results = run.solve(scene, [*study.methods, *trained], trained, channels, run.seed + 2)
    single = comparison_rows(scene, results)
    rows, items = study_rows(single), []
    if study.axes:
        figure = study_figure(single, study.axes, run.order)
        caption = f"{study.title}: every point is one training, or a method that is not trained."
        items.append(figure_item(figure, caption, run.directory / f"study_{_slug(study.title)}"))
    shown = {name.split(SEED_MARK)[0]: result for name, result in results.items() if _is_first(name, study.seeds)}
    how = {"stem": f"study_{_slug(study.title)}_", "methods": list(shown), "order": run.order}
    found = comparison_figures(scene, shown, run.directory, **how, only=(METRICS,))
    items += [FigureItem(item.image, f"First seed. {item.caption}", item.alt) for item in found.values()]
    text = [f"{run.plan.count} test channels, {len(study.seeds)} seeds of training.", *study.notes]
    text += beside_paper(rows, study.paper)
    section = Section(title=study.title, text=text, rows=rows, figures=items, units=units_of(scene))
    return [{"method": row["method"], "scenario": study.title, **row} for row in rows], section


def _is_first(name: str, seeds: Sequence[int]) -> bool:
    """Whether a row is of the first seed of a recipe, or of a method that is not trained."""
    return SEED_MARK not in name or name.endswith(f"{SEED_MARK}{seeds[0]}")


def _place(field: str, row: Mapping[str, Any]) -> str:
    line = f"{row['line']}, " if row.get("line") else ""
    return f"{line}{field} = {row[field]:g}"


def _slug(title: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in title.lower()).strip("-")[:40]
