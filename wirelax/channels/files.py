"""Named arrays in files: NumPy ``.npz``, HDF5, MATLAB ``.mat``; clear errors and atomic writes."""

from __future__ import annotations

import os
import secrets
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wirelax.channels.readers import ChannelFileError, import_h5py, reader_for

__all__ = ["ChannelFileError", "ChannelFileNotFoundError", "read_arrays", "write_arrays"]

Arrays = dict[str, np.ndarray]


class ChannelFileNotFoundError(ChannelFileError, FileNotFoundError):
    """There is no file at the path given."""


def read_arrays(path: str | os.PathLike[str], required: Sequence[str], optional: Sequence[str] = ()) -> Arrays:
    """Read named arrays from ``.npz``, ``.h5``/``.hdf5`` or ``.mat`` (v7.3 and older).

    MATLAB stores arrays with reversed axes in HDF5; those (marked by the attribute ``MATLAB_class``) are
    turned back, so an array has the axes it had in MATLAB. MATLAB drops trailing axes of length one.

    Args:
        path: the file; its suffix chooses the format.
        required: arrays that must be there.
        optional: arrays read where present.

    Returns:
        The arrays by name, as stored: no conversion of type or shape (see `check_gain`).

    Raises:
        ChannelFileNotFoundError: no such file (also a FileNotFoundError).
        ChannelFileError: unknown suffix, unreadable or corrupt file, missing array, or h5py not installed.
    """
    path = Path(path)
    reader = reader_for(path)
    if not path.exists():
        raise ChannelFileNotFoundError(f"{path} does not exist; check the path")
    if not path.is_file():
        raise ChannelFileError(f"{path} is not a file; give the path of a .npz, .h5 or .mat file")
    try:
        present, arrays = reader(path, [*required, *optional])
    except ChannelFileError:
        raise
    except Exception as error:  # parsers of damaged files raise almost anything
        raise ChannelFileError(
            f"{path} cannot be read as {path.suffix} ({_first_line(error)}); "
            "it may be truncated, corrupt or of another format: write it again"
        ) from error
    missing = [name for name in required if name not in arrays]
    if missing:
        held = ", ".join(sorted(present)) or "no arrays"
        raise ChannelFileError(
            f"{path} has no array {', '.join(map(repr, missing))}, it holds: {held}; save it under that name"
        )
    return arrays


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, Any], overwrite: bool = False) -> None:
    """Write named arrays to ``.npz`` or ``.h5``/``.hdf5``, all or nothing.

    The file is written beside its final place and then moved there, so a reader never sees half of it and
    a failure leaves what was there before.

    Args:
        path: the file; its suffix chooses the format.
        arrays: numeric or boolean arrays by name.
        overwrite: replace an existing file.

    Raises:
        ChannelFileError: unknown suffix, existing file, missing or unwritable directory, an array that is
            not numeric, or h5py not installed.
    """
    path = Path(path)
    writer = _writer_for(path)
    values = {name: np.asarray(value) for name, value in arrays.items()}
    for name, value in values.items():
        if value.dtype.kind not in "biufc":
            raise ChannelFileError(
                f"{path}: array {name!r} has dtype {value.dtype}; only numbers and booleans can be stored"
            )
    if path.is_dir() or (path.exists() and not overwrite):
        raise ChannelFileError(f"{path} exists already; choose another name or allow overwriting")
    if not path.parent.is_dir():
        raise ChannelFileError(f"{path} cannot be written: there is no directory {path.parent}; create it")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        writer(temporary, values)
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # h5py raises both
        raise ChannelFileError(
            f"{path} cannot be written ({_first_line(error)}); check permissions and free space"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _writer_for(path: Path) -> Callable[[Path, Arrays], None]:
    """The function that writes files with the suffix of `path`."""
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _write_npz
    if suffix in (".h5", ".hdf5"):
        import_h5py(path)
        return _write_hdf5
    raise ChannelFileError(f"{path} has the suffix {suffix!r}; arrays are written to .npz, .h5 or .hdf5")


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


def _first_line(error: Exception) -> str:
    """What an error says, on one line, without the numbers and paths that OSError adds."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (text.strip().splitlines() or [type(error).__name__])[0]
