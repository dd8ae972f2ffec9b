"""Errors of files: each is an `InputError`, whose message is one sentence naming the file and the remedy."""

from __future__ import annotations

import importlib
from typing import Any

from wirelax.errors import InputError

__all__ = [
    "ChannelFileError",
    "ChannelFileNotFoundError",
    "FileError",
    "LabelCacheError",
    "MissingExtraError",
    "OutputError",
    "PolicyFileError",
    "RunFolderError",
    "first_line",
    "import_extra",
]


class FileError(InputError):
    """A file cannot be used."""


class ChannelFileError(FileError):
    """A file of arrays, or an array from outside, that cannot be used."""


class ChannelFileNotFoundError(ChannelFileError, FileNotFoundError):
    """There is no file at the path given."""


class OutputError(FileError):
    """A file that cannot be written where it is asked for."""


class LabelCacheError(FileError):
    """A label cache that is broken, or was made from something else than what is asked for."""


class PolicyFileError(FileError):
    """A file of weights that is missing, broken or of another format."""


class RunFolderError(FileError):
    """A training run's folder that is another run's, holds nothing to resume, or is broken."""


class MissingExtraError(FileError, ImportError):
    """An optional dependency that this file needs is not installed."""


def import_extra(module: str, subject: str, extra: str) -> Any:
    """An optional module, imported only when a file needs it.

    Args:
        module: name of the module.
        subject: what needs it, the start of the message.
        extra: the extra of wirelax that brings it.

    Raises:
        MissingExtraError: it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtraError(f"{subject} needs {package}: pip install 'wirelax[{extra}]'") from error


def first_line(error: BaseException) -> str:
    """What an error says, on one line, without the numbers and paths that OSError adds."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (text.strip().splitlines() or [type(error).__name__])[0]
