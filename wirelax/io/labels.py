"""Labels on disk: HDF5, with everything that they were made from written beside them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wirelax.io.atomic import atomic_path
from wirelax.io.errors import LabelCacheError
from wirelax.io.hdf5 import import_h5py

__all__ = ["load_labels", "save_labels"]

FORMAT = "wirelax-labels-1"


def save_labels(
    path: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray],
    source: Mapping[str, Any],
    notes: Mapping[str, Any] | None = None,
) -> Path:
    """Write labels atomically, over a file that is there. `check_writable` tells beforehand whether it can be.

    Args:
        path: the file, ``.h5``.
        arrays: labels and channels, a common leading axis.
        source: what determines them (system, configuration, seed, count, level grid); must match on loading.
        notes: what was measured of them (mean gap to polish), informative only.

    Returns:
        The path written.

    Raises:
        OutputError: it cannot be written there.
        MissingExtraError: h5py is not installed.
    """
    path = Path(path)
    h5py = import_h5py(path)
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=np.asarray(array), compression="gzip", compression_opts=1)
        file.attrs["source"] = json.dumps(source, sort_keys=True)
        file.attrs["notes"] = json.dumps(notes or {}, sort_keys=True)
        file.attrs["arrays"] = json.dumps(sorted(arrays))
        file.attrs["format"] = FORMAT  # last: a file without it was not finished
    return path


def load_labels(
    path: str | os.PathLike[str], source: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read labels written by `save_labels` and check that they were made from `source`.

    Returns:
        The arrays by name, and the notes.

    Raises:
        LabelCacheError: the file is missing, broken or incomplete, or a field of its source differs; the
            message names the field and both values.
        MissingExtraError: h5py is not installed.
    """
    path = Path(path)
    found, notes, arrays = _read(path)
    wanted = json.loads(json.dumps(source))
    for field in sorted({*found, *wanted}):
        if found.get(field) != wanted.get(field):
            raise LabelCacheError(
                f"{path} was made with {field}={found.get(field)!r}, wanted is {wanted.get(field)!r}; "
                "use another file or delete it to make it anew"
            )
    if any(not np.isfinite(array).all() for array in arrays.values() if array.dtype.kind in "fc"):
        raise LabelCacheError(f"{path} holds values that are not finite; delete it to make it anew")
    return arrays, notes


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, np.ndarray]]:
    """Source, notes and arrays of a label cache."""
    h5py = import_h5py(path)
    if not path.exists():
        raise LabelCacheError(f"{path} does not exist; check the path")
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise LabelCacheError(
                    f"{path} is no complete label cache of format {FORMAT}; delete it to make it anew"
                )
            source, notes = json.loads(file.attrs["source"]), json.loads(file.attrs["notes"])
            return source, notes, {name: file[name][()] for name in json.loads(file.attrs["arrays"])}
    except LabelCacheError:
        raise
    except Exception as error:  # a damaged file raises almost anything
        raise LabelCacheError(f"{path} is broken ({type(error).__name__}); delete it to make it anew") from error
