"""``wirelax compare``, ``sweep`` and ``reproduce``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wirelax import systems
from wirelax.commands._options import (
    INFEASIBLE,
    channels_of,
    check_report_extra,
    command_line,
    counted,
    names_of,
    naming,
    report_result,
    results_folder,
    settings,
    size_fields,
    system_of,
    warn_of_levels,
)
from wirelax.console import Progress, say
from wirelax.errors import InputError
from wirelax.io import ARRAY_SUFFIXES, check_writable, write_arrays
from wirelax.systems.base import System
from wirelax.systems.config import unit_of_field
from wirelax.systems.run import BatchResult
from wirelax.types import Method

__all__ = ["compare", "reproduce", "sweep"]


def _solve_all(
    options: argparse.Namespace, system: System, methods: Mapping[str, Method], channels: Mapping[str, np.ndarray]
) -> dict[str, BatchResult]:
    results = {}
    for name, method in methods.items():
        with naming(name), Progress(f"{system.name} {name}") as progress:
            results[name] = systems.solve_batch(
                system,
                method,
                channels,
                seed=options.seed,
                batch_size=options.batch_size,
                progress=progress.update,
            )
    return results


def _methods(system: System, names: Sequence[str]) -> dict[str, Method]:
    """The methods by name; what is unknown, or does not fit, is said before anything is solved."""
    methods = {}
    for name in names:
        with naming(name):
            methods[name] = systems.method_of(system, name)
            methods[name].load()
    return methods


def _report_all(methods: Mapping[str, Method], results: Mapping[str, BatchResult]) -> int:
    """Say what did not end as it should, and how many channels no method solved; the exit status."""
    for name, result in results.items():
        report_result(name, result, exact=methods[name].exact)
    solved = np.any([result.feasible for result in results.values()], axis=0)
    if solved.all():
        return 0
    say(f"wirelax: {int((~solved).sum())} of {len(solved)} instances were solved feasibly by no method")
    return INFEASIBLE


def compare(options: argparse.Namespace) -> int:
    """Compare methods on the same channels."""
    from wirelax.report.compare import write_comparison

    names = names_of(options.methods)
    check_report_extra()
    with results_folder(options.out, options.overwrite) as directory:
        system, channels, source = channels_of(options, system_of(options))
        methods = _methods(system, names)
        results = _solve_all(options, system, methods, channels)
        how = {"source": source, "seed": options.seed, "command": command_line()}
        _, page = write_comparison(system, results, directory, channels=channels, **how)
    print((directory / "table.md").read_text())
    warn_of_levels(system, channels, next(iter(results.values())).median_snr_db)
    status = _report_all(methods, results)
    say(f"{counted(len(next(iter(results.values())).utility))} ({source}); report: {page}")
    return status


def _swept(overrides: Mapping[str, str]) -> tuple[str, list[str]]:
    """The field that has several values, and these."""
    swept = {name: value for name, value in overrides.items() if "," in value}
    if len(swept) != 1:
        raise InputError(
            f"sweep varies one field, {len(swept)} were given several values; write --set FIELD=a,b,c once, other "
            "fields with one value each"
        )
    (field, text), *_ = swept.items()
    return field, [value.strip() for value in text.split(",") if value.strip()]


@dataclass(frozen=True, kw_only=True)
class _Solved:
    """A sweep that was run: systems and results by value of the field, where the channels come from, exit status."""

    field: str
    scenes: Sequence[System]
    results: Sequence[Mapping[str, BatchResult]]
    source: str
    status: int

    @property
    def values(self) -> list[Any]:
        return [getattr(scene.config, self.field) for scene in self.scenes]


def sweep(options: argparse.Namespace) -> int:
    """Vary a field of the configuration."""
    fixed = settings(options.overrides)
    field, texts = _swept(fixed)
    names = names_of(options.methods)
    scenes = [systems.get(options.system, **{**fixed, field: text}) for text in texts]
    if len({getattr(scene.config, field) for scene in scenes}) < len(scenes):
        raise InputError(f"{field} is given the same value twice; give each once")
    if options.channels is not None and field in size_fields(scenes[0]):
        raise InputError(
            f"{field} is a size of the network, which the channels in {options.channels} have already; vary it with "
            "--count N in place of --channels"
        )
    as_file = Path(options.out).suffix.lower() in ARRAY_SUFFIXES
    if as_file:
        place: Any = nullcontext(check_writable(options.out, options.overwrite))
    else:
        check_report_extra()
        place = results_folder(options.out, options.overwrite)
    with place as out:
        solved = _solve_scenes(options, field, scenes, names, fixed)
        (_write_arrays if as_file else _write_pages)(options, solved, out)
    return solved.status


def _solve_scenes(
    options: argparse.Namespace, field: str, scenes: Sequence[System], names: Sequence[str], fixed: Mapping[str, str]
) -> _Solved:
    systems_found, found, source, status = [], [], "", 0
    for scene in scenes:
        value = getattr(scene.config, field)
        options.overrides = [f"{name}={setting}" for name, setting in {**fixed, field: value}.items()]
        fitted, channels, source = channels_of(options, scene)
        methods = _methods(fitted, names)
        say(f"{field} = {value}")
        results = _solve_all(options, fitted, methods, channels)
        warn_of_levels(fitted, channels, next(iter(results.values())).median_snr_db)
        status = max(status, _report_all(methods, results))
        systems_found.append(fitted)
        found.append(results)
    return _Solved(field=field, scenes=systems_found, results=found, source=source, status=status)


def _write_arrays(options: argparse.Namespace, solved: _Solved, out: Path) -> None:
    """The values, and of every method (in the order given) utility and feasibility [method, value, channel]."""
    values, names = solved.values, list(solved.results[0])
    named = isinstance(values[0], str)
    stacked = lambda get: np.stack([[get(results[name]) for results in solved.results] for name in names])  # noqa: E731
    arrays = {
        "value": np.arange(len(values)) if named else np.asarray(values),
        "utility": stacked(lambda result: result.utility),
        "feasible": stacked(lambda result: result.feasible),
        "seconds_per_channel": stacked(lambda result: result.seconds / len(result.utility)),
    }
    write_arrays(out, arrays, overwrite=options.overwrite)
    listed = ", ".join(map(str, values))
    say(
        f"{solved.source}; utility and feasible [method, value, channel] written to {out}; "
        f"methods: {', '.join(names)}; "
        + (f"value counts {solved.field} = {listed} from 0" if named else f"value holds {solved.field} = {listed}")
    )


def _write_pages(options: argparse.Namespace, solved: _Solved, out: Path) -> None:
    from wirelax.report.sweep import sweep_rows, write_sweep

    runs = zip(solved.scenes, solved.values, solved.results, strict=True)
    page = write_sweep(
        solved.scenes[0],
        solved.field,
        [row for scene, value, results in runs for row in sweep_rows(scene, solved.field, value, results)],
        out,
        unit=unit_of_field(solved.scenes[0].config, solved.field),
        command=command_line(),
        seed=options.seed,
        source=solved.source,
    )
    print((out / "table.md").read_text())
    say(f"{solved.source}; report: {page}")


def reproduce(options: argparse.Namespace) -> int:
    """The paper's tables and figures."""
    check_report_extra()
    chosen = systems.names() if options.system == "all" else [options.system]
    fields = settings(options.overrides)
    found = {name: systems.get(name, **fields) for name in chosen}
    if options.system == "all":
        found = {name: system for name, system in found.items() if _has_paper(system, options.preset)}
    for system in found.values():  # what has nothing to reproduce says so before a folder is made
        system.paper(options.preset)
    out = Path(options.out)
    places = {name: out / name if options.system == "all" else out for name in found}
    with ExitStack() as stack:  # all folders first: the second system's results must not be refused after hours
        for place in places.values():
            stack.enter_context(results_folder(place, options.overwrite))
        for name, system in found.items():
            _reproduce_one(options, system, places[name])
    return 0


def _has_paper(system: System, preset: str) -> bool:
    try:
        system.paper(preset)
    except InputError:
        return False
    return True


def _reproduce_one(options: argparse.Namespace, system: System, directory: Path) -> None:
    from wirelax.report.reproduce import reproduce as run

    with Progress(f"reproduce {system.name}") as progress:
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
