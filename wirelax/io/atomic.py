"""The one way in which wirelax writes a file: beside its place under a name of its own, then moved there.

A reader sees the old file or the new one, never half of it; a failure leaves what was there before; two
processes that write the same file at once do not meet, the later one stays.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from wirelax.io.errors import FileError, OutputError, first_line, import_extra

__all__ = ["ARRAY_SUFFIXES", "atomic_path", "check_new_folder", "check_writable", "write_atomic"]

ARRAY_SUFFIXES = (".npz", ".h5", ".hdf5", ".mat")
"""Suffixes of the files that `read_arrays` and `write_arrays` know."""

HDF5_SUFFIXES = (".h5", ".hdf5")


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, overwrite: bool = True) -> Generator[Path]:
    """A path to write to, which becomes `path` when the block ends well and is removed when it does not.

    It lies in the same folder and has the same suffix. A symbolic link at `path` is followed.

    Args:
        path: the file wanted.
        overwrite: replace an existing file; without it one that appears meanwhile is kept too.

    Raises:
        OutputError: there is a file already, no such folder, no permission, or no space.
    """
    path = Path(path)
    _refuse_existing(path, overwrite)
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise OutputError(f"{path} cannot be written: there is no directory {path.parent}; create it")
    # Not the target's own name with something added: that may be longer than the file system allows.
    temporary = target.with_name(f".wirelax-{secrets.token_hex(8)}.tmp{path.suffix}")
    try:
        yield temporary
        if overwrite:
            os.replace(temporary, target)
        else:
            _move_to_free_place(temporary, target)
    except FileError:
        raise
    except FileExistsError as error:
        raise OutputError(_exists(path)) from error
    except OSError as error:
        reason = f"{first_line(error)}; check permissions and free space"
        raise OutputError(f"{path} cannot be written ({reason})") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: str | os.PathLike[str], data: str | bytes, *, overwrite: bool = True) -> Path:
    """Write text (UTF-8) or bytes in one step, making the folder if it is missing.

    Args:
        path: the file to write.
        data: its content.
        overwrite: replace an existing file.

    Returns:
        The path written.

    Raises:
        OutputError: as `atomic_path`.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{target} cannot be written ({first_line(error)}); choose another folder") from error
    with atomic_path(target, overwrite=overwrite) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)
    return target


def check_writable(
    path: str | os.PathLike[str], overwrite: bool = False, suffixes: Sequence[str] = ARRAY_SUFFIXES
) -> Path:
    """Fail before the work is done if its result could not be written.

    Args:
        path: the file wanted.
        overwrite: an existing file may be replaced.
        suffixes: those allowed, in lower case; none given allows all.

    Returns:
        The path.

    Raises:
        OutputError: another suffix, a file that exists, a folder that is missing or not writable.
        MissingExtraError: the suffix is of HDF5 and h5py is not installed.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffixes and suffix not in suffixes:
        raise OutputError(f"{path} has the suffix {path.suffix!r}; use one of {', '.join(suffixes)}")
    _refuse_existing(path, overwrite)
    _check_folder(path.absolute().parent)
    if suffix in HDF5_SUFFIXES:
        import_extra("h5py", f"{path} is an HDF5 file, which", "io")
    return path


def check_new_folder(path: str | os.PathLike[str], overwrite: bool, marker: str) -> Path:
    """Make a folder for results, unless it holds some already.

    Args:
        path: the folder wanted; folders above it are made as well.
        overwrite: results in it may be replaced.
        marker: the file whose presence means that it holds results.

    Raises:
        OutputError: `path` is a file, holds results, or cannot be made.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; a folder is wanted")
    _refuse_existing(folder / marker, overwrite)
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    _check_folder(existing)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _exists(path: Path) -> str:
    return f"{path} exists already; choose another name or allow overwriting (--overwrite)"


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise OutputError(f"{path} exists already and is a directory; choose another name")
    if path.exists() and not overwrite:
        raise OutputError(_exists(path))


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise OutputError(f"there is no directory {folder}; create it or choose another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"directory {folder} is not writable; choose another place")


def _move_to_free_place(temporary: Path, target: Path) -> None:
    """Move a file, atomically refusing to replace one."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: the best that is left
        if target.exists():
            raise FileExistsError(target) from None
        os.replace(temporary, target)
