"""What a reader finds in a file: arrays with the way their axes were read, and the names of all that is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

__all__ = ["AS_IN_MATLAB", "AS_STORED", "TURNED_BACK", "Contents", "StoredArray"]

AS_STORED = "axes as stored"
AS_IN_MATLAB = "axes as in MATLAB"
TURNED_BACK = "axes as in MATLAB, which stores them reversed"


class StoredArray(NamedTuple):
    """An array as a file holds it.

    Attributes:
        values: of the type and shape stored.
        axes: how its axes were read: `AS_STORED`, `AS_IN_MATLAB` or `TURNED_BACK`.
    """

    values: np.ndarray
    axes: str

    @property
    def from_matlab(self) -> bool:
        """Whether MATLAB may have written it, and so dropped trailing axes of length 1."""
        return self.axes != AS_STORED


class Contents(NamedTuple):
    """What a reader returns.

    Attributes:
        present: everything at the top of the file by name, with what it is where it is no array of numbers
            ("a struct with the fields a, b").
        arrays: those of the arrays wanted that are there.
    """

    present: Mapping[str, str]
    arrays: Mapping[str, StoredArray]
