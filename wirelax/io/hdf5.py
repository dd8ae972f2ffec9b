"""Reading HDF5, plain or as MATLAB writes it (``save -v7.3``): axes reversed, the class as an attribute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wirelax.io.errors import import_extra
from wirelax.io.stored import AS_STORED, TURNED_BACK, Contents, StoredArray

__all__ = ["import_h5py", "read_hdf5"]

_PARTS_OF_COMPLEX = {("real", "imag"), ("re", "im"), ("r", "i")}
_NOT_NUMBERS = {"char": "text", "cell": "a cell array", "struct": "a struct", "function_handle": "a function"}


def import_h5py(path: Path) -> Any:
    """The module h5py.

    Raises:
        MissingExtraError: it is not installed; the message names the extra that brings it.
    """
    return import_extra("h5py", f"{path} is an HDF5 file, which", "io")


def read_hdf5(path: Path, names: Sequence[str]) -> Contents:
    """Read datasets at the top of an HDF5 file, and matrices that MATLAB stores sparse."""
    h5py = import_h5py(path)
    with h5py.File(path, "r") as file:
        items = {name: item for name, item in file.items() if not name.startswith("#")}  # "#refs#" is MATLAB's
        present = {name: _what_it_is(item, isinstance(item, h5py.Group)) for name, item in items.items()}
        arrays = {name: _read(items[name]) for name in names if name in present and not present[name]}
    return Contents(present, arrays)


def _what_it_is(item: Any, is_group: bool) -> str:
    """What an item that is no array of numbers holds, in words; nothing for an array."""
    matlab_class = _matlab_class(item)
    if is_group:
        if "MATLAB_sparse" in item.attrs:
            return ""
        kind, parts = ("struct", "fields") if matlab_class else ("group", "datasets")
        return f"a {kind} with the {parts} {', '.join(item)}" if len(item) else f"an empty {kind}"
    return _NOT_NUMBERS.get(matlab_class or "", "")


def _matlab_class(item: Any) -> str | None:
    value = item.attrs.get("MATLAB_class")
    return None if value is None else str(np.asarray(value).astype(str))


def _read(item: Any) -> StoredArray:
    if "MATLAB_sparse" in item.attrs:
        return StoredArray(_typed(_sparse_values(item), _matlab_class(item)), TURNED_BACK)
    values = _complex_values(np.asarray(item[()]))
    matlab_class = _matlab_class(item)
    if matlab_class is None:
        return StoredArray(values, AS_STORED)
    if item.attrs.get("MATLAB_empty", 0):
        return StoredArray(np.zeros(values.astype(int)), TURNED_BACK)  # the shape stands in place of the values
    return StoredArray(_typed(np.ascontiguousarray(values.T), matlab_class), TURNED_BACK)


def _complex_values(values: np.ndarray) -> np.ndarray:
    """Values whose real and imaginary parts are stored side by side, made complex."""
    fields = values.dtype.names
    if fields is None or tuple(name.lower() for name in fields) not in _PARTS_OF_COMPLEX:
        return values
    real, imaginary = (values[name] for name in fields)
    return real + 1j * imaginary


def _sparse_values(group: Any) -> np.ndarray:
    """A matrix that MATLAB stores by columns: values, rows, and where each column starts."""
    from scipy.sparse import csc_array

    starts = np.asarray(group["jc"][()], dtype=np.int64)
    shape = (int(group.attrs["MATLAB_sparse"]), len(starts) - 1)
    if "data" not in group:  # no value is stored for a matrix of zeros
        return np.zeros(shape)
    values = _complex_values(np.asarray(group["data"][()]))
    return csc_array((values, np.asarray(group["ir"][()], dtype=np.int64), starts), shape=shape).toarray()


def _typed(values: np.ndarray, matlab_class: str | None) -> np.ndarray:
    return values.astype(bool) if matlab_class == "logical" else values
