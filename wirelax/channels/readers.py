"""Moved to `wirelax.io`; here until every import is."""

from wirelax.io.errors import ChannelFileError
from wirelax.io.hdf5 import import_h5py
from wirelax.io.readers import reader_for

__all__ = ["ChannelFileError", "import_h5py", "reader_for"]
