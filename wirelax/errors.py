"""The one error of input, which every room may raise."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["InputError", "unknown_name"]


class InputError(ValueError):
    """What the user gave cannot be used: a file, a name, a number, a size.

    The message is one sentence that names what is wrong and what to do about it. The command line prints it
    and exits with status 2; every other `ValueError` is a defect of the program and keeps its traceback.
    """


def unknown_name(what: str, name: str, valid: Iterable[str], where: str = "") -> InputError:
    """An error that says what name is unknown, which valid one comes close, and which there are.

    Args:
        what: the name is of, in the singular: "method".
        name: as it was given.
        valid: names there are.
        where: they are, the end of the first clause: " for noma".
    """
    from difflib import get_close_matches

    names = list(valid)
    close = get_close_matches(name.lower(), names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return InputError(f"unknown {what} {name!r}{where}; {hint}valid {plural}: {', '.join(names) or 'none'}")
