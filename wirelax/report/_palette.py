"""One colour, dash and marker for each name: the same in every figure of a report, and mostly from report to report."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

__all__ = ["COLOURS", "palette"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours without yellow, which is lost on white."""

# Five dashes against seven colours: 35 names before a pair of both repeats.
_DASHES = ("-", (0, (5, 1.5)), (0, (4, 1.2, 1, 1.2)), (0, (1.2, 1.2)), (0, (6, 1.2, 1, 1.2, 1, 1.2)))
_MARKERS = (("o", 4.0), ("s", 3.8), ("^", 4.6), ("D", 3.6), ("v", 4.6), ("P", 5.4), ("X", 5.4), ("*", 6.0))


def palette(names: Iterable[str], order: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
    """Matplotlib's line style of each name.

    Every name asks for a colour of its own (by a hash of the name, so the same in any report) and takes the next one
    if an earlier name has it. Colours repeat after seven names, with other dashes and another marker; no two of 35
    names have both colour and dashes in common.

    Args:
        names: the names to draw.
        order: all names of a report; give the same in every figure, and a name looks the same in each. Names missing
            there come after the last.

    Returns:
        Keyword arguments for ``Axes.plot`` by name, in the order of `names`.
    """
    names = list(names)
    found: dict[str, dict[str, Any]] = {}
    free: list[int] = []
    turn = -1
    for name in dict.fromkeys([*(order or ()), *names]):
        if not free:
            free, turn = list(range(len(COLOURS))), turn + 1
        wanted = zlib.crc32(name.encode())
        colour = min(free, key=lambda place, wanted=wanted: (place - wanted) % len(COLOURS))
        free.remove(colour)
        found[name] = _style(turn, colour)
    return {name: found[name] for name in names}


def _style(turn: int, colour: int) -> dict[str, Any]:
    marker, size = _MARKERS[(colour + 3 * turn) % len(_MARKERS)]
    return {
        "color": COLOURS[colour],
        "linestyle": _DASHES[(colour + turn) % len(_DASHES)],
        "marker": marker,
        "markersize": size,
        "markeredgewidth": 0.4,
        "markeredgecolor": "white",
    }
