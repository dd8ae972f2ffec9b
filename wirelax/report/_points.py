"""Points of several groups over two quantities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from wirelax.report._axes import Width, curve_axes, few_ticks, legend_below, pair, require
from wirelax.report._palette import palette
from wirelax.report._style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["points"]


def points(
    series: Mapping[str, tuple[ArrayLike, ArrayLike]],
    xlabel: str,
    ylabel: str,
    *,
    title: str | None = None,
    width: Width = "single",
    order: Iterable[str] | None = None,
) -> Figure:
    """Points (x, y), a colour and marker for each group.

    The horizontal axis is logarithmic from the smallest positive value on where the values span two decades, with
    zeros on a linear piece left of it.

    Args:
        series: ``(x, y)`` by name, two vectors of one length.
        xlabel: label of the horizontal axis, with its unit.
        ylabel: label of the vertical axis, with its unit.
        title: title of the figure.
        width: ``"single"`` (3.5 inch) or ``"double"`` (7.2 inch).
        order: all names of a report, so that a name looks the same in every figure.

    Returns:
        The figure.

    Raises:
        ValueError: no series, or lengths that differ.
    """
    with styled():
        figure, axes = curve_axes((xlabel, ylabel), title, width, ("linear", "linear"))
        handles = []
        for name, style in palette(require(series), list(order) if order else None).items():
            x, y = pair(name, series[name])
            look = {**style, "linestyle": "none", "markersize": 1.4 * style["markersize"]}
            handles.append(axes.plot(x, y, **look)[0])
        pooled = np.concatenate([np.asarray(x, float) for x, _ in series.values()])
        positive = pooled[pooled > 0]
        if positive.size and positive.max() > 100 * positive.min():
            low = 10.0 ** np.floor(np.log10(positive.min()))
            axes.set_xscale("symlog", linthresh=low, linscale=0.4)
            axes.set_xlim(-0.3 * low if (pooled <= 0).any() else 0.5 * positive.min(), 2 * positive.max())
        else:
            few_ticks(axes, width)
        legend_below(figure, handles, list(series))
    return figure
