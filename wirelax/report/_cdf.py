"""Empirical distribution functions."""

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
    readable_log_ticks,
    require,
)
from wirelax.report._palette import palette
from wirelax.report._style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MOST_CURVES", "cdf"]

MOST_CURVES = 6
"""More distribution functions than this in one picture cannot be told apart."""


def cdf(
    series: Mapping[str, ArrayLike],
    xlabel: str,
    title: str | None = None,
    xscale: Scale = "linear",
    xlim: tuple[float, float] | None = None,
    *,
    ylabel: str = "Empirical CDF",
    width: Width = "single",
    order: Sequence[str] | None = None,
) -> Figure:
    """Empirical distribution functions as steps: F(x) is the fraction of samples at most x.

    NaN is left out, and the legend says how many. Infinite samples count but are never reached: with some at +inf a
    curve ends below 1. Every curve runs to the right edge; samples left of the axis, and on a logarithmic axis those
    at or below zero, count from the left edge on.

    Args:
        series: samples of any shape by name, at most `MOST_CURVES`.
        xlabel: label of the horizontal axis, with its unit.
        title: title of the figure.
        xscale: ``"linear"`` or ``"log"``.
        xlim: limits of the horizontal axis; default the range of all samples.
        ylabel: label of the vertical axis.
        width: ``"single"`` (3.5 inch) or ``"double"`` (7.2 inch).
        order: all names of a report, so that a name looks the same in every figure.

    Returns:
        The figure.

    Raises:
        ValueError: no series or too many, one of NaN alone, no positive sample for a logarithmic axis, or limits out
            of order.
    """
    if len(require(series)) > MOST_CURVES:
        raise ValueError(f"got {len(series)} curves; at most {MOST_CURVES} can be told apart, so draw several figures")
    samples, labels = {}, []
    for name, values in series.items():
        flat = np.asarray(values, dtype=float).ravel()
        samples[name] = flat[~np.isnan(flat)]
        labels.append(count_label(name, flat.size, samples[name].size, "not a number"))
    low, high = xlim or _range(samples.values(), xscale)
    if not (low < high and (xscale != "log" or low > 0)):
        raise ValueError(f"got xlim {xlim}, want (low, high) with low < high, and low > 0 on a log axis")
    # Just left of the axis: what lies further away, or at zero on a logarithmic axis, would upset the markers.
    floor = low / 2 if xscale == "log" else low - 0.1 * (high - low)
    with styled():
        figure, axes = curve_axes((xlabel, ylabel), title, width, (xscale, "linear"))
        curves = []
        for place, (name, style) in enumerate(palette(samples, order).items()):
            values, counts = np.unique(np.maximum(samples[name], floor), return_counts=True)
            # Points of no weight at both edges: the curve runs from edge to edge.
            x, weights = np.append(values, [floor, high]), np.append(counts, [0, 0])
            spacing = (0.02 + 0.025 * place, 0.18)
            curves.append(axes.ecdf(x, weights, markevery=spacing, **style))
        axes.set(xlim=(low, high), ylim=(0.0, 1.03))
        few_ticks(axes, width)
        readable_log_ticks(axes.xaxis)
        legend_below(figure, curves, labels)
    return figure


def _range(samples: Iterable[np.ndarray], xscale: Scale) -> tuple[float, float]:
    """First and last value that can be drawn."""
    values = np.concatenate(list(samples))
    values = values[np.isfinite(values) & ((values > 0) | (xscale != "log"))]
    if values.size == 0:
        wanted = "positive, so there is nothing to draw on a log axis; use xscale='linear'"
        raise ValueError(f"nothing to draw: no sample is {wanted if xscale == 'log' else 'finite'}")
    low, high = float(values.min()), float(values.max())
    if low == high:
        return (low / 2, high * 2) if xscale == "log" else (low - 1.0, high + 1.0)
    return low, high
