"""The one error of input, which every room may raise."""

from __future__ import annotations

__all__ = ["InputError"]


class InputError(ValueError):
    """What the user gave cannot be used: a file, a name, a number, a size.

    The message is one sentence that names what is wrong and what to do about it. The command line prints it
    and exits with status 2; every other `ValueError` is a defect of the program and keeps its traceback.
    """
