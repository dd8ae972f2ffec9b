"""The table of a run: one row a method, as strict JSON and CSV for scripts and as Markdown for people."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from wirelax.io.atomic import write_atomic
from wirelax.report._format import format_value, plain
from wirelax.report._labels import label_of

__all__ = ["Row", "Tabulated", "tabulate", "to_csv", "to_json", "to_markdown", "write_table"]

Row = Mapping[str, Any]
"""One row of a table: values by column name. A missing column is the same as None."""

_FAILURES = ("not_converged", "infeasible_fraction")
"""Columns that people need to see only where there is something in them."""


class Tabulated(NamedTuple):
    """A table as text: column headers, which columns hold numbers, and the cells row by row."""

    header: list[str]
    numeric: list[bool]
    cells: list[list[str]]


def to_json(rows: Sequence[Row]) -> str:
    """Rows as strictly valid JSON: a list of objects that all have the same keys in the same order.

    Columns come in the order in which the rows first name them.

    NaN, infinities and missing values become ``null``; NumPy and JAX values become numbers and lists.

    Args:
        rows: the table, at least one row.

    Returns:
        The JSON text, ending in a newline.

    Raises:
        ValueError: there is no row.
        TypeError: a value is not a number, text, None or a list of these; the message names its place.
    """
    data, names = _plain_rows(rows)
    strict = [{name: _finite(row.get(name)) for name in names} for row in data]
    return json.dumps(strict, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(rows: Sequence[Row]) -> str:
    """Rows as CSV with a header of column names; what JSON has as ``null`` is empty, lists are JSON.

    Args:
        rows: the table, at least one row.

    Returns:
        The text, ending in a newline.

    Raises:
        ValueError: there is no row.
        TypeError: as for `to_json`.
    """
    data, names = _plain_rows(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in data:
        values = [_finite(row.get(name)) for name in names]
        writer.writerow([json.dumps(value) if isinstance(value, list | dict) else value for value in values])
    return text.getvalue()


def to_markdown(
    rows: Sequence[Row],
    columns: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    *,
    units: Mapping[str, str] | None = None,
) -> str:
    """Rows as a Markdown table, numbers right-aligned and padded so that it reads well as plain text.

    Args:
        rows: the table, at least one row.
        columns: the columns to show, in this order; default all but shares of failures that are 0 everywhere.
        labels: headers by column name, where they differ from those of every report ("time per channel").
        units: units by column name, for the engineering form (``{"utility_mean": "bit/J"}`` gives
            ``5.12 Mbit/J``); columns of seconds need none.

    Returns:
        The Markdown text, ending in a newline.

    Raises:
        ValueError: there is no row, or a column of `columns` is in none of them.
        TypeError: as for `to_json`.
    """
    table = tabulate(rows, columns, labels, units)
    lines = [[_escape(text) for text in line] for line in (table.header, *table.cells)]
    widths = [max(3, *map(len, column)) for column in zip(*lines)]
    padded = [
        [text.rjust(w) if right else text.ljust(w) for text, w, right in zip(line, widths, table.numeric)]
        for line in lines
    ]
    rule = ["-" * (w - 1) + (":" if right else "-") for w, right in zip(widths, table.numeric)]
    return "".join(f"| {' | '.join(line)} |\n" for line in (padded[0], rule, *padded[1:]))


def write_table(
    rows: Sequence[Row],
    directory: str | os.PathLike[str],
    stem: str = "table",
    *,
    columns: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
) -> tuple[Path, Path, Path]:
    """Write ``<stem>.json``, ``<stem>.md`` and ``<stem>.csv``; on bad rows nothing is written.

    Args:
        rows: the table; the JSON and the CSV file hold every column.
        directory: where to write; made if missing.
        stem: file name without its ending.
        columns: see `to_markdown`.
        labels: see `to_markdown`.
        units: see `to_markdown`.

    Returns:
        The paths of the JSON, the Markdown and the CSV file.

    Raises:
        ValueError: as for `to_markdown`.
        TypeError: as for `to_json`.
    """
    texts = {".json": to_json(rows), ".md": to_markdown(rows, columns, labels, units=units), ".csv": to_csv(rows)}
    json_path, markdown, table = (write_atomic(Path(directory) / f"{stem}{end}", t) for end, t in texts.items())
    return json_path, markdown, table


def tabulate(
    rows: Sequence[Row],
    columns: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
) -> Tabulated:
    """Format every cell of a table; arguments and errors as for `to_markdown`."""
    data, names = _plain_rows(rows)
    unknown = [name for name in columns or () if name not in names]
    if unknown:
        raise ValueError(f"no row has the column {unknown[0]!r}; the columns are {', '.join(names)}")
    silent = [name for name in _FAILURES if not any(row.get(name) for row in data)]
    names = list(columns) if columns else [name for name in names if name not in silent]
    labels, units = labels or {}, units or {}
    cells = [[format_value(row.get(name), name, units.get(name)) for name in names] for row in data]
    numeric = [all(not isinstance(row.get(name), str | list | dict) for row in data) for name in names]
    return Tabulated([labels.get(name, label_of(name)) for name in names], numeric, cells)


def _plain_rows(rows: Sequence[Row]) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows as plain data, and the names of all columns in order."""
    if len(rows) == 0:
        raise ValueError("the table has no rows; pass at least one mapping of column name to value")
    data = []
    for index, row in enumerate(rows):
        data.append({})
        for name, value in row.items():
            try:
                data[-1][name] = plain(value)
            except TypeError as error:
                raise TypeError(f"row {index}, column {name!r}: {error}") from None
    return data, list(dict.fromkeys(name for row in data for name in row))


def _finite(value: Any) -> Any:
    """The value with None for every NaN and infinity in it."""
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _escape(text: str) -> str:
    """Text of one cell: no line breaks, nothing that Markdown would act on."""
    return re.sub(r"([\\|*`<])", r"\\\1", " ".join(text.split()))
