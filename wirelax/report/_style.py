"""The look of every figure: sizes, colours, and the file it ends in."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wirelax.report._files import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "WIDTHS_INCH",
    "curve_style",
    "new_figure",
    "save",
    "styled",
    "to_png",
]

WIDTHS_INCH = {"single": 3.5, "double": 7.2}
"""Widths of one and of two journal columns."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours without yellow, which is lost on white."""

# Five dashes against seven colours: 35 curves before a pair of both repeats.
_DASHES = ("-", (0, (5, 1.5)), (0, (4, 1.2, 1, 1.2)), (0, (1.2, 1.2)), (0, (6, 1.2, 1, 1.2, 1, 1.2)))
_MARKERS = (("o", 4.0), ("s", 3.8), ("^", 4.6), ("D", 3.6), ("v", 4.6), ("P", 5.4), ("X", 5.4), ("*", 6.0))

_RC = {
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.titlesize": 8.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "legend.handlelength": 2.9,
    "legend.columnspacing": 1.4,
    "lines.linewidth": 1.3,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "hatch.linewidth": 0.6,
    "agg.path.chunksize": 10_000,  # a CDF of a million samples overflows Agg's cells in one piece
}


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib's defaults with this package's style on top; the user's settings come back at the end.

    Raises:
        ImportError: Matplotlib is not installed; the message names the extra.
    """
    try:
        import matplotlib.style
    except ImportError as error:
        raise ImportError("figures need Matplotlib: pip install 'wirelax[report]'") from error
    with matplotlib.style.context(["default", _RC]):
        yield


def new_figure(width: str, height_inch: float) -> tuple[Figure, Axes]:
    """A figure of one axes with an Agg canvas, no pyplot involved; call inside `styled`.

    Raises:
        ValueError: `width` is no key of `WIDTHS_INCH`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if width not in WIDTHS_INCH:
        raise ValueError(f"got width {width!r}, want one of {', '.join(map(repr, WIDTHS_INCH))}")
    figure = Figure(figsize=(WIDTHS_INCH[width], height_inch), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    # Ticks are made late, when the style may be gone.
    axes.tick_params(labelsize=_RC["xtick.labelsize"])
    return figure, axes


def curve_style(index: int) -> dict[str, Any]:
    """Colour, dashes and marker of the curve number `index`."""
    marker, size = _MARKERS[index % len(_MARKERS)]
    return {
        "color": COLOURS[index % len(COLOURS)],
        "linestyle": _DASHES[index % len(_DASHES)],
        "marker": marker,
        "markersize": size,
        "markeredgewidth": 0.4,
        "markeredgecolor": "white",
    }


def to_png(figure: Figure, *, dpi: int = 200) -> bytes:
    """PNG image of a figure, without metadata on software."""
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def save(figure: Figure, path: str | os.PathLike[str], *, dpi: int = 200) -> Path:
    """Write a figure as PNG in one step.

    Args:
        figure: any Matplotlib figure.
        path: where to write; must end in ``.png``.
        dpi: resolution in dots per inch; journals want 300.

    Returns:
        The path written.

    Raises:
        ValueError: the path does not end in ``.png``.
    """
    if Path(path).suffix.lower() != ".png":
        raise ValueError(f"got the file name {Path(path).name!r}, want one that ends in .png")
    return write_atomic(path, to_png(figure, dpi=dpi))
