"""From results of several methods to figures and a page: what every comparison shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wirelax.report import figures
from wirelax.report._cdf import MOST_CURVES
from wirelax.report._format import prefixed_unit
from wirelax.report.html import About, FigureItem, Section, figure_item, write_report
from wirelax.report.machine import machine_summary
from wirelax.report.rows import (
    RATIO_DEFINITION,
    best_feasible,
    comparison_rows,
    missed_fraction,
    ratio_to_best,
    units_of,
)
from wirelax.report.table import write_table
from wirelax.types import Status

__all__ = ["FIGURES", "comparison_figures", "comparison_rows", "map_figure", "write_comparison"]

FIGURES = ("speed_quality", "utility_cdf", "error_cdf", "time")
"""Keys of the figures of a comparison, in the order of a page."""
METRICS = "metric_cdf"
"""Stands for ``METRIC_cdf`` of every one of the system's ``cdf_metrics``, before the last figure."""
_SHOWN = (0.001, 0.999)
"""Quantiles of a metric between which its distribution is drawn: one outlier would squeeze the rest."""
_SMALLEST_ERROR = 1e-6
"""Relative errors below this are rounding of float32."""


def comparison_figures(
    system: Any,
    results: Mapping[str, Any],
    directory: Path,
    *,
    stem: str = "",
    methods: Sequence[str] | None = None,
    order: Sequence[str] | None = None,
    only: Collection[str] = (*FIGURES, METRICS),
) -> dict[str, FigureItem]:
    """Draw a comparison and write each figure as PNG.

    At most six distribution functions share a picture. Of more results, those of the best method, of the fastest and
    others at equal steps of the ranking by mean utility are drawn. If `methods` names more than six, all are drawn in
    several pictures, each with the first one named; their keys are ``utility_cdf``, ``utility_cdf_2`` and so on.

    Args:
        system: says what the utility is called, and its unit.
        results: `wirelax.systems.run.BatchResult` by method.
        directory: where the files go.
        stem: before the key in the names of the files.
        methods: those to show, the reference first; default all.
        order: all names of the report, so that a method looks the same in every figure; default those of `results`.
        only: keys to draw, of `FIGURES`, and `METRICS`.

    Returns:
        Figures by key. ``error_cdf`` is missing where all methods are equally good, ``speed_quality`` where none has
        a ratio to the best.
    """
    shown = {name: results[name] for name in (methods or results) if name in results}
    order, best = list(order or results), best_feasible(shown)
    pictures = _named_pictures(list(shown)) if methods else [_most_telling(shown)]
    drawn: dict[str, tuple[Any, str] | None] = {}
    if "speed_quality" in only:
        drawn["speed_quality"] = _speed_quality(shown, best, order)
    kinds: dict[str, Any] = {"utility_cdf": _utility_cdf, "error_cdf": _error_cdf}
    if METRICS in only:
        kinds |= {f"{metric}_cdf": partial(_metric_cdf, metric) for metric in system.cdf_metrics}
    for kind, draw in kinds.items():
        for number, names in enumerate(pictures if kind in only or kind not in FIGURES else (), 1):
            found = draw(system, {name: shown[name] for name in names}, best, order)
            if found and len(names) < len(shown) and not methods:
                note = f" Of {len(shown)} methods the best, the fastest and some between them and the last are shown."
                found = (found[0], found[1] + note)
            drawn[kind if number == 1 else f"{kind}_{number}"] = found
    if "time" in only:
        drawn["time"] = _time(shown)
    return {key: figure_item(*found, directory / f"{stem}{key}") for key, found in drawn.items() if found}


