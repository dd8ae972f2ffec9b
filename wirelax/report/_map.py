"""Maps of sites and of the users around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from wirelax.report._axes import Width, legend_below, wrap
from wirelax.report._palette import COLOURS
from wirelax.report._style import WIDTHS_INCH, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["scatter_map"]

_SITE_MARKERS = "^sDPp*"


def scatter_map(
    positions_m: ArrayLike,
    value_db: ArrayLike,
    label: str,
    sites_m: Mapping[str, ArrayLike] | None = None,
    *,
    title: str | None = None,
    width: Width = "single",
    limits_db: tuple[float, float] | None = None,
) -> Figure:
    """Points on a map coloured by a level in dB, with the sites that serve them.

    Points whose level is not finite (no path, no coverage) are grey crosses, counted in the legend.

    Args:
        positions_m: positions of the points, [points, 2 or 3] in m; a height is not drawn.
        value_db: level at each point, [points].
        label: label of the colour bar, with its unit.
        sites_m: positions of sites, [sites, 2 or 3] in m, by kind (``"Macro BS"``).
        title: title of the figure.
        width: ``"single"`` (3.5 inch) or ``"double"`` (7.2 inch).
        limits_db: levels at the ends of the colour bar; default the range of the levels.

    Returns:
        The figure.

    Raises:
        ValueError: arrays of other shapes, or no finite level.
    """
    points, level = _positions("positions_m", positions_m), np.asarray(value_db, dtype=float)
    if level.shape != points.shape[:1]:
        raise ValueError(f"value_db: got shape {level.shape}, want {points.shape[:1]}, one level a position")
    finite = np.isfinite(level)
    if not finite.any():
        raise ValueError(f"nothing to draw: none of the {level.size} levels is finite")
    sites = {name: _positions(f"sites_m[{name!r}]", at) for name, at in (sites_m or {}).items()}
    inches = WIDTHS_INCH.get(width, 0.0)
    low, high = limits_db or (None, None)
    corners = _corners(np.concatenate([points, *sites.values()]))
    with styled():
        figure, axes = new_figure(width, _height(inches, corners))
        size = float(np.clip(4000.0 * (inches / 3.5) ** 2 / level.size, 1.0, 16.0))
        x, y = points[finite].T
        drawn = axes.scatter(x, y, size, level[finite], cmap="viridis", vmin=low, vmax=high, linewidths=0)
        handles, names = [], []
        for index, (name, at) in enumerate(sites.items()):
            look = {
                "marker": _SITE_MARKERS[index % len(_SITE_MARKERS)],
                "color": COLOURS[(1, 6, 3)[index % 3]],
            }
            handles.append(axes.scatter(*at.T, 42, **look, edgecolors="white", linewidths=0.8, zorder=3))
            names.append(name)
        if not finite.all():
            handles.append(axes.scatter(*points[~finite].T, 8, color="#888888", marker="x", linewidths=0.8))
            names.append(f"no level ({np.count_nonzero(~finite):,} of {level.size:,})")
        axes.set(xlabel="x (m)", ylabel="y (m)")
        axes.margins(0.0)
        axes.update_datalim(corners)
        axes.set_aspect("equal", adjustable="datalim")  # a box of fixed aspect upsets the layout
        axes.locator_params(nbins=5 if width == "single" else 8)
        if title:
            axes.set_title(wrap(title, inches - 0.9))
        bar = figure.colorbar(drawn, ax=axes, extend=_extend(level[finite], limits_db), shrink=0.95)
        bar.set_label(wrap(label, 2.2))
        bar.ax.tick_params(labelsize=7.5)
        if handles:
            legend_below(figure, handles, names, handle_length=1.2)
    return figure


def _positions(name: str, values: ArrayLike) -> np.ndarray:
    """Horizontal coordinates, [points, 2]."""
    array = np.asarray(values, dtype=float)
    if array.ndim != 2 or array.shape[1] not in (2, 3) or not np.isfinite(array[:, :2]).all():
        raise ValueError(f"{name}: got shape {array.shape}, want finite positions [points, 2 or 3] in m")
    return array[:, :2]


def _corners(positions: np.ndarray) -> np.ndarray:
    """Lower left and upper right corner of the map, in m, with a margin; at least 20 m apart."""
    low, high = positions.min(axis=0), positions.max(axis=0)
    margin = 0.04 * max(np.max(high - low), 1.0) + np.maximum(0.0, 20.0 - (high - low)) / 2
    return np.stack([low - margin, high + margin])


def _height(inches: float, corners: np.ndarray) -> float:
    """Height of the figure in inch, for equal scales on both axes without empty space."""
    across, up = corners[1] - corners[0]
    return float(0.6 + np.clip(up / across, 0.4, 1.4) * (inches - 1.35))


def _extend(level: np.ndarray, limits_db: tuple[float, float] | None) -> str:
    """Ends of the colour bar to draw as arrows, as there are levels beyond."""
    if limits_db is None:
        return "neither"
    beyond = (bool(level.min() < limits_db[0]), bool(level.max() > limits_db[1]))
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[beyond]
