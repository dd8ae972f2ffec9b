"""Timing of calls side by side, and the rows that they become."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from wirelax.execution import compiled, timed

__all__ = ["Row", "Timing", "add_ratios", "best_seconds", "compile_call", "measure", "row"]

Row = dict[str, Any]
"""One measured line of the result: plain Python values, ready for JSON."""


class Timing(NamedTuple):
    """Wall time of one call in s, and what the call returned."""

    median: float
    minimum: float
    repeats: int
    result: Any


def compile_call(
    function: Callable[..., Any], batch: Any, *shared: Any, parts: int | None = None
) -> tuple[Callable[[], Any], float]:
    """``function(batch, *shared)`` compiled ahead of time, see `wirelax.execution.compiled`.

    Args:
        function: pure and hashable by value.
        batch: arrays with a leading axis that may be cut into parts.
        shared: what every part needs whole.
        parts: one a core by default; 1 where XLA itself uses all cores.

    Returns:
        A call without arguments, and the seconds that tracing and compiling took, also where that was long ago.
    """
    program, _ = compiled(function, batch, *shared, parts=parts)
    return lambda: program(batch, *shared), program.compile_seconds


def measure(calls: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, Timing]:
    """Time calls side by side: each warmed up once, then `repeats` rounds of one run of each.

    Results are waited for with `jax.block_until_ready`, which lets NumPy arrays through.
    """
    results = {name: jax.block_until_ready(call()) for name, call in calls.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            seconds[name].append(timed(call)[1])
    return {
        name: Timing(statistics.median(taken), min(taken), repeats, results[name]) for name, taken in seconds.items()
    }


def row(
    name: str,
    timing: Timing,
    count: int,
    *,
    unit: str = "channel",
    scale: float = 1.0,
    compile_seconds: float | None = None,
    **more: Any,
) -> Row:
    """A result row of a call that handled `count` units.

    Args:
        name: what was timed.
        timing: of one call.
        count: units (channels, networks) that `seconds` stand for.
        unit: what is counted.
        scale: factor from the part that was timed to the `count` units; if not 1, say in `more` what the
            times are extrapolated from.
        compile_seconds: compilation, None where nothing is compiled.
        more: further fields.
    """
    each = timing.median * scale / count
    return {
        "name": name,
        "unit": unit,
        "count": count,
        "seconds": timing.median * scale,
        "seconds_min": timing.minimum * scale,
        "repeats": timing.repeats,
        f"seconds_per_{unit}": each,
        f"{unit}s_per_second": 1 / each,
        "compile_seconds": compile_seconds,
        **more,
    }


def best_seconds(measured: Row) -> float:
    """Seconds that one unit took in the run that the machine disturbed least."""
    return measured["seconds_min"] / measured["count"]


def add_ratios(own: Row, others: Sequence[tuple[str, Row]]) -> None:
    """How many times as long as `own` the others take for one unit, best run against best run.

    Args:
        own: gets ``ratio_to_LABEL``, and ``median_ratio_to_LABEL`` of the median runs.
        others: label and row; the row gets ``times_as_long``.
    """
    own["times_as_long"] = 1.0
    per_unit = f"seconds_per_{own['unit']}"
    for label, other in others:
        other["times_as_long"] = own[f"ratio_to_{label}"] = best_seconds(other) / best_seconds(own)
        own[f"median_ratio_to_{label}"] = other[per_unit] / own[per_unit]
