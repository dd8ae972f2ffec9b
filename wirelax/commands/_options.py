"""From options of the command line to systems, channels, methods and places for results."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import jax
import numpy as np

from wirelax import systems
from wirelax.console import say
from wirelax.errors import InputError
from wirelax.io import check_new_folder
from wirelax.io.errors import import_extra
from wirelax.systems.base import ArraySpec, System
from wirelax.systems.run import BatchResult
from wirelax.types import FEASIBILITY_TOLERANCE, Status
from wirelax.units import linear_to_db

__all__ = [
    "INFEASIBLE",
    "channels_of",
    "check_report_extra",
    "command_line",
    "counted",
    "names_of",
    "naming",
    "report_result",
    "results_folder",
    "settings",
    "size_fields",
    "system_of",
    "warn_of_levels",
]

INFEASIBLE = 3
PLAUSIBLE_SNR_DB = (-20.0, 150.0)
"""A median SNR at full power outside of this speaks for a wrong unit."""


def counted(number: int, what: str = "channel") -> str:
    """``1 channel``, ``20 channels``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def settings(items: Sequence[str]) -> dict[str, str]:
    """``--set field=value`` options by field."""
    found = {}
    for item in items:
        name, separator, value = item.partition("=")
        if not separator:
            raise InputError(f"--set {item!r} has no '='; write --set field=value")
        found[name.strip()] = value.strip()
    return found


@contextmanager
def naming(method: str) -> Generator[None]:
    """Errors of input in the block name the method that was asked for."""
    try:
        yield
    except InputError as error:
        if repr(method) in str(error):
            raise
        raise InputError(f"method {method!r}: {error}") from error


def system_of(options: argparse.Namespace) -> System:
    """The system with its overridden fields."""
    return systems.get(options.system, **settings(options.overrides))


def size_fields(system: System) -> set[str]:
    """Configuration fields that the shapes of channels set."""
    drawn = jax.eval_shape(system.sample, jax.random.key(0))
    return set(system.sizes_of({name: np.empty((1, *leaf.shape)) for name, leaf in drawn.items()}))


def names_of(option: str) -> list[str]:
    """Names separated by commas, each once."""
    names = list(dict.fromkeys(name.strip() for name in option.split(",") if name.strip()))
    if not names:
        raise InputError("--methods names no method; give names separated by commas")
    return names


def channels_of(options: argparse.Namespace, system: System) -> tuple[System, dict[str, np.ndarray], str]:
    """The channels to work on, the system fitted to their sizes, and where they come from with the axes read."""
    if (options.channels is None) == (options.count is None):
        raise InputError("give either --channels FILE or --count N")
    if options.channels is None:
        drawn = systems.sample_channels(system, options.count, options.seed)
        return system, drawn, f"random, seed {options.seed}"
    fitted, arrays, reading = systems.load_channels(system, options.channels, settings(options.overrides))
    return fitted, arrays, f"{options.channels}: {reading}"


def check_report_extra() -> None:
    """Find out before the work is done that figures and pages cannot be made."""
    for module in ("matplotlib", "jinja2"):
        import_extra(module, "a report", "report")


@contextmanager
def results_folder(path: str | Path, overwrite: bool) -> Generator[Path]:
    """A folder for tables and figures, made before the work is done; a failure leaves no empty one behind."""
    there = Path(path).exists()
    folder = check_new_folder(path, overwrite, "table.json")
    try:
        yield folder
    except BaseException:
        if not there:
            with suppress(OSError):  # what was written so far stays
                folder.rmdir()
        raise


def command_line() -> str:
    """The command as it was typed."""
    return shlex.join(["wirelax", *sys.argv[1:]])


def warn_of_levels(system: System, channels: Mapping[str, np.ndarray], median_snr_db: float | None) -> None:
    """Say so where gains or the median SNR at full power are far from anything physical."""
    positive = {spec.name: _positive(channels[spec.name]) for spec in _gains(system, channels)}
    for spec in _gains(system, channels):
        above = int((positive[spec.name] > spec.at_most).sum())
        if above:
            say(
                f"wirelax: warning: {above:,} of {positive[spec.name].size:,} positive power gains in {spec.name!r} "
                f"are above {spec.at_most:g}: more would arrive than was sent; store linear power gains, 10 ** "
                "(-loss_db / 10), not dB"
            )
    for remark in system.remarks(channels):
        say(f"wirelax: {remark}")
    low, high = PLAUSIBLE_SNR_DB
    if median_snr_db is None or low <= median_snr_db <= high:
        return
    levels = [f"{name}={getattr(system.config, name):g}" for name in system.level_fields]
    levels += [f"median {name} {float(linear_to_db(np.median(gain))):.0f} dB" for name, gain in positive.items()]
    say(
        f"wirelax: warning: the median SNR at full power is {median_snr_db:.0f} dB, far from anything physical "
        f"({', '.join(levels)}): check that gains are linear power gains and that noise and budgets are in the units "
        f"that belong to them (--set, see `wirelax describe {system.name}`)"
    )


def _gains(system: System, channels: Mapping[str, np.ndarray]) -> list[ArraySpec]:
    """The arrays of gains that there are, with something in them."""
    return [s for s in system.arrays if s.kind == "gain" and s.name in channels and _positive(channels[s.name]).size]


def _positive(gain: np.ndarray) -> np.ndarray:
    return gain[gain > 0]


def report_result(name: str, result: BatchResult, where: str = "", *, exact: bool = False) -> int:
    """Say what did not end as it should; the exit status.

    Args:
        name: of the method.
        result: what it found.
        where: the file with the results, if there is one.
        exact: whether the method claims the optimum, so that results it cannot prove are counted.
    """
    count, status = len(result.utility), result.status
    for other in (Status.ITERATION_LIMIT, Status.STALLED, Status.NOT_FINITE):
        if ended := int((status == other).sum()):
            say(f"wirelax: warning: {name}: {ended} of {count} results ended with status {other.name}")
    if exact and not result.proven.all():
        unproven = int((~result.proven).sum())
        say(f"wirelax: warning: {name}: {unproven} of {count} results are not proven to be optimal on its grid")
    bad = ~result.feasible
    if not bad.any():
        return 0
    which = f"; 'feasible' in {where} says which" if where else ""
    hopeless = bad & (status == Status.INFEASIBLE)
    if hopeless.any():
        say(
            f"wirelax: {name}: {int(hopeless.sum())} of {count} instances have no feasible solution that it could find "
            f"(first: index {int(np.argmax(hopeless))}){which}"
        )
    broken = bad & ~hopeless
    if broken.any():
        say(
            f"wirelax: {name}: {int(broken.sum())} of {count} results break a constraint, {_broken(result, broken)} "
            f"(first: index {int(np.argmax(broken))}){which}"
        )
    return INFEASIBLE


def _broken(result: BatchResult, rows: np.ndarray) -> str:
    """How many of these results break each constraint: ``min_rate 3, total_power 1``."""
    counts = {
        name: int((rows & ~(np.asarray(value) <= FEASIBILITY_TOLERANCE)).sum())
        for name, value in result.violations.items()
    }
    return ", ".join(f"{name} {number}" for name, number in counts.items() if number) or "utility"
