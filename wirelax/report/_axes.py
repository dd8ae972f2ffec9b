"""What every kind of figure shares: labels that fit, legends that cover nothing, input that is checked."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from wirelax.report._style import WIDTHS_INCH, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Scale",
    "Width",
    "count_label",
    "curve_axes",
    "few_ticks",
    "legend_below",
    "literal",
    "pair",
    "readable_log_ticks",
    "require",
    "wrap",
]

Scale = Literal["linear", "log"]
Width = Literal["single", "double"]
_T = TypeVar("_T")
_HEIGHT_INCH = {"single": 2.3, "double": 3.2}


def require(series: Mapping[str, _T]) -> Mapping[str, _T]:
    """The mapping itself, or a ValueError if there is nothing in it."""
    if not series:
        raise ValueError("nothing to draw: the mapping is empty; pass at least one name with its values")
    return series


def pair(name: str, values: tuple[ArrayLike, ArrayLike], size: int | None = None) -> tuple[np.ndarray, ...]:
    """The two vectors of a series as float arrays.

    Raises:
        ValueError: they are not two vectors of one length (`size`, if given).
    """
    arrays = tuple(np.asarray(value, dtype=float) for value in values)
    shapes = [array.shape for array in arrays]
    want = shapes[0] if size is None else (size,)
    if len(arrays) != 2 or len(want) != 1 or any(shape != want for shape in shapes):
        length = "one length" if size is None else f"length {size}, as its line"
        raise ValueError(f"{name!r}: got arrays of shape {shapes}, want two vectors of {length}")
    return arrays


def count_label(name: str, total: int, kept: int, what: str) -> str:
    """Legend text of a series, with the number of values that are not in the picture.

    Raises:
        ValueError: none is.
    """
    if kept == 0:
        raise ValueError(f"{name!r} has nothing to draw: none of its {total} values can be shown ({what})")
    return name if kept == total else f"{name} ({total - kept:,} of {total:,} {what})"


def curve_axes(
    labels: tuple[str, str], title: str | None, width: Width, scales: tuple[Scale, Scale]
) -> tuple[Figure, Axes]:
    """A figure for curves, with labels and scales (horizontal, vertical) set; call inside `styled`.

    Raises:
        ValueError: an unknown width or scale.
    """
    for scale in scales:
        if scale not in ("linear", "log"):
            raise ValueError(f"got scale {scale!r}, want 'linear' or 'log'")
    figure, axes = new_figure(width, _HEIGHT_INCH.get(width, 0.0))
    inches = WIDTHS_INCH[width]
    axes.set(xscale=scales[0], yscale=scales[1])
    axes.set_xlabel(wrap(labels[0], inches - 0.7))
    axes.set_ylabel(wrap(labels[1], _HEIGHT_INCH[width] - 0.4))
    if title:
        axes.set_title(wrap(title, inches - 0.7))
    return figure, axes


def literal(text: str) -> str:
    """Text from data, so that a dollar sign starts no formula."""
    return text.replace("$", r"\$")


class _Wrapper(textwrap.TextWrapper):
    """Breaks names such as ``trained:dnn+rate@supervised`` after their marks, not within a word."""

    wordsep_re = re.compile(r"(\s+)|(?<=[-:@+_])(?=\w)")


def wrap(text: str, inches: float) -> str:
    """Text broken into lines that fit `inches` at the size of a label."""
    return _Wrapper(max(8, int(inches * 16))).fill(text)


def legend_below(
    figure: Figure, handles: Sequence[Any], labels: Sequence[str], handle_length: float | None = None
) -> None:
    """Put the legend under the axes, in as many columns as fit, and make the figure taller by it."""
    renderer = figure.canvas.get_renderer()
    width, height = figure.get_size_inches()
    # Two columns of wrapped names fit any list; up to three long names look better one a line.
    fewest = 2 if len(labels) > 3 else 1
    for columns in range(min(len(labels), 5), fewest - 1, -1):
        room = width / fewest - 0.55 if columns == fewest else width
        texts = [wrap(literal(label), room) for label in labels]
        legend = figure.legend(handles, texts, loc="outside lower center", ncols=columns, handlelength=handle_length)
        extent = legend.get_window_extent(renderer)
        if columns == fewest or extent.width <= 0.98 * width * figure.dpi:
            break
        legend.remove()
    figure.set_size_inches(width, height + extent.height / figure.dpi)


def few_ticks(axes: Axes, width: Width) -> None:
    """As many ticks on a linear horizontal axis as five-digit numbers have room for."""
    if axes.get_xscale() == "linear":
        axes.locator_params(axis="x", nbins=5 if width == "single" else 10)


def readable_log_ticks(axis: Any, unit: str | None = None) -> None:
    """Ticks of a logarithmic axis without small print: ``0.001``, ``10 ms`` or large powers of ten.

    Args:
        axis: the axis, its limits set; one with another scale is left alone.
        unit: unit for the engineering form.
    """
    if axis.get_scale() != "log":
        return
    from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    low, high = sorted(axis.get_view_interval())
    if high < 5 * low:  # part of a decade: even steps, as on a linear axis
        axis.set_major_locator(MaxNLocator(5))
        axis.set_minor_locator(NullLocator())
    elif high < 100 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_minor_formatter(NullFormatter())
    if unit:
        axis.set_major_formatter(EngFormatter(unit))
    elif low >= 0.9e-4 and high <= 1.1e4:
        axis.set_major_formatter("{x:g}")
    else:
        axis.set_tick_params(labelsize=10.0)  # the exponent is set at 70 % of it
