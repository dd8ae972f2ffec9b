"""A field of the configuration varied over values: rows first, then table, figures and page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wirelax.report import figures
from wirelax.report._format import prefixed_unit
from wirelax.report.html import About, FigureItem, Section, figure_item, write_report
from wirelax.report.machine import machine_summary
from wirelax.report.rows import RATIO_DEFINITION, comparison_rows, units_of
from wirelax.report.table import write_table

__all__ = ["sweep_figures", "sweep_rows", "sweep_series", "write_sweep"]

_AS_ZERO = "utility_mean_infeasible_as_zero"
_PREFIXED = ("bit/s", "Hz")
"""Units whose numbers are long without a prefix."""
_SUFFIXES = {"bit/s": "_bps"}


def sweep_rows(
    system: Any, field: str, value: Any, results: Mapping[str, Any], *, line: str = ""
) -> list[dict[str, Any]]:
    """Rows of one value of a sweep, one a method; the rows of all values together are its table.

    Those of `wirelax.report.rows.comparison_rows` with the value in a column of the field's name,
    ``feasible_fraction``, and the mean with infeasible channels counting as 0: the mean over the others rises when
    only good ones are left.

    Args:
        system: the system of the results.
        field: of the configuration.
        value: it has here, a number or text.
        results: `wirelax.systems.run.BatchResult` by method.
        line: label of what else differs, where a sweep has several lines a method.
    """
    where = {field: value, **({"line": line} if line else {})}
    rows = []
    for row in comparison_rows(system, results):
        result = results[row["method"]]
        more = {
            _AS_ZERO: float(np.where(result.feasible, result.utility, 0.0).mean(dtype=float)),
            "feasible_fraction": float(np.mean(result.feasible)),
        }
        rows.append({"method": row["method"], **where, **row, **more})
    return rows


def sweep_series(
    field: str, rows: Sequence[Mapping[str, Any]], column: str
) -> dict[str, tuple[list[Any], list[float]]]:
    """Values of the field and of a column by method (and line), in the order of the rows; None becomes NaN."""
    series: dict[str, tuple[list[Any], list[float]]] = {}
    for row in rows:
        name = f"{row['method']}, {row['line']}" if row.get("line") else row["method"]
        values, numbers = series.setdefault(name, ([], []))
        values.append(row[field])
        numbers.append(np.nan if row.get(column) is None else float(row[column]))
    return series


def sweep_figures(
    system: Any,
    field: str,
    rows: Sequence[Mapping[str, Any]],
    directory: Path,
    *,
    unit: str = "",
    stem: str = "sweep_",
    title: str = "",
) -> dict[str, FigureItem]:
    """Draw a sweep and write each figure as PNG and PDF.

    Args:
        system: says what the utility is called, and its unit.
        field: of the configuration.
        rows: of `sweep_rows`, those of all values.
        directory: where the files go.
        unit: of the field.
        stem: before the key in the names of the files.
        title: of the sweep, first in the captions.

    Returns:
        Figures by key: ``utility``, ``feasible`` where some result is infeasible, and the system's ``sweep_columns``.
    """
    xscale, xunit = _axis_unit([row[field] for row in rows], unit)
    xlabel = _axis_label(field, unit, xunit)
    largest = max(abs(row[_AS_ZERO]) for row in rows)
    scale, prefixed = prefixed_unit(largest, system.utility_unit)
    quantity = system.utility_name.replace("_", " ")
    shown = {"utility": (_AS_ZERO, scale, f"Mean {quantity} ({prefixed})")}
    if min(row["feasible_fraction"] for row in rows) < 1:
        shown["feasible"] = ("feasible_fraction", 1.0, "Fraction of channels feasible")
    shown |= {column: (column, 1.0, label) for column, label in system.sweep_columns.items()}
    items = {}
    for key, (column, divisor, ylabel) in shown.items():
        scale = "log" if column == "seconds_per_channel" else "linear"
        figure = _figure(sweep_series(field, rows, column), (xscale, divisor), xlabel, ylabel, scale)
        about = f"{ylabel} against {xlabel}, {rows[0]['count']} channels a value."
        if key == "utility" and "feasible" in shown:
            about += " Infeasible channels count as 0."
        caption = f"{title}: {about}" if title else about
        items[key] = figure_item(figure, caption, directory / f"{stem}{key}", pdf=True)
    return items


def write_sweep(
    system: Any,
    field: str,
    rows: Sequence[Mapping[str, Any]],
    directory: Path,
    *,
    unit: str = "",
    command: str = "",
    seed: int | None = None,
    source: str = "",
) -> Path:
    """Write table.json, table.md, table.csv, figures (PNG and PDF) and report.html of a sweep.

    Args:
        system: the system of the results.
        field: of the configuration.
        rows: of `sweep_rows`, those of all values.
        directory: where the files go; made if missing.
        unit: of the field.
        command: what makes this page, as typed.
        seed: of channels and methods.
        source: where the channels come from, in words.

    Returns:
        The path of the page.
    """
    directory, units, labels = Path(directory), units_of(system), {field: _axis_label(field, unit)}
    write_table(rows, directory, units=units, labels=labels)
    section = Section(
        title=f"{_axis_label(field, unit)}: {len({str(row[field]) for row in rows})} values",
        text=[RATIO_DEFINITION],
        rows=rows,
        figures=list(sweep_figures(system, field, rows, directory, unit=unit).values()),
        units=units,
        labels=labels,
    )
    about = About.of(system, command=command, seed=seed, source=source)
    title = f"wirelax sweep {system.name}"
    return write_report(directory / "report.html", title, [section], machine_summary(), about)


def _axis_unit(values: Sequence[Any], unit: str) -> tuple[float, str]:
    """What numbers on an axis are divided by, and the unit that they have then: megabits, say."""
    if unit not in _PREFIXED or any(isinstance(value, str) for value in values):
        return 1.0, unit
    return prefixed_unit(max(abs(value) for value in values), unit)


def _axis_label(field: str, unit: str, shown: str | None = None) -> str:
    """``noise_dbm`` in dBm is "noise (dBm)"; the unit may be shown with a prefix."""
    name = field.removesuffix(_SUFFIXES.get(unit, f"_{unit.lower()}")).replace("_", " ")
    return f"{name} ({shown or unit})" if unit else name


def _figure(
    series: Mapping[str, tuple[list[Any], list[float]]],
    divisors: tuple[float, float],
    xlabel: str,
    ylabel: str,
    yscale: Any,
) -> Any:
    """Lines over numbers, on a logarithmic axis if they span much of one, or over names at equal distances."""
    values = list(dict.fromkeys(value for line in series.values() for value in line[0]))
    named = any(isinstance(value, str) for value in values)
    place = {value: number for number, value in enumerate(values)} if named else {value: value for value in values}
    lines = {
        name: (np.array([place[value] for value in x], float) / divisors[0], np.asarray(y) / divisors[1])
        for name, (x, y) in series.items()
    }
    wide = not named and min(values) > 0 and max(values) >= 100 * min(values)
    figure = figures.lines(lines, xlabel, ylabel, yscale=yscale, xscale="log" if wide else "linear")
    if named:
        figure.axes[0].set_xticks(range(len(values)), [str(value) for value in values])
    return figure
