"""Everything that touches files: arrays, labels, weights, run folders; knows no system.

Every fault of a file is an `InputError`, one sentence that names file, array and remedy; every file is written
beside its place and moved there.
"""

from wirelax.errors import InputError
from wirelax.io.arrays import read_arrays, read_stored, write_arrays
from wirelax.io.atomic import ARRAY_SUFFIXES, atomic_path, check_new_folder, check_writable, write_atomic
from wirelax.io.axes import place_axes
from wirelax.io.channel_files import ArrayDeclaration, ChannelFile, check_counts, read_channels
from wirelax.io.checkpoints import Checkpoints, MetricsLog
from wirelax.io.checks import check_flag, check_gain, gain_of_level
from wirelax.io.errors import (
    ChannelFileError,
    ChannelFileNotFoundError,
    FileError,
    LabelCacheError,
    MissingExtraError,
    OutputError,
    PolicyFileError,
    RunFolderError,
)
from wirelax.io.labels import load_labels, save_labels
from wirelax.io.run_folder import RunFolder, claim_run
from wirelax.io.stored import StoredArray
from wirelax.io.weights import load_policy, load_shipped, save_policy

__all__ = [
    "ARRAY_SUFFIXES",
    "ArrayDeclaration",
    "ChannelFile",
    "ChannelFileError",
    "ChannelFileNotFoundError",
    "Checkpoints",
    "FileError",
    "InputError",
    "LabelCacheError",
    "MetricsLog",
    "MissingExtraError",
    "OutputError",
    "PolicyFileError",
    "RunFolder",
    "RunFolderError",
    "StoredArray",
    "atomic_path",
    "check_counts",
    "check_flag",
    "check_gain",
    "check_new_folder",
    "check_writable",
    "claim_run",
    "gain_of_level",
    "load_labels",
    "load_policy",
    "load_shipped",
    "place_axes",
    "read_arrays",
    "read_channels",
    "read_stored",
    "save_labels",
    "save_policy",
    "write_arrays",
    "write_atomic",
]
