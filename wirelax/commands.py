"""What the commands of the command line do. Knows no system by name."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wirelax import systems
from wirelax.channels import check_flag, check_gain, read_arrays, write_arrays
from wirelax.console import Progress, say
from wirelax.policies import load_policy
from wirelax.systems.base import ArraySpec, System
from wirelax.systems.run import sample_channels, solve_batch
from wirelax.types import Method

__all__ = ["bench", "compare", "list_systems", "reproduce", "sample", "solve", "train"]

INFEASIBLE = 3


def _system(options: argparse.Namespace) -> System:
    overrides = {}
    for item in options.overrides:
        name, separator, value = item.partition("=")
        if not separator:
            raise ValueError(f"--set {item!r} has no '='; write --set field=value")
        overrides[name.strip()] = value.strip()
    return systems.get(options.system, **overrides)


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"--{name} is {value}; wanted a positive number")
    return value


def _new_file(path: str, overwrite: bool, suffixes: tuple[str, ...]) -> Path:
    """Fail before the work is done if its result could not be written."""
    file = Path(path)
    if file.suffix not in suffixes:
        raise ValueError(f"--out {path}: unknown suffix {file.suffix!r}; use one of {', '.join(suffixes)}")
    if file.exists() and not overwrite:
        raise ValueError(f"{path} exists; choose another --out or add --overwrite")
    if file.is_dir():
        raise ValueError(f"{path} is a directory; --out wants a file")
    _check_writable(file.absolute().parent)
    return file


def _check_writable(directory: Path) -> None:
    if not directory.is_dir():
        raise ValueError(f"directory {directory} does not exist; create it or choose another --out")
    if not os.access(directory, os.W_OK):
        raise ValueError(f"directory {directory} is not writable; choose another --out")


def _new_directory(path: str, overwrite: bool, marker: str) -> Path:
    directory = Path(path)
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"{path} is a file; --out wants a folder")
    if (directory / marker).exists() and not overwrite:
        raise ValueError(f"{directory / marker} exists; choose another --out or add --overwrite")
    existing = directory.absolute()
    while not existing.exists():
        existing = existing.parent
    _check_writable(existing)
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _channels(options: argparse.Namespace, system: System) -> tuple[System, dict[str, np.ndarray], str]:
    """The channels to work on, the system fitted to their sizes, and where they come from."""
    if (options.channels is None) == (options.count is None):
        raise ValueError("give either --channels FILE or --count N")
    if options.channels is None:
        count = _positive("count", options.count)
        return system, sample_channels(system, count, options.seed), f"{count} random, seed {options.seed}"
    required = [spec.name for spec in system.arrays if spec.required]
    optional = [spec.name for spec in system.arrays if not spec.required]
    arrays = read_arrays(options.channels, required, optional)
    specs = {spec.name: spec for spec in system.arrays}
    checked = {name: _checked(specs[name], array, options.channels) for name, array in arrays.items()}
    counts = {name: len(array) for name, array in checked.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"{options.channels}: the arrays have different numbers of instances: {counts}")
    try:
        return system.fit(checked), checked, str(Path(options.channels).name)
    except ValueError as error:
        raise ValueError(f"{options.channels}: {error}") from None


def _checked(spec: ArraySpec, array: np.ndarray, file: str) -> np.ndarray:
    if spec.kind == "flag":
        return check_flag(spec.name, array, spec.axes, file)
    return check_gain(spec.name, array, spec.axes, file, kind=spec.kind)


def _method(system: System, name: str) -> Method:
    if name.startswith("policy:"):
        run = Path(name.removeprefix("policy:"))
        policy = load_policy(run / "policy.msgpack")
        if policy.meta.get("system") != system.name or policy.name not in system.recipes:
            raise ValueError(f"{run} holds a policy of {policy.meta.get('system')!r}, not of {system.name!r}")
        return system.recipes[policy.name].method(policy)
    if name not in system.methods:
        raise ValueError(
            f"unknown method {name!r} for {system.name}; valid methods: {', '.join(system.methods)}, policy:RUN_DIR"
        )
    return system.methods[name]


def list_systems(options: argparse.Namespace) -> int:
    """List systems and methods."""
    found: list[Mapping[str, Any]] = []
    for name in systems.names():
        system = systems.get(name)
        methods = [{"name": method.name, "summary": method.summary} for method in system.methods.values()]
        policies = [{"name": recipe.name, "summary": recipe.summary} for recipe in system.recipes.values()]
        found.append({"name": name, "summary": system.summary, "methods": methods, "policies": policies})
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    for entry in found:
        print(f"{entry['name']}: {entry['summary']}")
        for kind, title in (("methods", "methods (solve, compare)"), ("policies", "policies (train)")):
            if entry[kind]:
                print(f"  {title}:")
            for item in entry[kind]:
                print(f"    {item['name']:22} {item['summary']}")
    return 0


def sample(options: argparse.Namespace) -> int:
    """Draw channels into a file."""
    system = _system(options)
    out = _new_file(options.out, options.overwrite, (".npz", ".h5", ".hdf5"))
    channels = sample_channels(system, _positive("count", options.count), options.seed)
    write_arrays(out, channels, overwrite=options.overwrite)
    say(f"{options.count} channels of {system.name} written to {out}")
    return 0


def solve(options: argparse.Namespace) -> int:
    """Solve channels with one method."""
    out = _new_file(options.out, options.overwrite, (".npz", ".h5", ".hdf5"))
    system, channels, source = _channels(options, _system(options))
    method = _method(system, options.method)
    with Progress(f"{system.name} {options.method}") as progress:
        result = solve_batch(
            system,
            method,
            channels,
            seed=options.seed,
            batch_size=options.batch_size,
            progress=progress.update,
        )
    write_arrays(out, result.arrays, overwrite=options.overwrite)
    mean = float(np.mean(result.utility))
    say(
        f"{len(result.utility)} channels ({source}) solved by {options.method}: mean {system.utility_name} "
        f"{mean:.6g} {system.utility_unit}, {1e6 * result.seconds / len(result.utility):.3g} us a channel; "
        f"written to {out}"
    )
    return _report_infeasible(result.feasible, f"{options.method}: ", str(out))


def _report_infeasible(feasible: np.ndarray, prefix: str, where: str) -> int:
    bad = np.flatnonzero(~feasible)
    if not len(bad):
        return 0
    print(
        f"wirelax: {prefix}{len(bad)} of {len(feasible)} instances have no feasible solution (first: index {bad[0]}); "
        f"'feasible' in {where} says which",
        file=sys.stderr,
    )
    return INFEASIBLE


def train(options: argparse.Namespace) -> int:
    """Train a policy."""
    from wirelax.training.run import train_policy

    system = _system(options)
    if options.policy not in system.recipes:
        raise ValueError(f"unknown policy {options.policy!r}; valid policies: {', '.join(system.recipes)}")
    _check_run_directory(options.out)
    with Progress(f"train {options.policy}") as progress:
        policy = train_policy(
            system,
            system.recipes[options.policy],
            directory=options.out,
            preset=options.preset,
            seed=options.seed,
            resume=options.resume,
            labels=options.labels,
            report=progress.training,
            say=say,
        )
    say(f"{policy.num_parameters:,} parameters written to {Path(options.out) / 'policy.msgpack'}")
    say(f"run it with: wirelax solve {system.name} --method policy:{options.out} --count 1000 --out result.npz")
    return 0


def _check_run_directory(path: str) -> None:
    existing = Path(path).absolute()
    while not existing.exists():
        existing = existing.parent
    _check_writable(existing)


def compare(options: argparse.Namespace) -> int:
    """Compare methods on the same channels."""
    from wirelax.report.compare import write_comparison

    names = list(dict.fromkeys(name.strip() for name in options.methods.split(",") if name.strip()))
    if not names:
        raise ValueError("--methods names no method; give names separated by commas")
    directory = _new_directory(options.out, options.overwrite, "table.json")
    system, channels, source = _channels(options, _system(options))
    methods = {name: _method(system, name) for name in names}
    results = {}
    for name, method in methods.items():
        with Progress(f"{system.name} {name}") as progress:
            results[name] = solve_batch(
                system,
                method,
                channels,
                seed=options.seed,
                batch_size=options.batch_size,
                progress=progress.update,
            )
    _, page = write_comparison(system, results, directory, source=source, seed=options.seed)
    print((directory / "table.md").read_text())
    say(f"report: {page}")
    feasible = np.any([result.feasible for result in results.values()], axis=0)
    return _report_infeasible(feasible, "", "the results of every method compared")


def reproduce(options: argparse.Namespace) -> int:
    """The paper's tables and figures."""
    from wirelax.report.reproduce import reproduce as run

    names = systems.names() if options.system == "all" else [options.system]
    for name in names:
        options.system = name
        system = _system(options)
        directory = Path(options.out) / name if len(names) > 1 else Path(options.out)
        _check_run_directory(str(directory))
        with Progress(f"reproduce {name}") as progress:
            _, page = run(
                system,
                directory,
                preset=options.preset,
                seed=options.seed,
                say=say,
                training_report=progress.training,
            )
        print((directory / "table.md").read_text())
        say(f"report: {page}")
    return 0


def bench(options: argparse.Namespace) -> int:
    """Measure speed on this machine."""
    from wirelax.bench import PARTS, run

    out = _new_file(options.out, options.overwrite, (".json",))
    only = options.only.split(",") if options.only else PARTS
    result = run(quick=options.quick, progress=say, only=only)
    temporary = out.with_name(out.name + ".tmp")
    temporary.write_text(json.dumps(result, indent=1) + "\n")
    os.replace(temporary, out)
    say(f"written to {out}")
    return 0
