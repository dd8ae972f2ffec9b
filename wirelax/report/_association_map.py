"""Maps of who serves whom: BSs, UEs and a line between each UE and its BS, one panel a decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from wirelax.report._axes import legend_below, wrap
from wirelax.report._map import _corners, _positions
from wirelax.report._palette import COLOURS
from wirelax.report._style import WIDTHS_INCH, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["association_map"]

MACRO, SMALL, LINE, SILENT = COLOURS[1], COLOURS[0], "#777777", "#BBBBBB"
QUIET_DB = -60.0
"""Powers below this share of the budget are drawn as silent."""


def association_map(
    ue_position_m: ArrayLike,
    bs_position_m: ArrayLike,
    is_macro: ArrayLike,
    decisions: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    boxes_m: ArrayLike | None = None,
) -> Figure:
    """Panels side by side, one a decision: a line joins every UE to its BS, and BSs that are silent are pale.

    Args:
        ue_position_m: [ue, 2 or 3], m.
        bs_position_m: [bs, 2 or 3], m.
        is_macro: which BSs are macros [bs].
        decisions: title -> (association [ue], -1 for none; power over budget [bs]).
        boxes_m: footprints of buildings, corners [building, 4]: x and y of the lowest, x and y of the highest, m.

    Raises:
        ValueError: no decision, or arrays of other shapes.
    """
    ues, sites = _positions("ue_position_m", ue_position_m), _positions("bs_position_m", bs_position_m)
    macro = np.asarray(is_macro, bool)
    if not decisions:
        raise ValueError("nothing to draw: there is no decision; give one at least")
    chosen = {title: _checked(title, pair, len(ues), len(sites)) for title, pair in decisions.items()}
    corners = _corners(np.concatenate([ues, sites]))
    inches = WIDTHS_INCH["double"]
    across, up = corners[1] - corners[0]
    height = 0.9 + float(np.clip(up / across, 0.4, 1.6)) * (inches - 0.7) / len(chosen)
    with styled():
        figure, first = new_figure("double", height)
        first.remove()
        panels = np.atleast_1d(np.asarray(figure.subplots(1, len(chosen), sharex=True, sharey=True)))
        handles: dict[str, Any] = {}
        for axes, (title, (association, power)) in zip(panels, chosen.items(), strict=True):
            _draw_boxes(axes, boxes_m)
            handles |= _panel(axes, ues, sites, macro, association, power)
            axes.set(xlabel="x (m)", xlim=corners[:, 0], ylim=corners[:, 1], aspect="equal")
            axes.set_title(wrap(title, (inches - 0.7) / len(chosen)))
            axes.locator_params(nbins=5)
        panels[0].set_ylabel("y (m)")
        legend_below(figure, list(handles.values()), list(handles), handle_length=1.2)
    return figure


def _checked(title: str, pair: tuple[ArrayLike, ArrayLike], ues: int, bss: int) -> tuple[np.ndarray, np.ndarray]:
    association, power = np.asarray(pair[0], int), np.asarray(pair[1], float)
    if association.shape != (ues,) or power.shape != (bss,):
        raise ValueError(
            f"{title!r}: got an association of shape {association.shape} and powers of shape {power.shape}, "
            f"want ({ues},) and ({bss},)"
        )
    return association, power


def _panel(
    axes: Axes, ues: np.ndarray, sites: np.ndarray, macro: np.ndarray, association: np.ndarray, power: np.ndarray
) -> dict[str, Any]:
    """Draw one decision; the handles of the legend."""
    from matplotlib.collections import LineCollection

    on = power > 10 ** (QUIET_DB / 10)
    served = association >= 0
    heard = served & on[np.maximum(association, 0)]
    ends = np.stack([ues, sites[np.maximum(association, 0)]], 1)
    found: dict[str, Any] = {}
    for which, colour, style, name in (
        (served & ~heard, SILENT, ":", "UE to a silent BS"),
        (heard, LINE, "-", "UE to its BS"),
    ):
        lines = LineCollection(list(ends[which]), colors=colour, linewidths=0.6, linestyles=style, zorder=1)
        axes.add_collection(lines)
        if which.any():
            found[name] = lines
    looks = ((macro, MACRO, "^", 46, "macro BS"), (~macro, SMALL, "s", 16, "small BS"))
    for kind, colour, marker, size, name in looks:
        at, off = sites[kind & on], sites[kind & ~on]
        style = {"marker": marker, "linewidths": 0.6, "zorder": 3}
        if len(at):
            found[name] = axes.scatter(*at.T, size, color=colour, edgecolors="white", **style)
        if len(off):
            found[f"{name}, silent"] = axes.scatter(*off.T, size, facecolors="white", edgecolors=SILENT, **style)
    found["UE"] = axes.scatter(*ues[served].T, 6, color="black", linewidths=0, zorder=2)
    if not served.all():
        found["UE out of reach"] = axes.scatter(*ues[~served].T, 12, color=COLOURS[3], marker="x", linewidths=0.8)
    return found


def _draw_boxes(axes: Axes, boxes_m: ArrayLike | None) -> None:
    from matplotlib.patches import Rectangle

    for left, low, right, high in np.asarray([] if boxes_m is None else boxes_m, float).reshape(-1, 4):
        axes.add_patch(Rectangle((left, low), right - left, high - low, color="#EEEEEE", linewidth=0, zorder=0))