def map_figure(
    system: Any, channels: Mapping[str, Any], results: Mapping[str, Any], directory: Path, *, stem: str = ""
) -> dict[str, FigureItem]:
    """Who serves whom in the first channel, by the first method and the best; empty where places are unknown.

    Args:
        system: whose ``places`` say where UEs and BSs stand.
        channels: with a leading batch axis.
        results: `wirelax.systems.run.BatchResult` of these channels by method.
        directory: where the file goes, as ``map.png``.
        stem: before that name.
    """
    places = system.places(channels) if channels else None
    if places is None:
        return {}
    best = max(results, key=lambda name: results[name].utility[0])
    budget_w = np.asarray(system.max_power_w())
    decisions = {}
    for name in dict.fromkeys([next(iter(results)), best]):
        arrays = results[name].arrays
        title = f"{name}: {results[name].utility[0]:.1f} {system.utility_unit}"
        decisions[title] = arrays["association"][0], arrays["power_w"][0] / budget_w
    figure = figures.association_map(**places, decisions=decisions)
    caption = "Who serves whom in the first channel, by the first of the methods and by the best of them there."
    return {"map": figure_item(figure, caption, directory / f"{stem}map")}


def write_comparison(
    system: Any,
    results: Mapping[str, Any],
    directory: Path,
    *,
    source: str,
    seed: int,
    command: str = "",
    channels: Mapping[str, Any] | None = None,
) -> tuple[list[dict[str, Any]], Path]:
    """Write table.json, table.md, table.csv, figures and report.html.

    Args:
        system: the system of the results.
        results: `wirelax.systems.run.BatchResult` by method.
        directory: where the files go.
        source: where the channels come from, in words.
        seed: of channels and methods.
        command: what makes this page, as typed.
        channels: that were solved, for a map where they hold places.

    Returns:
        The rows of the table and the path of the page.
    """
    rows, units = comparison_rows(system, results), units_of(system)
    write_table(rows, directory, units=units)
    section = Section(
        title=f"{len(results)} methods on {rows[0]['count']} channels",
        text=[f"Mean and median are those of the {_quantity(system)}.", RATIO_DEFINITION],
        rows=rows,
        figures=[
            *map_figure(system, channels or {}, results, directory).values(),
            *comparison_figures(system, results, directory).values(),
        ],
        units=units,
    )
    about = About.of(system, command=command, seed=seed, source=source)
    page = write_report(
        directory / "report.html", f"wirelax compare {system.name}", [section], machine_summary(), about
    )
    return rows, page


def _quantity(system: Any) -> str:
    return system.utility_name.replace("_", " ")


