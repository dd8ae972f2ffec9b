"""The one-liners of Python users: ``wirelax.sample``, ``wirelax.solve``, ``wirelax.compare``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from wirelax import systems
from wirelax.errors import InputError
from wirelax.report.rows import comparison_rows
from wirelax.systems.base import System
from wirelax.systems.run import BatchResult

__all__ = ["Comparison", "compare", "sample", "solve"]


class Comparison(NamedTuple):
    """What `compare` returns.

    Attributes:
        rows: the table, a dict per method, as in ``table.json``.
        results: what every method found.
        page: the report, where a folder was given for it.
    """

    rows: list[dict[str, Any]]
    results: dict[str, BatchResult]
    page: Path | None = None


def _system(system: System | str) -> System:
    return systems.get(system) if isinstance(system, str) else system


def sample(system: System | str, count: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """`count` random channels of a system (or of the one of that name), arrays with a leading batch axis.

    Raises:
        InputError: an unknown system, or a count that is not positive.
    """
    return systems.sample_channels(_system(system), count, seed)


def solve(
    system: System | str,
    method: Any,
    channels: Mapping[str, Any],
    *,
    seed: int = 0,
    batch_size: int | None = None,
) -> BatchResult:
    """Run one method on channels, checked as those of a file are.

    Args:
        system: a system or its name; sizes follow the channels.
        method: a name, ``policy:RUN_DIR``, a `Method`, a trained `Policy`, or a function of a problem (and a key)
            that returns an allocation.
        channels: arrays by name, as `sample` returns them; the batch axis may be missing for one instance.
        seed: of the method's randomness.
        batch_size: channels at once; bounds memory.

    Returns:
        What it found: ``arrays`` as in result files, ``utility``, ``feasible``, ``violations``, ``status``.

    Raises:
        InputError: whatever does not fit; the message says what to do.
    """
    fitted, checked = systems.check_channels(_system(system), channels)
    return systems.solve_batch(fitted, method, checked, seed=seed, batch_size=batch_size)


def compare(
    system: System | str,
    methods: Mapping[str, Any] | Sequence[str],
    channels: Mapping[str, Any],
    *,
    seed: int = 0,
    batch_size: int | None = None,
    out: str | Path | None = None,
) -> Comparison:
    """Run several methods on the same channels.

    Args:
        system: a system or its name; sizes follow the channels.
        methods: what to call each in tables -> the method, as for `solve`; or names of methods.
        channels: as for `solve`.
        seed: of the methods' randomness.
        batch_size: channels at once.
        out: a folder for table, figures and report; nothing is written without it.

    Raises:
        InputError: whatever does not fit, or the folder holds a table already.
    """
    named = methods if isinstance(methods, Mapping) else {name: name for name in methods}
    if not named:
        raise InputError("there is no method to compare; give at least one")
    fitted, checked = systems.check_channels(_system(system), channels)
    directory = None
    if out is not None:  # before anything is solved
        from wirelax.io import check_new_folder

        directory = check_new_folder(out, False, "table.json")
    results = {
        name: systems.solve_batch(fitted, method, checked, seed=seed, batch_size=batch_size)
        for name, method in named.items()
    }
    if directory is None:
        return Comparison(comparison_rows(fitted, results), results)
    from wirelax.report.compare import write_comparison

    source = f"{len(next(iter(checked.values())))} given in Python"
    rows, page = write_comparison(fitted, results, directory, source=source, seed=seed)
    return Comparison(rows, results, page)
