"""One reader for each file format behind `wirelax.channels.read_arrays`.

A reader takes a path and the names wanted, and returns the names of all the arrays in the file and those
of the wanted ones that it has. Whatever its parser raises is turned into one sentence by `read_arrays`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["ChannelFileError", "import_h5py", "reader_for"]

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MATLAB_HEADER_BYTES = 512

Reader = Callable[[Path, Sequence[str]], tuple[list[str], dict[str, np.ndarray]]]


class ChannelFileError(ValueError):
    """A file of channels or results that cannot be used; the message is one sentence naming the remedy."""


def reader_for(path: Path) -> Reader:
    """The reader for the suffix of `path`.

    Raises:
        ChannelFileError: the suffix is of no known format.
    """
    readers: dict[str, Reader] = {
        ".npz": _read_npz,
        ".h5": _read_hdf5,
        ".hdf5": _read_hdf5,
        ".mat": _read_mat,
    }
    suffix = path.suffix.lower()
    if suffix not in readers:
        raise ChannelFileError(
            f"{path} has the suffix {suffix!r}; arrays are read from .npz, .h5, .hdf5 and .mat files"
        )
    return readers[suffix]


def import_h5py(path: Path) -> Any:
    """The module h5py, imported only when a file needs it.

    Raises:
        ChannelFileError: it is not installed; the message names the extra that brings it.
    """
    try:
        return importlib.import_module("h5py")
    except ImportError as error:
        raise ChannelFileError(f"{path} is an HDF5 file, which needs h5py: pip install 'wirelax[io]'") from error


def _read_npz(path: Path, names: Sequence[str]) -> tuple[list[str], dict[str, np.ndarray]]:
    if not _starts_with(path, b"PK"):
        raise ValueError("not a NumPy archive")
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        present = list(archive.files)
        return present, {name: np.asarray(archive[name]) for name in names if name in present}


def _read_hdf5(path: Path, names: Sequence[str]) -> tuple[list[str], dict[str, np.ndarray]]:
    h5py = import_h5py(path)
    with h5py.File(path, "r") as file:
        present = [name for name, item in file.items() if isinstance(item, h5py.Dataset)]
        return present, {name: _dataset_values(file[name]) for name in names if name in present}


def _read_mat(path: Path, names: Sequence[str]) -> tuple[list[str], dict[str, np.ndarray]]:
    if _starts_with(path, _HDF5_SIGNATURE, _MATLAB_HEADER_BYTES) or _starts_with(path, _HDF5_SIGNATURE):
        return _read_hdf5(path, names)
    from scipy.io import loadmat, whosmat
    from scipy.sparse import issparse

    present = [name for name, _, _ in whosmat(path, appendmat=False)]
    wanted = [name for name in names if name in present]
    stored = loadmat(path, appendmat=False, variable_names=wanted, mat_dtype=True, spmatrix=False)
    dense = {name: stored[name].toarray() if issparse(stored[name]) else stored[name] for name in wanted}
    return present, {name: np.asarray(value) for name, value in dense.items()}


def _dataset_values(dataset: Any) -> np.ndarray:
    """The values of an HDF5 dataset; one that MATLAB wrote gets its axes, type and emptiness back."""
    values = np.asarray(dataset[()])
    if values.dtype.names == ("real", "imag"):
        values = values["real"] + 1j * values["imag"]
    matlab_class = dataset.attrs.get("MATLAB_class")
    if matlab_class is None:
        return values
    if dataset.attrs.get("MATLAB_empty", 0):
        return np.zeros(values.astype(int))  # MATLAB stores the shape in place of the values
    values = np.ascontiguousarray(values.T)
    is_logical = np.asarray(matlab_class).astype(str) == "logical"
    return values.astype(bool) if is_logical else values


def _starts_with(path: Path, signature: bytes, offset: int = 0) -> bool:
    """Whether the bytes of a file from `offset` on are `signature`."""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(len(signature)) == signature
