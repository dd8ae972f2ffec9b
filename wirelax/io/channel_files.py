"""Files of channels: the arrays that a system declares, checked, with a common number of instances."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import DTypeLike

from wirelax.io.arrays import read_stored
from wirelax.io.axes import readings
from wirelax.io.checks import check_flag, check_gain, gain_of_level
from wirelax.io.errors import ChannelFileError
from wirelax.io.stored import StoredArray

__all__ = ["ArrayDeclaration", "ChannelFile", "check_counts", "read_channels"]


@runtime_checkable
class ArrayDeclaration(Protocol):
    """What a system says of one of its arrays."""

    @property
    def name(self) -> str:
        """Of the array in files."""
        ...

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes of one instance."""
        ...

    @property
    def required(self) -> bool:
        """Whether every file must hold it."""
        ...

    @property
    def kind(self) -> Literal["gain", "weight", "flag"]:
        """Linear power gains, other numbers of at least 0, or true and false."""
        ...

    @property
    def in_db(self) -> str:
        """The name under which a file may hold the same gains in dB instead; empty for none."""
        ...


@dataclass(frozen=True, kw_only=True)
class ChannelFile:
    """What was read from a file of channels.

    Attributes:
        arrays: [batch, *axes] by name, checked.
        reading: the axes that were read, for the user to look at: "gain [batch=20, user=6] (axes as stored)".
    """

    arrays: Mapping[str, np.ndarray]
    reading: str


def read_channels(
    path: str | os.PathLike[str],
    declarations: Sequence[ArrayDeclaration],
    sizes: Mapping[str, int | None] | None = None,
    *,
    dtype: DTypeLike = np.float32,
) -> ChannelFile:
    """Read and check the arrays that a system declares.

    Axes of the same name have the same length in all arrays: one that has been read settles what another is,
    where MATLAB left out trailing axes of length 1.

    Args:
        path: the file, see `read_stored`.
        declarations: of the system's arrays, the ones that settle the sizes first.
        sizes: lengths that are known by axis, those that the user has set.
        dtype: floating type wanted of gains and weights.

    Raises:
        ChannelFileError: as `read_stored`, `check_gain` and `check_flag`, or numbers of instances that differ.
    """
    stored = _stored(path, declarations)
    known = dict(sizes or {})
    checked: dict[str, np.ndarray] = {}
    there = [item for item in declarations if item.name in stored]
    # Those with one reading first; the sort is stable, so that otherwise the order declared holds.
    for item in sorted(there, key=lambda item: _open_question(item, stored[item.name])):
        if _open_question(item, stored[item.name]) and checked:
            known = {"batch": len(next(iter(checked.values()))), **known}
        checked[item.name] = _checked(item, stored[item.name], path, known, dtype)
        for axis, length in zip(item.axes, checked[item.name].shape[1:]):
            if known.get(axis) is None:
                known[axis] = length
    arrays = {item.name: checked[item.name] for item in there}
    check_counts(arrays, path)
    return ChannelFile(arrays=arrays, reading="; ".join(_reading(item, arrays, stored) for item in there))


def _stored(path: str | os.PathLike[str], declarations: Sequence[ArrayDeclaration]) -> dict[str, StoredArray]:
    """The arrays that there are by the names declared; those in dB made linear."""
    either = [item for item in declarations if item.in_db]
    required = [item.name for item in declarations if item.required and not item.in_db]
    optional = [item.name for item in declarations if not item.required and not item.in_db]
    found = read_stored(path, required, [*optional, *(name for item in either for name in (item.name, item.in_db))])
    for item in either:
        level = found.pop(item.in_db, None)
        if level is not None and item.name in found:
            raise ChannelFileError(f"{path} holds both {item.name!r} and {item.in_db!r}; keep one of them")
        if level is not None:
            found[item.name] = StoredArray(gain_of_level(item.in_db, level.values, path), level.axes)
        elif item.required and item.name not in found:
            try:
                read_stored(path, [item.name])
            except ChannelFileError as error:
                raise ChannelFileError(f"{error} (or {item.in_db!r}, in dB)") from None
    return found


def check_counts(arrays: Mapping[str, np.ndarray], file: str | os.PathLike[str] | None = None) -> int:
    """The number of instances, the leading axis that all arrays share.

    Raises:
        ChannelFileError: it differs between arrays.
    """
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) != 1:
        subject = "" if file is None else f"{os.fspath(file)}: "
        listed = ", ".join(f"{name} has {count}" for name, count in counts.items()) or "there are none"
        raise ChannelFileError(f"{subject}the arrays have different numbers of instances: {listed}")
    return next(iter(counts.values()))


def _open_question(item: ArrayDeclaration, stored: StoredArray) -> bool:
    return len(readings(stored.values.shape, item.axes, from_matlab=stored.from_matlab)) > 1


def _checked(
    item: ArrayDeclaration,
    stored: StoredArray,
    path: str | os.PathLike[str],
    sizes: Mapping[str, int | None],
    dtype: DTypeLike,
) -> np.ndarray:
    name, values, axes, from_matlab = item.name, stored.values, item.axes, stored.from_matlab
    if item.kind == "flag":
        return check_flag(name, values, axes, path, sizes=sizes, from_matlab=from_matlab)
    return check_gain(name, values, axes, path, sizes=sizes, from_matlab=from_matlab, dtype=dtype, kind=item.kind)


def _reading(item: ArrayDeclaration, arrays: Mapping[str, np.ndarray], stored: Mapping[str, StoredArray]) -> str:
    lengths = zip(("batch", *item.axes), arrays[item.name].shape)
    named = ", ".join(f"{axis}={length}" for axis, length in lengths)
    return f"{item.name} [{named}] ({stored[item.name].axes})"
