"""Lines with bands, and learning curves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from wirelax.report._axes import (
    Scale,
    Width,
    count_label,
    curve_axes,
    few_ticks,
    legend_below,
    pair,
    readable_log_ticks,
    require,
)
from wirelax.report._palette import palette
from wirelax.report._style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["learning_curves", "lines"]


def lines(
    series: Mapping[str, tuple[ArrayLike, ArrayLike]],
    xlabel: str,
    ylabel: str,
    yscale: Scale = "linear",
    band: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    *,
    title: str | None = None,
    xscale: Scale = "linear",
    xlim: tuple[float, float] | None = None,
    ylim: tuple[float, float] | None = None,
    width: Width = "single",
    order: Sequence[str] | None = None,
) -> Figure:
    """Lines y(x), each with an optional band around it.

    A point that cannot be drawn (not finite, or not positive on a logarithmic axis) leaves a gap, and the
    legend says how many.

    Args:
        series: ``(x, y)`` by name, two vectors of one length.
        xlabel: label of the horizontal axis, with its unit.
        ylabel: label of the vertical axis, with its unit.
        yscale: ``"linear"`` or ``"log"``.
        band: ``(low, high)`` by name, of the length of that series.
        title: title of the figure.
        xscale: ``"linear"`` or ``"log"``.
        xlim: limits of the horizontal axis.
        ylim: limits of the vertical axis.
        width: ``"single"`` (3.5 inch) or ``"double"`` (7.2 inch).
        order: all names of a report, so that a name looks the same in every figure.

    Returns:
        The figure.

    Raises:
        ValueError: no series, one with nothing to draw, lengths that differ, or a band without its line.
    """
    for name in band or {}:
        if name not in series:
            raise ValueError(f"the band {name!r} has no line; the lines are {', '.join(series)}")
    with styled():
        figure, axes = curve_axes((xlabel, ylabel), title, width, (xscale, yscale))
        curves, labels = [], []
        for place, (name, style) in enumerate(palette(require(series), order).items()):
            x, y = pair(name, series[name])
            drawn = np.isfinite(x) & np.isfinite(y)
            drawn &= ((xscale != "log") | (x > 0)) & ((yscale != "log") | (y > 0))
            labels.append(count_label(name, x.size, int(drawn.sum()), "not shown"))
            step = max(1, x.size // 8)
            curves += axes.plot(x, np.where(drawn, y, np.nan), markevery=(place % 7 * step // 7, step), **style)
            if band and name in band:
                low, high = pair(name, band[name], x.size)
                axes.fill_between(x, low, high, color=style["color"], alpha=0.2, linewidth=0)
        axes.set(**{key: value for key, value in (("xlim", xlim), ("ylim", ylim)) if value is not None})
        few_ticks(axes, width)
        readable_log_ticks(axes.xaxis)
        readable_log_ticks(axes.yaxis)
        legend_below(figure, curves, labels)
    return figure


def learning_curves(
    history: Mapping[str, Iterable[tuple[float, float]]],
    ylabel: str,
    xlabel: str = "Training step",
    *,
    yscale: Scale = "linear",
    title: str | None = None,
    width: Width = "single",
    order: Sequence[str] | None = None,
) -> Figure:
    """Values over training steps, by name.

    Args:
        history: pairs ``(step, value)`` by name.
        ylabel: label of the vertical axis, with its unit.
        xlabel: label of the horizontal axis.
        yscale: ``"linear"`` or ``"log"``.
        title: title of the figure.
        width: ``"single"`` (3.5 inch) or ``"double"`` (7.2 inch).
        order: all names of a report, so that a name looks the same in every figure.

    Returns:
        The figure.

    Raises:
        ValueError: as for `lines`, or something else than pairs.
    """
    series = {}
    for name, pairs in require(history).items():
        points = np.asarray([*pairs] or np.empty((0, 2)), dtype=float)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"{name!r}: got an array of shape {points.shape}, want pairs (step, value)")
        series[name] = (points[:, 0], points[:, 1])
    return lines(series, xlabel, ylabel, yscale, title=title, width=width, order=order)
