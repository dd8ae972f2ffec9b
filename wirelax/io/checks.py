"""The checks that every array from outside passes before anything is computed from it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import DTypeLike

from wirelax.io.axes import place_axes
from wirelax.io.errors import ChannelFileError

__all__ = ["check_flag", "check_gain", "gain_of_level"]

Kind = Literal["gain", "weight"]
Sizes = Mapping[str, int | None]

_IF_COMPLEX = {"gain": "gains are powers, so store abs(h)**2", "weight": "weights are real numbers"}
_IF_NEGATIVE = {"gain": "gains are linear power ratios, not dB", "weight": "weights are at least 0"}
_IF_TINY = {"gain": "divide the gains by the noise power", "weight": "multiply the weights"}


def check_gain(
    name: str,
    gain: Any,
    axes: Sequence[str],
    file: str | os.PathLike[str] | None = None,
    *,
    sizes: Sizes | None = None,
    from_matlab: bool = False,
    dtype: DTypeLike = np.float32,
    kind: Kind = "gain",
) -> Float[np.ndarray, "batch ..."]:
    """Turn a real array of linear power gains, or of weights, into float32 with a leading batch axis, or say why not.

    Half precision is refused altogether: it turns gains below 6e-8 into zeros, which nobody can tell from
    zeros that are meant.

    Args:
        name: name of the array, for messages.
        gain: the array, of any integer or real floating type but float16, with or without the batch axis.
        axes: names of the axes of one instance, e.g. ``("subchannel", "user", "BS")``.
        file: where it came from, for messages.
        sizes: lengths known from elsewhere, by axis (see `place_axes`).
        from_matlab: whether MATLAB may have dropped trailing axes of length 1.
        dtype: floating type wanted.
        kind: what the values are, for messages.

    Returns:
        The values [batch, *axes] in `dtype`.

    Raises:
        ChannelFileError: complex, half-precision or non-numeric type, axes that do not fit (`place_axes`), a
            value that is NaN, infinite, negative, too large for `dtype`, or positive but below its smallest
            normal number. The message names file, array and the first offending index, in the array as it was
            given.
    """
    array = np.asarray(gain)
    subject = _subject(name, file)
    _check_type(subject, array, kind)
    shape = place_axes(array.shape, axes, sizes, from_matlab=from_matlab, subject=subject)
    _check_values(subject, array, np.dtype(dtype), kind)
    return np.ascontiguousarray(array, dtype=dtype).reshape(shape)


def gain_of_level(name: str, level_db: Any, file: str | os.PathLike[str] | None = None) -> Float[np.ndarray, "..."]:
    """Linear power gains of path gains in dB, -inf giving 0; check the result with `check_gain`.

    Args:
        name: name of the array, for messages.
        level_db: the array, of any integer or real floating type but float16.
        file: where it came from, for messages.

    Raises:
        ChannelFileError: complex, half-precision or non-numeric type, or a value that is NaN or +inf.
    """
    import jax

    from wirelax.units import db_to_linear

    array, subject = np.asarray(level_db), _subject(name, file)
    if array.dtype.kind == "c":
        raise ChannelFileError(f"{subject} is complex; levels in dB are real, 20 * log10(abs(h))")
    _check_type(subject, array, "gain")
    _raise_first(subject, array, np.isnan(array) | (array == np.inf), "is no level in dB; -inf means out of reach")
    with jax.enable_x64(True):
        return np.asarray(db_to_linear(array))


def check_flag(
    name: str,
    flag: Any,
    axes: Sequence[str],
    file: str | os.PathLike[str] | None = None,
    *,
    sizes: Sizes | None = None,
    from_matlab: bool = False,
) -> Bool[np.ndarray, "batch ..."]:
    """Turn an array of true and false (or of 0 and 1) into bool with a leading batch axis, or say why not.

    Args:
        name: name of the array, for messages.
        flag: the array, of any real type, with or without the batch axis.
        axes: names of the axes of one instance.
        file: where it came from, for messages.
        sizes: lengths known from elsewhere, by axis (see `place_axes`).
        from_matlab: whether MATLAB may have dropped trailing axes of length 1.

    Raises:
        ChannelFileError: complex or non-numeric type, axes that do not fit, or a value that is neither; the
            message names file, array and the first offending index.
    """
    array = np.asarray(flag)
    subject = _subject(name, file)
    if array.dtype.kind not in "biuf":
        raise ChannelFileError(f"{subject} has dtype {array.dtype}; wanted true and false, or 0 and 1")
    shape = place_axes(array.shape, axes, sizes, from_matlab=from_matlab, subject=subject)
    _raise_first(subject, array, ~np.isin(array, (0, 1)), "is neither 0 nor 1")
    return array.astype(bool).reshape(shape)


def _subject(name: str, file: str | os.PathLike[str] | None) -> str:
    return f"array {name!r}" if file is None else f"{os.fspath(file)}: array {name!r}"


def _check_type(subject: str, array: np.ndarray, kind: Kind) -> None:
    if array.dtype.kind == "c":
        raise ChannelFileError(f"{subject} is complex; {_IF_COMPLEX[kind]}")
    if array.dtype.names:
        fields = ", ".join(array.dtype.names)
        raise ChannelFileError(f"{subject} is a table with the fields {fields}; store the one meant as an array")
    if array.dtype.kind not in "iuf":
        raise ChannelFileError(f"{subject} has dtype {array.dtype}; {kind}s are real numbers")
    if array.dtype.kind == "f" and array.dtype.itemsize == 2:
        raise ChannelFileError(
            f"{subject} has dtype float16, in which values below 6e-8 become 0; store float32 or float64"
        )


def _check_values(subject: str, array: np.ndarray, dtype: np.dtype, kind: Kind) -> None:
    limits = np.finfo(dtype)
    largest, smallest = np.max(array), np.min(array)  # NaN wins both, so the common case takes no masks
    if not (smallest >= 0 and largest <= limits.max):
        _raise_first(subject, array, ~np.isfinite(array), "is not finite")
        _raise_first(subject, array, array < 0, f"is negative; {_IF_NEGATIVE[kind]}")
        _raise_first(subject, array, array > limits.max, f"does not fit into {dtype}; divide by a larger unit")
    if smallest < limits.smallest_normal:  # XLA takes subnormal numbers for 0
        tiny = (array > 0) & (array < limits.smallest_normal)
        count = f"{np.count_nonzero(tiny)} of {np.count_nonzero(array)} positive values"
        _raise_first(subject, array, tiny, f"is positive but vanishes in {dtype} ({count}); {_IF_TINY[kind]}")


def _raise_first(subject: str, array: np.ndarray, bad: Bool[np.ndarray, "..."], fault: str) -> None:
    """Raise for the first True of `bad`, if any."""
    if bad.any():
        index = np.unravel_index(int(np.argmax(bad)), array.shape)
        value = array[index]
        raise ChannelFileError(f"{subject} at index {[int(i) for i in index]} is {value}, which {fault}")
