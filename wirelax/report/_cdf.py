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
    style_indices,
)
from wirelax.report._style import curve_style, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["cdf"]

# Finer than any printer: the curve is exact at each corner, and at most 1/5000 lower in between.
_MOST_CORNERS = 5000


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

    Exact up to 5000 different samples; of more, only the steps at 5000 of them are drawn. Non-finite
    samples are left out, and the legend says how many. On a logarithmic axis samples at or below zero
    count, so the curve starts at their fraction.

    Args:
        series: samples of any shape by name.
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
        ValueError: no series, one without a finite sample, no positive sample for a logarithmic axis,
            or limits out of order.
    """
    samples, labels = {}, {}
    for name, values in require(series).items():
        flat = np.asarray(values, dtype=float).ravel()
        samples[name] = np.sort(flat[np.isfinite(flat)])
        labels[name] = count_label(name, flat.size, samples[name].size, "not finite")
    low, high = _range(samples.values(), xscale, xlim)
    with styled():
        figure, axes = curve_axes((xlabel, ylabel), title, width, (xscale, "linear"))
        curves = []
        for name, index in style_indices(samples, order).items():
            x, y = _steps(samples[name], low, high)
            spacing = (0.02 + 0.025 * (index % 7), 0.18)
            curves += axes.plot(x, y, drawstyle="steps-post", markevery=spacing, **curve_style(index))
        axes.set(xlim=xlim or (low, high), ylim=(0.0, 1.03))
        few_ticks(axes, width)
        readable_log_ticks(axes.xaxis)
        legend_below(figure, curves, list(labels.values()))
    return figure


def _range(samples: Iterable[np.ndarray], xscale: Scale, xlim: tuple[float, float] | None) -> tuple[float, float]:
    """First and last value that the curves are drawn over."""
    values = np.concatenate(list(samples))
    if xscale == "log":
        values = values[values > 0]
    if xlim is not None:
        if not (xlim[0] < xlim[1] and (xscale != "log" or xlim[0] > 0)):
            raise ValueError(f"got xlim {xlim}, want (low, high) with low < high, and low > 0 on a log axis")
        return xlim[0], max(xlim[1], values.max(initial=xlim[1]))
    if values.size == 0:
        raise ValueError("no sample is positive, so there is nothing to draw on a log axis; use xscale='linear'")
    low, high = float(values.min()), float(values.max())
    if low == high:
        return (low / 2, high * 2) if xscale == "log" else (low - 1.0, high + 1.0)
    return low, high


def _steps(samples: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the distribution function from `low` to `high`, at most `_MOST_CORNERS` in between."""
    below = np.count_nonzero(samples < low)
    values, counts = np.unique(samples[below:], return_counts=True)
    reached = below + np.cumsum(counts)
    if values.size > _MOST_CORNERS:
        kept = np.unique(np.searchsorted(reached, np.linspace(reached[0], reached[-1], _MOST_CORNERS)))
        values, reached = values[kept], reached[kept]
    fraction = np.concatenate([[below], reached]) / samples.size
    return np.concatenate([[low], values, [max(high, samples[-1])]]), np.append(fraction, 1.0)
