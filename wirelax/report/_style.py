"""The look of every figure: the style sheet, the sizes, and the file it ends in."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from wirelax.io.atomic import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["WIDTHS_INCH", "new_figure", "save", "styled", "to_png"]

WIDTHS_INCH = {"single": 3.5, "double": 7.2}
"""Widths of one and of two journal columns."""

# Nothing in the file on software and date, so that the same figure gives the same bytes.
_METADATA = {
    ".png": {"Software": None},
    ".pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    ".svg": {"Date": None},
}


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib's defaults with ``journal.mplstyle`` on top; the user's settings come back at the end.

    Raises:
        ImportError: Matplotlib is not installed; the message names the extra.
    """
    try:
        import matplotlib.style
    except ImportError as error:
        raise ImportError("figures need Matplotlib: pip install 'wirelax[report]'") from error
    with matplotlib.style.context(["default", "wirelax.report.journal"]):
        yield


def new_figure(width: str, height_inch: float) -> tuple[Figure, Axes]:
    """A figure of one axes with an Agg canvas, no pyplot involved; call inside `styled`.

    Raises:
        ValueError: `width` is no key of `WIDTHS_INCH`.
    """
    from matplotlib import rcParams
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if width not in WIDTHS_INCH:
        raise ValueError(f"got width {width!r}, want one of {', '.join(map(repr, WIDTHS_INCH))}")
    figure = Figure(figsize=(WIDTHS_INCH[width], height_inch), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    # Ticks are made late, when the style may be gone.
    axes.tick_params(labelsize=rcParams["xtick.labelsize"])
    return figure, axes


def _image(figure: Figure, ending: str, dpi: int) -> bytes:
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format=ending[1:], dpi=dpi, metadata=_METADATA[ending])
    return buffer.getvalue()


def to_png(figure: Figure, *, dpi: int = 200) -> bytes:
    """PNG image of a figure, without metadata on software."""
    return _image(figure, ".png", dpi)


def save(figure: Figure, path: str | os.PathLike[str], *, dpi: int = 200) -> Path:
    """Write a figure in one step, as PNG, PDF or SVG.

    Args:
        figure: any Matplotlib figure.
        path: where to write; ends in ``.png``, ``.pdf`` or ``.svg``.
        dpi: resolution of a PNG in dots per inch; journals want 300.

    Returns:
        The path written.

    Raises:
        ValueError: the path ends otherwise.
    """
    ending = Path(path).suffix.lower()
    if ending not in _METADATA:
        raise ValueError(f"got the file name {Path(path).name!r}, want one that ends in {', '.join(_METADATA)}")
    return write_atomic(path, _image(figure, ending, dpi))
