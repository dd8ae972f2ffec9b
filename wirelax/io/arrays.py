"""Named arrays in files: NumPy ``.npz``, HDF5, MATLAB ``.mat``; clear errors and atomic writes."""

from __future__ import annotations

import os
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wirelax.io.atomic import atomic_path
from wirelax.io.errors import ChannelFileError, ChannelFileNotFoundError, FileError, OutputError, first_line
from wirelax.io.hdf5 import import_h5py
from wirelax.io.readers import reader_for
from wirelax.io.stored import Contents, StoredArray

__all__ = ["read_arrays", "read_stored", "write_arrays"]

Arrays = dict[str, np.ndarray]

_MATLAB_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


def read_arrays(path: str | os.PathLike[str], required: Sequence[str], optional: Sequence[str] = ()) -> Arrays:
    """Read named arrays: the values of `read_stored`."""
    return {name: stored.values for name, stored in read_stored(path, required, optional).items()}


def read_stored(
    path: str | os.PathLike[str], required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, StoredArray]:
    """Read named arrays from ``.npz``, ``.h5``/``.hdf5`` or ``.mat`` (v7.3 and older).

    MATLAB stores arrays with reversed axes in HDF5; those (marked by the attribute ``MATLAB_class``) are
    turned back, so an array has the axes it had in MATLAB. MATLAB drops trailing axes of length one, see
    `place_axes`. HDF5 without that mark is taken as stored: reversed axes cannot be told there.

    Args:
        path: the file; its suffix chooses the format.
        required: arrays that must be there.
        optional: arrays read where present.

    Returns:
        The arrays by name, as stored, no conversion of type or shape (see `check_gain`), each with the way in
        which its axes were read.

    Raises:
        ChannelFileNotFoundError: no such file (also a FileNotFoundError).
        ChannelFileError: unknown suffix, unreadable or corrupt file, missing array, or one that is a struct, a
            cell array, a group or text.
        MissingExtraError: the file is HDF5 and h5py is not installed.
    """
    path = Path(path)
    reader = reader_for(path)
    if not path.exists():
        raise _not_found(path)
    if not path.is_file():
        raise ChannelFileError(f"{path} is not a file; give the path of a .npz, .h5 or .mat file")
    try:
        contents = reader(path, [*required, *optional])
    except FileError:
        raise
    except FileNotFoundError as error:  # it went since we looked
        raise _not_found(path) from error
    except PermissionError as error:
        raise ChannelFileError(f"{path} cannot be read ({first_line(error)}); check its permissions") from error
    except Exception as error:  # parsers of damaged files raise almost anything
        raise ChannelFileError(
            f"{path} cannot be read as {path.suffix} ({first_line(error)}); "
            "it may be truncated, corrupt or of another format: write it again"
        ) from error
    _check_present(path, contents, required, optional)
    return dict(contents.arrays)


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, Any], overwrite: bool = False) -> Path:
    """Write named arrays to ``.npz``, ``.h5``/``.hdf5`` or ``.mat`` (version 5), all or nothing.

    In ``.mat`` an array has in MATLAB the axes it has here; one of a single axis becomes a column.

    Args:
        path: the file; its suffix chooses the format.
        arrays: numeric or boolean arrays by name.
        overwrite: replace an existing file.

    Returns:
        The path written.

    Raises:
        OutputError: unknown suffix, existing file, missing or unwritable directory, an array that is not
            numeric, or a name or a size that MATLAB's format has no room for.
        MissingExtraError: the suffix is of HDF5 and h5py is not installed.
    """
    path = Path(path)
    writer = _writer_for(path)
    values = {name: np.asarray(value) for name, value in arrays.items()}
    for name, value in values.items():
        if value.dtype.kind not in "biufc":
            raise OutputError(
                f"{path}: array {name!r} has dtype {value.dtype}; only numbers and booleans can be stored"
            )
    with atomic_path(path, overwrite=overwrite) as temporary:
        try:
            writer(temporary, values)
        except FileError:
            raise
        except (RuntimeError, ValueError, OverflowError) as error:  # h5py raises RuntimeError when the disk is full
            raise OutputError(f"{path} cannot be written ({first_line(error)})") from error
    return path


def _not_found(path: Path) -> ChannelFileNotFoundError:
    return ChannelFileNotFoundError(f"{path} does not exist; check the path")


def _check_present(path: Path, contents: Contents, required: Sequence[str], optional: Sequence[str]) -> None:
    for name in (*required, *optional):
        if note := contents.present.get(name):
            raise ChannelFileError(f"{path}: {name!r} is {note}; save the numbers as an array of its own, {name!r}")
    missing = [name for name in required if name not in contents.arrays]
    if missing:
        items = sorted(contents.present.items())
        held = ", ".join(f"{name} ({note})" if note else name for name, note in items) or "no arrays"
        raise ChannelFileError(
            f"{path} has no array {', '.join(map(repr, missing))}, it holds: {held}; save it under that name"
        )


def _writer_for(path: Path) -> Callable[[Path, Arrays], None]:
    """The function that writes files with the suffix of `path`."""
    suffix = path.suffix.lower()
    if suffix in (".h5", ".hdf5"):
        import_h5py(path)
        return _write_hdf5
    writers = {".npz": _write_npz, ".mat": _write_mat}
    if suffix not in writers:
        raise OutputError(f"{path} has the suffix {suffix!r}; arrays are written to .npz, .h5, .hdf5 or .mat")
    return writers[suffix]


def _write_npz(path: Path, arrays: Arrays) -> None:
    # Not np.savez: it takes no array called "file" and adds its own suffix.
    with zipfile.ZipFile(path, "x", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _write_hdf5(path: Path, arrays: Arrays) -> None:
    h5py = import_h5py(path)
    with h5py.File(path, "x") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)


def _write_mat(path: Path, arrays: Arrays) -> None:
    from scipy.io import savemat
    from scipy.io.matlab import MatWriteError

    for name in arrays:
        if not _MATLAB_NAME.fullmatch(name):
            raise OutputError(f"{name!r} is no name for a MATLAB variable; write .npz or .h5 instead of .mat")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # SciPy warns when it leaves a variable out
            savemat(path, arrays, appendmat=False, oned_as="column")
    except MatWriteError as error:  # 4 GB at most
        raise OutputError(f"{first_line(error)}; write .npz or .h5 instead of .mat") from error
