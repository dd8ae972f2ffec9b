"""Recipes trained with several seeds: rows of means and spreads first, then a picture of the seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from wirelax.report import figures
from wirelax.report._format import format_number

__all__ = ["SEED_MARK", "beside_paper", "study_figure", "study_rows"]

SEED_MARK = " #"
"""Between the name of a recipe and the seed of one of its trainings, in rows of single seeds."""


def study_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a recipe or method: means over the seeds, and ``COLUMN_std`` wherever they differ.

    Args:
        rows: of `wirelax.report.rows.comparison_rows`, a trained policy called ``RECIPE #SEED``. Empty entries (None)
            and those that are no number are left out of the means.

    Returns:
        Rows with ``seeds``, how many there are, and the sample standard deviations over them.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["method"].split(SEED_MARK)[0], []).append(row)
    found = []
    for name, group in groups.items():
        whole: dict[str, Any] = {"method": name, "seeds": len(group)}
        for column in (key for key in group[0] if key not in ("method", "count")):
            values = [float(row[column]) for row in group if _is_number(row[column])]
            whole[column] = float(np.mean(values)) if values else None
            if len(group) > 1 and len(values) > 1 and column != "compile_seconds":
                whole[f"{column}_std"] = float(np.std(values, ddof=1))
        found.append({**whole, "count": group[0]["count"]})
    columns = dict.fromkeys(column for row in found for column in row)
    return [{column: row.get(column) for column in columns} for row in found]


def _is_number(value: Any) -> bool:
    return value is not None and math.isfinite(value)


def study_figure(rows: Sequence[Mapping[str, Any]], axes: Mapping[str, str], order: Iterable[str] | None = None) -> Any:
    """Every training as a point over two columns of the table, its recipe told by colour and marker.

    Args:
        rows: of single seeds, as for `study_rows`.
        axes: the columns of the horizontal and of the vertical axis -> labels.
        order: all names of a report, so that a name looks the same in every figure.
    """
    (x, xlabel), (y, ylabel) = axes.items()
    points: dict[str, tuple[list[float], list[float]]] = {}
    for row in rows:
        if _is_number(row[x]) and _is_number(row[y]):
            places = points.setdefault(row["method"].split(SEED_MARK)[0], ([], []))
            places[0].append(float(row[x]))
            places[1].append(float(row[y]))
    return figures.points(points, xlabel, ylabel, width="double", order=order)


def beside_paper(rows: Sequence[Mapping[str, Any]], paper: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A sentence for every number that a paper prints of a recipe or method of these rows."""
    lines = []
    for row in rows:
        for column, printed in paper.get(row["method"], {}).items():
            spread = row.get(f"{column}_std")
            ours = format_number(row[column]) + (f" ± {format_number(spread, 2)}" if spread is not None else "")
            lines.append(f"{row['method']}, {column.replace('_', ' ')}: paper {printed:g}, here {ours}.")
    return lines
