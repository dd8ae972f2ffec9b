"""Moved to `wirelax.io`; here until every import is."""

from wirelax.io.arrays import read_arrays, write_arrays
from wirelax.io.errors import ChannelFileError, ChannelFileNotFoundError

__all__ = ["ChannelFileError", "ChannelFileNotFoundError", "read_arrays", "write_arrays"]
