"""From results of several methods to rows, figures and a page: what every comparison shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wirelax.report import figures
from wirelax.report._format import prefixed_unit
from wirelax.report.html import FigureItem, Section, write_report
from wirelax.report.machine import machine_summary
from wirelax.report.table import write_table

__all__ = ["comparison_figures", "comparison_rows", "write_comparison"]


def comparison_rows(system: Any, results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a method, from `wirelax.systems.run.BatchResult` by name.

    ``ratio_to_best`` is the mean utility over the mean of the best method of each channel; the best is taken
    over the methods compared and over feasible allocations, where a channel has one.
    """
    best = best_utility(results)
    rows = []
    for name, result in results.items():
        count = len(result.utility)
        row = {
            "method": name,
            "count": count,
            "utility_mean": float(result.utility.mean()),
            "utility_median": float(np.median(result.utility)),
            "ratio_to_best": float(result.utility.mean() / best.mean()) if best.mean() > 0 else None,
            "violation_fraction": float(result.violated.mean()),
            "seconds_per_channel": result.seconds / count,
            "compile_seconds": result.compile_seconds,
        }
        rows.append({**row, **system.table_columns(result.utility, best, result.arrays)})
    return rows


def best_utility(results: Mapping[str, Any]) -> np.ndarray:
    """The best feasible utility of every channel over all methods; over all allocations where none is feasible."""
    utility = np.stack([result.utility for result in results.values()])
    feasible = np.stack([result.feasible for result in results.values()])
    return np.where(feasible.any(0), np.where(feasible, utility, -np.inf).max(0), utility.max(0))


def comparison_figures(
    system: Any,
    results: Mapping[str, Any],
    directory: Path,
    *,
    stem: str = "",
    methods: Sequence[str] | None = None,
) -> list[FigureItem]:
    """CDF of the utility, CDF of the error to the best of the methods shown, and time per channel, as PNG files."""
    shown = [name for name in (methods or results) if name in results]
    results = {name: results[name] for name in shown}
    best, quantity = best_utility(results), system.utility_name.replace("_", " ")
    utility = {name: result.utility for name, result in results.items()}
    scale, unit = prefixed_unit(float(best.max()), system.utility_unit)
    error = {
        name: np.abs(value - best)[best > 0] / best[best > 0]
        for name, value in utility.items()
        if np.any(value != best)
    }
    items = [
        (
            "utility_cdf",
            figures.cdf(
                {name: value / scale for name, value in utility.items()},
                f"{quantity.capitalize()} ({unit})",
                width="double",
                order=shown,
            ),
            f"Empirical CDF of the {quantity} over {len(best)} channels.",
        ),
        (
            "time",
            figures.bars(
                {name: results[name].seconds / len(best) for name in shown},
                "Time per channel",
                log=True,
                unit="s",
                width="double",
            ),
            "Running time per channel in a batch, compilation apart.",
        ),
    ]
    if error:
        figure = figures.cdf(
            error,
            f"Relative error of the {quantity}",
            xscale="log",
            xlim=(1e-5, 1.0),
            width="double",
            order=shown,
        )
        caption = f"Empirical CDF of |{quantity} - best| / best, the best taken over the methods shown."
        items.insert(1, ("error_cdf", figure, caption))
    saved = []
    for name, figure, caption in items:
        path = figures.save(figure, directory / f"{stem}{name}.png")
        saved.append(FigureItem(path, caption, caption))
    return saved


def write_comparison(
    system: Any, results: Mapping[str, Any], directory: Path, *, source: str, seed: int
) -> tuple[list[dict[str, Any]], Path]:
    """table.json, table.md, figures and report.html in `directory`; the rows and the page's path."""
    rows = comparison_rows(system, results)
    units = {"utility_mean": system.utility_unit, "utility_median": system.utility_unit}
    write_table(rows, directory, units=units)
    section = Section(
        title=f"{len(results)} methods on {rows[0]['count']} channels",
        text=[
            f"Channels: {source}. Objective: {system.utility_name.replace('_', ' ')} in {system.utility_unit}.",
            "The ratio and the error are taken to the best feasible result of each channel among these methods.",
        ],
        rows=rows,
        figures=comparison_figures(system, results, directory),
        units=units,
    )
    meta = {**machine_summary(), "system": system.name, "seed": str(seed), "channels": source}
    page = write_report(directory / "report.html", f"wirelax compare {system.name}", [section], meta)
    return rows, Path(page)
