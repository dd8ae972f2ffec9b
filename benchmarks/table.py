"""Measured rows as one table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wirelax.report.table import to_markdown

from .timing import best_seconds

__all__ = ["to_table"]


def to_table(
    results: Sequence[Mapping[str, Any]], unit: str | None = None, more: Mapping[str, str] | None = None
) -> str:
    """Name, time per item, items per second and ratios of the rows that were measured, as Markdown.

    Args:
        results: rows of `benchmarks.run`; those without a time are left out.
        unit: only rows that count this, such as "channel"; all by default.
        more: further fields of the rows to show, with their headers.
    """
    rows, more = [], more or {}
    for each in results:
        if each["seconds"] is None or unit not in (None, each["unit"]):
            continue
        best = best_seconds(dict(each))
        rows.append(
            {
                "name": each["name"],
                "item": each["unit"],
                "best_seconds": best,
                "median_seconds": each["seconds"] / each["count"],
                "per_second": 1 / best,
                "times_as_long": each.get("times_as_long"),
                **{name: each.get(name) for name in more},
            }
        )
    item = unit or "item"
    labels = {
        "name": "what",
        **({} if unit else {"item": "item"}),
        "best_seconds": f"time per {item} (best run)",
        "median_seconds": "median run",
        "per_second": f"{item}s per second",
        "times_as_long": "times as long as wirelax",
        **more,
    }
    return to_markdown(rows, list(labels), labels)
