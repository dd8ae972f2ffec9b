"""Timing of calls: warm-up, repeats in turns, compilation apart."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

from wirelax.batching import OverCores

__all__ = ["Row", "Timing", "compile_apart", "compile_over_cores", "measure", "row"]

Row = dict[str, Any]
"""One measured line of the result: plain Python values, ready for JSON."""


class Timing(NamedTuple):
    """Wall time of one call in s, and what the call returned."""

    median: float
    minimum: float
    repeats: int
    result: Any


def compile_apart(function: Callable[..., Any], *args: Any) -> tuple[Callable[[], Any], float]:
    """Compile a JAX function for `args` ahead of time.

    Returns:
        A call without arguments that runs the compiled function on `args`, and the seconds that compilation
        took (without tracing).
    """
    lowered = jax.jit(function).lower(*args)
    start = time.perf_counter()
    compiled = lowered.compile()
    seconds = time.perf_counter() - start
    return lambda: compiled(*args), seconds


def compile_over_cores(function: Callable[[Any], Any], batch: Any) -> tuple[Callable[[], Any], float]:
    """`compile_apart` of a function of a batch, whose parts then run on all cores (`wirelax.batching.OverCores`)."""
    compiled = OverCores.compile(function, batch)
    return lambda: compiled(batch), compiled.compile_seconds


def measure(calls: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, Timing]:
    """Time calls side by side: each warmed up once, then `repeats` rounds of one run of each.

    Results are waited for with `jax.block_until_ready`, which lets NumPy arrays through.
    """
    results = {name: jax.block_until_ready(call()) for name, call in calls.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            jax.block_until_ready(call())
            seconds[name].append(time.perf_counter() - start)
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
