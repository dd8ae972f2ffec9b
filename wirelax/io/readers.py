"""One reader for each file format behind `wirelax.io.read_arrays`.

A reader takes a path and the names wanted, and returns what the file holds and those of the wanted arrays that
it has. Whatever its parser raises is turned into one sentence by `read_stored`. No reader converts a value:
complex numbers come back complex, so that the checks can refuse them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wirelax.io.errors import ChannelFileError
from wirelax.io.hdf5 import read_hdf5
from wirelax.io.stored import AS_IN_MATLAB, AS_STORED, Contents, StoredArray

__all__ = ["reader_for"]

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MATLAB_HEADER_BYTES = 512
_MATLAB_TYPES = {"double": np.float64, "single": np.float32, "logical": np.bool_}
_MATLAB_NUMBERS = {*_MATLAB_TYPES, "sparse", *(f"{u}int{bits}" for u in ("", "u") for bits in (8, 16, 32, 64))}
_CELLS_SHOWN = 4

Reader = Callable[[Path, Sequence[str]], Contents]


def reader_for(path: Path) -> Reader:
    """The reader for the suffix of `path`.

    Raises:
        ChannelFileError: the suffix is of no known format.
    """
    readers: dict[str, Reader] = {
        ".npz": _read_npz,
        ".h5": read_hdf5,
        ".hdf5": read_hdf5,
        ".mat": _read_mat,
    }
    suffix = path.suffix.lower()
    if suffix not in readers:
        raise ChannelFileError(
            f"{path} has the suffix {suffix!r}; arrays are read from .npz, .h5, .hdf5 and .mat files"
        )
    return readers[suffix]


def _read_npz(path: Path, names: Sequence[str]) -> Contents:
    if not _starts_with(path, b"PK"):
        raise ValueError("not a NumPy archive")
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        present = dict.fromkeys(archive.files, "")
        arrays = {name: StoredArray(np.asarray(archive[name]), AS_STORED) for name in names if name in present}
    return Contents(present, arrays)


def _read_mat(path: Path, names: Sequence[str]) -> Contents:
    if _starts_with(path, _HDF5_SIGNATURE, _MATLAB_HEADER_BYTES) or _starts_with(path, _HDF5_SIGNATURE):
        return read_hdf5(path, names)
    from scipy.io import whosmat

    classes = {name: matlab_class for name, _, matlab_class in whosmat(path, appendmat=False)}
    numbers = [name for name, matlab_class in classes.items() if matlab_class in _MATLAB_NUMBERS]
    wanted = [name for name in names if name in numbers]
    arrays = {name: _matlab_array(value, classes[name]) for name, value in _load_mat(path, wanted).items()}
    others = [name for name in classes if name not in numbers]
    notes = {}
    if others and len(wanted) < len(names):  # only then will somebody ask what they are
        values = _load_mat(path, others)
        notes = {name: _what_it_is(classes[name], values.get(name)) for name in others}
    return Contents({name: notes.get(name, "") for name in classes}, arrays)


def _load_mat(path: Path, names: Sequence[str]) -> Mapping[str, Any]:
    from scipy.io import loadmat

    if not names:
        return {}
    # Not mat_dtype=True: it gives the types that MATLAB showed, and drops imaginary parts on the way.
    found = loadmat(path, appendmat=False, variable_names=list(names), mat_dtype=False, spmatrix=False)
    return {name: found[name] for name in names if name in found}


def _matlab_array(value: Any, matlab_class: str) -> StoredArray:
    """An array with the type that it had in MATLAB, which may have packed it into a smaller one."""
    from scipy.sparse import issparse

    values = np.asarray(value.toarray() if issparse(value) else value)
    wanted = np.dtype(_MATLAB_TYPES.get(matlab_class, values.dtype))
    if values.dtype.kind == "c":
        wanted = np.result_type(wanted, np.complex64)
    return StoredArray(values.astype(wanted), AS_IN_MATLAB)


def _what_it_is(matlab_class: str, value: Any) -> str:
    """What a variable that is no array of numbers holds, in words."""
    if matlab_class == "struct" and getattr(value, "dtype", None) is not None and value.dtype.names:
        return f"a struct with the fields {', '.join(value.dtype.names)}"
    if matlab_class == "cell" and isinstance(value, np.ndarray):
        cells = [_cell(item) for item in value.ravel()[:_CELLS_SHOWN]]
        more = ", ..." if value.size > _CELLS_SHOWN else ""
        return f"a cell array {list(value.shape)} of {', '.join(cells)}{more}"
    return f"of MATLAB's class {matlab_class}"


def _cell(item: Any) -> str:
    dtype = getattr(item, "dtype", None)
    if dtype is not None and dtype.names:
        return f"a struct with the fields {', '.join(dtype.names)}"
    return f"{dtype} {list(getattr(item, 'shape', ()))}"


def _starts_with(path: Path, signature: bytes, offset: int = 0) -> bool:
    """Whether the bytes of a file from `offset` on are `signature`."""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(len(signature)) == signature
