"""``wirelax compare``, ``sweep`` and ``reproduce``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wirelax import systems
from wirelax.commands._options import (
    INFEASIBLE,
    channels_of,
    check_report_extra,
    command_line,
    names_of,
    report_result,
    settings,
    system_of,
    warn_of_levels,
)
from wirelax.console import Progress, say
from wirelax.errors import InputError
from wirelax.io import ARRAY_SUFFIXES, check_new_folder, check_writable, write_arrays
from wirelax.systems.base import System
from wirelax.systems.config import unit_of_field
from wirelax.systems.run import BatchResult

__all__ = ["compare", "reproduce", "sweep"]


def _solve_all(
    options: argparse.Namespace, system: System, names: Sequence[str], channels: Mapping[str, np.ndarray]
) -> dict[str, BatchResult]:
    methods = {name: systems.method_of(system, name) for name in names}
    results = {}
    for name, method in methods.items():
        with Progress(f"{system.name} {name}") as progress:
            results[name] = systems.solve_batch(
                system,
                method,
                channels,
                seed=options.seed,
                batch_size=options.batch_size,
                progress=progress.update,
            )
    return results


def compare(options: argparse.Namespace) -> int:
    """Compare methods on the same channels."""
    from wirelax.report.compare import write_comparison

    names = names_of(options.methods)
    check_report_extra()
    directory = check_new_folder(options.out, options.overwrite, "table.json")
    system, channels, source = channels_of(options, system_of(options))
    results = _solve_all(options, system, names, channels)
    _, page = write_comparison(system, results, directory, source=source, seed=options.seed, command=command_line())
    print((directory / "table.md").read_text())
    warn_of_levels(system, channels, next(iter(results.values())).median_snr_db)
    where = "the results of every method"
    for name, result in results.items():
        report_result(name, result, where)
    say(f"channels: {source}; report: {page}")
    solved = np.any([result.feasible for result in results.values()], axis=0)
    if solved.all():
        return 0
    say(f"wirelax: {int((~solved).sum())} of {len(solved)} instances were solved feasibly by no method")
    return INFEASIBLE


def sweep(options: argparse.Namespace) -> int:
    """Vary a field of the configuration."""
    from wirelax.report.sweep import sweep_rows, write_sweep

    fixed = settings(options.overrides)
    swept = {name: value for name, value in fixed.items() if "," in value}
    if len(swept) != 1:
        raise InputError(
            f"sweep varies one field, {len(swept)} were given several values; write --set FIELD=a,b,c once, other "
            "fields with one value each"
        )
    (field, text), *_ = swept.items()
    values = [value.strip() for value in text.split(",") if value.strip()]
    names, as_file = names_of(options.methods), Path(options.out).suffix.lower() in ARRAY_SUFFIXES
    check_report_extra()
    out = (
        check_writable(options.out, options.overwrite)
        if as_file
        else check_new_folder(options.out, options.overwrite, "table.json")
    )
    scenes = [systems.get(options.system, **{**fixed, field: value}) for value in values]
    rows, found, source = [], [], ""
    for scene in scenes:
        value = getattr(scene.config, field)
        options.overrides = [f"{name}={setting}" for name, setting in {**fixed, field: value}.items()]
        fitted, channels, source = channels_of(options, scene)
        say(f"{field} = {value}")
        results = _solve_all(options, fitted, names, channels)
        found.append(results)
        rows += sweep_rows(fitted, field, value, results)
    if as_file:
        write_arrays(out, _sweep_arrays(field, scenes, found), overwrite=options.overwrite)
        say(f"written to {out}")
        return 0
    page = write_sweep(
        scenes[0],
        field,
        rows,
        out,
        unit=unit_of_field(scenes[0].config, field),
        command=command_line(),
        seed=options.seed,
        source=source,
    )
    print((out / "table.md").read_text())
    say(f"report: {page}")
    return 0


def _sweep_arrays(field: str, scenes: Sequence[System], found: Sequence[Mapping[str, BatchResult]]) -> dict[str, Any]:
    """The values, and of every method (in the order given) utility and feasibility [method, value, channel]."""
    values = [getattr(scene.config, field) for scene in scenes]
    numbers = list(range(len(values))) if isinstance(values[0], str) else values
    stacked = lambda get: np.stack([[get(results[name]) for results in found] for name in found[0]])  # noqa: E731
    return {
        field: np.asarray(numbers),
        "utility": stacked(lambda result: result.utility),
        "feasible": stacked(lambda result: result.feasible),
        "seconds_per_channel": stacked(lambda result: result.seconds / len(result.utility)),
    }


def reproduce(options: argparse.Namespace) -> int:
    """The paper's tables and figures."""
    from wirelax.report.reproduce import reproduce as run

    names = systems.names() if options.system == "all" else [options.system]
    check_report_extra()
    for name in names:
        options.system = name
        system = system_of(options)
        system.paper(options.preset)  # what has nothing to reproduce says so before a folder is made
        directory = Path(options.out) / name if len(names) > 1 else Path(options.out)
        check_new_folder(directory, options.overwrite, "table.json")
        with Progress(f"reproduce {name}") as progress:
            _, page = run(
                system,
                directory,
                preset=options.preset,
                seed=options.seed,
                say=say,
                training_report=progress.training,
                command=command_line(),
            )
        print((directory / "table.md").read_text())
        say(f"report: {page}")
    return 0