def _named_pictures(names: list[str]) -> list[list[str]]:
    """Groups of at most `MOST_CURVES` names, each with the first one."""
    if len(names) <= MOST_CURVES:
        return [names]
    count = -(-(len(names) - 1) // (MOST_CURVES - 1))
    return [[names[0], *map(str, part)] for part in np.array_split(names[1:], count)]


def _most_telling(results: Mapping[str, Any]) -> list[str]:
    """At most `MOST_CURVES` names: the best, the fastest, and others at equal steps of the ranking by mean utility."""
    mean = {name: np.where(result.feasible, result.utility, 0.0).mean() for name, result in results.items()}
    ranked = sorted(results, key=lambda name: -mean[name])
    kept = dict.fromkeys([ranked[0], min(results, key=lambda name: results[name].seconds)])
    others = [name for name in ranked if name not in kept]
    places = np.linspace(0, len(others) - 1, min(len(others), MOST_CURVES - len(kept))).round().astype(int)
    kept |= dict.fromkeys(others[place] for place in places)
    return [name for name in results if name in kept]


def _speed_quality(results: Mapping[str, Any], best: np.ndarray, order: Sequence[str]) -> tuple[Any, str] | None:
    ratio = {name: ratio_to_best(result, best) for name, result in results.items()}
    if all(value is None for value in ratio.values()):
        return None
    count = len(best)
    seconds = {name: result.seconds / count for name, result in results.items()}
    without = [name for name, value in ratio.items() if value is None]
    caption = (
        f"Speed and quality of {len(ratio)} methods on {count} channels, compilation apart; the vertical axis is "
        "stretched near 1. Hollow: the method fails on some of the channels that another one solves feasibly."
    )
    if without:
        caption += f" No feasible result: {', '.join(without)}."
    return figures.speed_quality(seconds, ratio, missed_fraction(results), order=order), caption


def _utility_cdf(
    system: Any, results: Mapping[str, Any], best: np.ndarray, order: Sequence[str]
) -> tuple[Any, str] | None:
    """Of all results, feasible or not; None if none is a number."""
    utility = {name: np.asarray(result.utility, float) for name, result in results.items()}
    finite = {name: values for name, values in utility.items() if np.isfinite(values).any()}
    if not finite:
        return None
    known = best[np.isfinite(best)] if np.isfinite(best).any() else np.concatenate(list(finite.values()))
    scale, unit = prefixed_unit(float(np.abs(known[np.isfinite(known)]).max()), system.utility_unit)
    series = {name: values / scale for name, values in finite.items()}
    figure = figures.cdf(series, f"{_quantity(system).capitalize()} ({unit})", width="double", order=order)
    caption = f"Empirical CDF of the {_quantity(system)} over {len(best)} channels."
    broken = {name: np.mean(~result.feasible) for name, result in results.items()}
    if any(broken.values()):
        shares = ", ".join(f"{name} {100 * share:.2g} %" for name, share in broken.items() if share)
        caption += f" Infeasible results are among them: {shares}."
    return figure, caption


def _error_cdf(
    system: Any, results: Mapping[str, Any], best: np.ndarray, order: Sequence[str]
) -> tuple[Any, str] | None:
    """From the smallest error that matters to the largest; None if there is none."""
    known = np.isfinite(best) & (best != 0)
    reference = np.abs(best[known])
    error = {
        name: np.where(result.feasible[known], np.abs(result.utility[known] - best[known]) / reference, np.inf)
        for name, result in results.items()
    }
    pooled = np.concatenate(list(error.values()))
    positive = pooled[np.isfinite(pooled) & (pooled > _SMALLEST_ERROR)]
    if positive.size == 0:
        return None
    low = max(float(f"{np.quantile(positive, 0.02):.0e}"), _SMALLEST_ERROR)
    high = 10.0 ** np.ceil(np.log10(positive.max()))
    low = min(low, high / 10)
    label = f"Relative error of the {_quantity(system)}"
    figure = figures.cdf(error, label, xscale="log", xlim=(low, high), width="double", order=order)
    caption = f"Empirical CDF of (best - {_quantity(system)}) / best over the channels that some method solves."
    exact = [name for name, values in error.items() if (values <= low).all()]
    if exact:
        caption += f" Best everywhere, so at 1 from the left edge on: {', '.join(exact)}."
    if np.isinf(pooled).any():
        caption += " A curve that ends below 1 is of a method with infeasible results: these count, but have no error."
    return figure, caption


def _metric_cdf(
    metric: str, system: Any, results: Mapping[str, Any], best: np.ndarray, order: Sequence[str]
) -> tuple[Any, str] | None:
    """Of all entries of a metric in the results that a method does not call infeasible."""
    series = {}
    for name, result in results.items():
        values = np.asarray(result.arrays[metric], float)[np.asarray(result.status) != Status.INFEASIBLE]
        if np.isfinite(values).any():
            series[name] = values
    if not series:
        return None
    label, pooled = system.cdf_metrics[metric], np.concatenate([values.ravel() for values in series.values()])
    low, high = np.quantile(pooled[np.isfinite(pooled)], _SHOWN)
    room = max(0.05 * (high - low), 0.02 * max(abs(low), abs(high)), 1e-3)
    figure = figures.cdf(series, label, xlim=(low - room, high + room), width="double", order=order)
    return figure, f"Empirical CDF: {label[0].lower()}{label[1:]}, over {len(best)} channels."


def _time(results: Mapping[str, Any]) -> tuple[Any, str]:
    seconds = {name: result.seconds / len(result.utility) for name, result in results.items()}
    figure = figures.bars(seconds, "Time per channel", log=True, unit="s", width="double")
    return figure, "Running time per channel in a batch, compilation apart."
