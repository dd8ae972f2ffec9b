"""Figures fit for a journal column, one function each, every one returning a Matplotlib ``Figure``.

Colours belong to names, are safe for colour-blind readers and never the only difference between two curves. Nothing
here touches pyplot or the user's settings. Matplotlib is imported when a figure is drawn.
"""

from __future__ import annotations

from wirelax.report._association_map import association_map
from wirelax.report._bars import bars
from wirelax.report._cdf import cdf
from wirelax.report._lines import learning_curves, lines
from wirelax.report._map import scatter_map
from wirelax.report._points import points
from wirelax.report._scatter import speed_quality
from wirelax.report._style import save, to_png

__all__ = [
    "association_map",
    "bars",
    "cdf",
    "learning_curves",
    "lines",
    "points",
    "save",
    "scatter_map",
    "speed_quality",
    "to_png",
]
