"""Horizontal bars with their values, beside the numbers of a reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from wirelax.report._axes import Width, few_ticks, legend_below, literal, readable_log_ticks, require, wrap
from wirelax.report._format import MISSING, format_number, format_si
from wirelax.report._palette import COLOURS
from wirelax.report._style import WIDTHS_INCH, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["bars"]


def bars(
    values: Mapping[str, float],
    xlabel: str,
    reference: Mapping[str, float] | None = None,
    *,
    log: bool = False,
    unit: str | None = None,
    title: str | None = None,
    legend: tuple[str, str] = ("this run", "paper"),
    width: Width = "single",
) -> Figure:
    """One horizontal bar a name, first on top, each with its value in figures.

    A value that is not finite (or not positive on a logarithmic axis) has no bar, only its text.

    Args:
        values: the values by name.
        xlabel: label of the value axis, with its unit.
        reference: values to draw beside, such as a paper's, for some or all of the names.
        log: logarithmic value axis.
        unit: unit of the values, to write them in engineering form (``"s"`` gives ``9.1 µs``).
        title: title of the figure.
        legend: what `values` and `reference` are called; shown only with a reference.
        width: ``"single"`` (3.5 inch) or ``"double"`` (7.2 inch).

    Returns:
        The figure.

    Raises:
        ValueError: no values, nothing to draw, or a reference for an unknown name.
    """
    reference = reference or {}
    names = list(require(values))
    unknown = [name for name in reference if name not in values]
    if unknown:
        raise ValueError(f"the reference {unknown[0]!r} has no bar; the bars are {', '.join(names)}")
    groups = [np.array([float(values[name]) for name in names])]
    if reference:
        groups.append(np.array([float(reference.get(name, np.nan)) for name in names]))
    low, high = _limits(np.concatenate(groups), log, 0.3 if width == "single" else 0.13)
    inches = WIDTHS_INCH.get(width, 0.0)
    paired = np.array([name in reference for name in names])
    with styled():
        labels = [wrap(literal(name), 0.4 * inches) for name in names]
        row = max(0.36 if reference else 0.2, 0.05 + 0.13 * max(1 + label.count("\n") for label in labels))
        figure, axes = new_figure(width, 0.75 + len(names) * row)
        axes.set(xscale="log" if log else "linear", xlim=(low, high))
        thick = 0.4 if reference else 0.65
        drawn = []
        for place, group in enumerate(groups):
            centre = np.arange(len(names)) + np.where(paired, thick * (place - 0.5), 0.0)
            shown = np.isfinite(group) & ((group > 0) | (not log))
            start = low if log else 0.0
            drawn.append(axes.barh(centre, np.where(shown, group, start) - start, thick, left=start, **_LOOKS[place]))
            texts = [_text(value, unit) if place == 0 or two else "" for value, two in zip(group, paired)]
            axes.bar_label(drawn[-1], texts, padding=3, fontsize=7.0)
        axes.set_yticks(range(len(names)), labels)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(wrap(xlabel, inches - 1.0))
        if title:
            axes.set_title(wrap(title, inches - 1.0))
        if low < 0 and not log:
            axes.axvline(0.0, color="black", linewidth=0.7)
        few_ticks(axes, width)
        readable_log_ticks(axes.xaxis, unit)
        if reference:
            legend_below(figure, drawn, legend)
    return figure


_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": COLOURS[0]},
    {"facecolor": "white", "edgecolor": COLOURS[1], "hatch": "//////", "linewidth": 0.7},
)


def _text(value: float, unit: str | None) -> str:
    if not np.isfinite(value):
        return MISSING
    text = format_si(value, unit) if unit else format_number(value, 3)
    return text.replace("-", "\N{MINUS SIGN}")


def _limits(values: np.ndarray, log: bool, room: float) -> tuple[float, float]:
    """Limits of the value axis, with `room` (a fraction of the axis) for the text at the ends of the bars."""
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    if values.size == 0:
        raise ValueError(f"nothing to draw: no value is {'finite and positive' if log else 'finite'}")
    low, high = float(values.min()), float(values.max())
    if log:
        # From well under the shortest bar, so that it can be seen.
        low = 10.0 ** np.floor(np.log10(low / 2.0))
        return low, float(high * (high / low) ** room)
    low, high = min(low, 0.0), max(high, 0.0)
    span = (high - low) or 1.0
    return low - room * span * (low < 0), high + room * span * (high > 0 or low == 0)
