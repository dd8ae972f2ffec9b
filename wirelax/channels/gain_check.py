"""The check that every gain from outside passes before anything is computed from it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import DTypeLike

from wirelax.channels.readers import ChannelFileError

__all__ = ["check_flag", "check_gain"]


def check_gain(
    name: str,
    gain: Any,
    axes: Sequence[str],
    file: str | os.PathLike[str] | None = None,
    *,
    dtype: DTypeLike = np.float32,
    kind: Literal["gain", "weight"] = "gain",
) -> Float[np.ndarray, "batch ..."]:
    """Turn a real array of linear power gains, or of weights, into float32 with a leading batch axis, or say why not.

    Args:
        name: name of the array, for messages.
        gain: the array, of any integer or real floating type, with or without the batch axis.
        axes: names of the axes of one instance, e.g. ``("subchannel", "user", "BS")``.
        file: where it came from, for messages.
        dtype: floating type wanted.
        kind: what the values are, for messages.

    Returns:
        The values [batch, *axes] in `dtype`; values below its smallest normal number may become zero.

    Raises:
        ChannelFileError: complex or non-numeric type, wrong rank, an axis of length zero, a value that is
            NaN, infinite, negative or too large for `dtype`, or positive values that are all too small for
            it. The message names file, array and the first offending index, in the array as it was given.
    """
    array = np.asarray(gain)
    subject = f"array {name!r}" if file is None else f"{os.fspath(file)}: array {name!r}"
    _check_type(subject, array, kind)
    _check_shape(subject, array, axes)
    _check_values(subject, array, np.dtype(dtype), kind)
    converted = np.ascontiguousarray(array, dtype=dtype)
    return converted[None] if array.ndim == len(axes) else converted


def check_flag(
    name: str, flag: Any, axes: Sequence[str], file: str | os.PathLike[str] | None = None
) -> Bool[np.ndarray, "batch ..."]:
    """Turn an array of true and false (or of 0 and 1) into bool with a leading batch axis, or say why not.

    Args:
        name: name of the array, for messages.
        flag: the array, of any real type, with or without the batch axis.
        axes: names of the axes of one instance.
        file: where it came from, for messages.

    Raises:
        ChannelFileError: wrong rank, an empty axis, or a value that is neither; the message names file, array
            and the first offending index.
    """
    array = np.asarray(flag)
    subject = f"array {name!r}" if file is None else f"{os.fspath(file)}: array {name!r}"
    if array.dtype.kind not in "biuf":
        raise ChannelFileError(f"{subject} has dtype {array.dtype}; wanted true and false, or 0 and 1")
    _check_shape(subject, array, axes)
    _raise_first(subject, array, ~np.isin(array, (0, 1)), "is neither 0 nor 1")
    return array.astype(bool)[None] if array.ndim == len(axes) else array.astype(bool)


_IF_COMPLEX = {"gain": "gains are powers, so store abs(h)**2", "weight": "weights are real numbers"}
_IF_NEGATIVE = {"gain": "gains are linear power ratios, not dB", "weight": "weights are at least 0"}
_IF_TINY = {"gain": "divide the gains by the noise power", "weight": "multiply the weights"}


def _check_type(subject: str, array: np.ndarray, kind: str) -> None:
    if array.dtype.kind == "c":
        raise ChannelFileError(f"{subject} is complex; {_IF_COMPLEX[kind]}")
    if array.dtype.kind not in "iuf":
        raise ChannelFileError(f"{subject} has dtype {array.dtype}; {kind}s are real numbers")


def _check_shape(subject: str, array: np.ndarray, axes: Sequence[str]) -> None:
    shape = f"{subject} has shape {list(array.shape)}"
    if array.ndim not in (len(axes), len(axes) + 1):
        one = ", ".join(axes)
        raise ChannelFileError(f"{shape}; wanted are the axes [batch, {one}], or [{one}] for one instance")
    if 0 in array.shape:
        named = ["batch", *axes][-array.ndim :]
        raise ChannelFileError(f"{shape}: the axis {named[array.shape.index(0)]!r} is empty")


def _check_values(subject: str, array: np.ndarray, dtype: np.dtype, kind: str) -> None:
    limits = np.finfo(dtype)
    largest, smallest = np.max(array), np.min(array)  # NaN wins both, so the common case takes no masks
    if not (smallest >= 0 and largest <= limits.max):
        _raise_first(subject, array, ~np.isfinite(array), "is not finite")
        _raise_first(subject, array, array < 0, f"is negative; {_IF_NEGATIVE[kind]}")
        _raise_first(subject, array, array > limits.max, f"does not fit into {dtype}; divide by a larger unit")
    if 0 < largest < limits.smallest_normal:
        tiny = f"is positive but, like all others, vanishes in {dtype}; {_IF_TINY[kind]}"
        _raise_first(subject, array, array > 0, tiny)


def _raise_first(subject: str, array: np.ndarray, bad: Bool[np.ndarray, "..."], fault: str) -> None:
    """Raise for the first True of `bad`, if any."""
    if bad.any():
        index = np.unravel_index(int(np.argmax(bad)), array.shape)
        value = array[index]
        raise ChannelFileError(f"{subject} at index {[int(i) for i in index]} is {value}, which {fault}")
