"""The channels that a method is run on: from a file, from arrays, or drawn at random; always checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from wirelax.errors import InputError, unknown_name
from wirelax.io import check_counts, check_flag, check_gain, gain_of_level, read_channels
from wirelax.systems.base import System

__all__ = ["check_channels", "load_channels"]


def load_channels(
    system: System, path: str | Path, given: Collection[str] = ()
) -> tuple[System, dict[str, np.ndarray], str]:
    """Channels from a file.

    Args:
        system: whose they are.
        path: ``.npz``, ``.h5`` or ``.mat``.
        given: configuration fields that the user has set: sizes among them settle what the axes are.

    Returns:
        The system fitted to their sizes, the arrays with a leading batch axis, and how their axes were read.

    Raises:
        InputError: whatever is wrong with the file; the message names file, array, index and remedy.
    """
    read = read_channels(path, system.arrays, system.axis_lengths(given))
    try:
        return system.fit(read.arrays), dict(read.arrays), read.reading
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def check_channels(system: System, channels: Mapping[str, Any]) -> tuple[System, dict[str, np.ndarray]]:
    """Channels from arrays in memory, with or without a batch axis: checked as those of a file are.

    Returns:
        The system fitted to their sizes, and the arrays with a leading batch axis.

    Raises:
        InputError: an array is missing or wrong; the message names it, the index and the remedy.
    """
    specs = {spec.name: spec for spec in system.arrays}
    known = [*specs, *(spec.in_db for spec in system.arrays if spec.in_db)]
    for name in channels:  # others than the system's are ignored, but a slip of the pen is not
        if name not in known and get_close_matches(name, known, 1):
            raise unknown_name("array", name, known, " in the channels")
    for spec in system.arrays:
        if spec.in_db in channels and spec.name in channels:
            raise InputError(f"the channels hold both {spec.name!r} and {spec.in_db!r}; keep one of them")
        if spec.in_db in channels:
            channels = {**channels, spec.name: gain_of_level(spec.in_db, channels[spec.in_db])}
    missing = [spec.name for spec in system.arrays if spec.required and spec.name not in channels]
    if missing:
        held = ", ".join(map(repr, channels)) or "nothing"
        raise InputError(f"the channels have no array {missing[0]!r}, they hold {held}; add it")
    checked = {}
    for name, spec in specs.items():
        if name in channels:
            array = np.asarray(channels[name])
            if spec.kind == "flag":
                checked[name] = check_flag(name, array, spec.axes)
            else:
                dtype = np.float64 if array.dtype == np.float64 and _double() else np.float32
                checked[name] = check_gain(name, array, spec.axes, kind=spec.kind, dtype=dtype)
    check_counts(checked)
    return system.fit(checked), checked


def _double() -> bool:
    import jax

    return jax.numpy.result_type(float) == np.float64
