"""Speed against quality, one labelled point a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from wirelax.report._axes import Width, curve_axes, literal, readable_log_ticks, require
from wirelax.report._palette import palette
from wirelax.report._style import styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["speed_quality"]

# Directions to try for a label, best first, in degrees; then the same further out, with a line to the point.
_ANGLES = np.radians([0, 180, 90, -90, 35, -35, 145, -145, 65, -65, 115, -115])
_DISTANCES = (6.0, 14.0, 24.0, 36.0, 50.0, 66.0, 84.0)  # points
_LEADER_FROM = 14.0
_FINEST = 1e-3
_TICKS = (1, 0.998, 0.995, 0.99, 0.98, 0.95, 0.9, 0.8, 0.6, 0.4, 0, -1, -4, -9)
"""Distances to 1 well above `_FINEST` are drawn on a logarithmic scale."""


def speed_quality(
    seconds: Mapping[str, float],
    quality: Mapping[str, float | None],
    infeasible: Mapping[str, float] | None = None,
    *,
    title: str | None = None,
    width: Width = "double",
    order: Sequence[str] | None = None,
) -> Figure:
    """Time per channel (logarithmic) against quality, a labelled point for every method.

    The vertical axis is stretched near 1, so that methods within a percent of the best stay apart. A method with a
    share of infeasible results has a hollow point, and its label says the share. Methods without a quality or with a
    time of zero are left out.

    Args:
        seconds: time per channel in s by name.
        quality: ratio to the best by name; None or NaN where there is none.
        infeasible: share of the results that break a constraint, by name; names missing there have none.
        title: title of the figure.
        width: ``"single"`` (3.5 inch) or ``"double"`` (7.2 inch).
        order: all names of a report, so that a name looks the same in every figure.

    Returns:
        The figure.

    Raises:
        ValueError: no method has both a time and a quality.
    """
    infeasible = infeasible or {}
    points = {}
    for name, time in require(seconds).items():
        value = quality.get(name)
        if value is not None and np.isfinite(value) and np.isfinite(time) and time > 0:
            points[name] = (float(time), float(value))
    if not points:
        raise ValueError(f"nothing to draw: none of {', '.join(seconds)} has both a time and a ratio to the best")
    with styled():
        figure, axes = curve_axes(("Time per channel", "Ratio to best"), title, width, ("log", "linear"))
        labels = {}
        for name, style in palette(points, order).items():
            look: dict[str, Any] = {"linestyle": "none", "marker": style["marker"], "color": style["color"]}
            share = infeasible.get(name, 0.0)
            if share > 0:
                look |= {"markerfacecolor": "none", "markeredgewidth": 1.2}
            axes.plot(*points[name], **look, markersize=1.5 * style["markersize"], zorder=3)
            labels[name] = name + (f" ({100 * share:.2g} % infeasible)" if share > 0 else "")
        _set_scales(axes, *np.array(list(points.values())).T)
        readable_log_ticks(axes.xaxis, "s")
        figure.draw_without_rendering()  # fixes where the points lie on the page
        _place_labels(axes, points, labels)
    return figure


def _set_scales(axes: Axes, time: np.ndarray, quality: np.ndarray) -> None:
    """Room for labels around the points, and a vertical axis that is stretched near 1, where good methods crowd."""
    decades = max(1.0, float(np.log10(time.max() / time.min())))
    axes.set_xlim(time.min() / 10 ** (0.12 * decades), time.max() * 10 ** (0.2 * decades))
    axes.set_yscale("function", functions=(_stretch, lambda place: 1 + _FINEST - 10.0**-place))
    low, high = _stretch(np.array([quality.min(), quality.max()]))
    span = max(high - low, 0.3)
    axes.set_ylim(1 + _FINEST - 10.0 ** -(low - 0.12 * span), 1 + _FINEST - 10.0 ** -(high + 0.1 * span))
    ticks: list[float] = []
    for tick in _TICKS:
        if low - 0.12 * span <= _stretch(tick) and (not ticks or _stretch(ticks[-1]) - _stretch(tick) >= 0.05 * span):
            ticks.append(tick)
    axes.set_yticks(ticks)
    axes.yaxis.set_major_formatter("{x:g}")


def _stretch(quality: ArrayLike) -> np.ndarray:
    # The limit at the top is above 1 + _FINEST for nobody: clip what rounding leaves there.
    return -np.log10(np.maximum(1 + _FINEST - np.asarray(quality), 1e-9))


def _place_labels(axes: Axes, points: Mapping[str, tuple[float, float]], labels: Mapping[str, str]) -> None:
    """Write every label at the nearest place where it covers no point and no other label."""
    from matplotlib.transforms import Bbox

    figure: Any = axes.figure
    renderer = figure.canvas.get_renderer()
    dots = figure.dpi / 72  # pixels a point
    centres = {name: axes.transData.transform(point) / dots for name, point in points.items()}
    covered = [Bbox([centre - 4, centre + 4]) for centre in centres.values()]
    inside = Bbox(axes.get_window_extent(renderer).get_points() / dots)
    for name in sorted(centres, key=lambda name: -centres[name][1]):
        look = {"textcoords": "offset points", "fontsize": 7.0, "ha": "center", "va": "center"}
        text = axes.annotate(literal(labels[name]), points[name], (0, 0), **look)
        text.set_in_layout(False)
        extent = text.get_window_extent(renderer)
        distance, box = _free_place(centres[name], np.array([extent.width, extent.height]) / dots, covered, inside)
        covered.append(box)
        text.set_position((box.get_points().mean(axis=0) - centres[name]).tolist())
        if distance >= _LEADER_FROM:
            nearest = np.clip(centres[name], box.min, box.max) - centres[name]
            leader = {"arrowstyle": "-", "color": "#888888", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3}
            line = axes.annotate("", points[name], tuple(nearest), textcoords="offset points", arrowprops=leader)
            line.set_in_layout(False)


def _free_place(centre: np.ndarray, size: np.ndarray, covered: Sequence[Any], inside: Any) -> tuple[float, Any]:
    """Distance and box, in points, of the nearest free place for a label; the first one tried if none is free."""
    from matplotlib.transforms import Bbox

    boxes = []
    for distance, angle in product(_DISTANCES, _ANGLES):
        towards = np.array([np.cos(angle), np.sin(angle)])
        middle = centre + distance * towards + size / 2 * np.sign(towards) * (np.abs(towards) > 0.3)
        box = Bbox([middle - size / 2, middle + size / 2])
        boxes.append((distance, box))
        within = (box.min >= inside.min).all() and (box.max <= inside.max).all()
        if within and not any(box.overlaps(other) for other in covered):
            return distance, box
    return boxes[0]
