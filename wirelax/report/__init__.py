"""Tables, figures and one self-contained HTML page of a run.

Knows no problem by name: everything comes in as rows, series and text. Values come first (`wirelax.report.rows`,
`wirelax.report.sweep.sweep_rows`), pictures after. Matplotlib and Jinja2 (the extra ``wirelax[report]``) are imported
only when a figure or a page is made.
"""

from __future__ import annotations

from wirelax.report import figures
from wirelax.report.html import About, FigureItem, Section, figure_item, render, write_report
from wirelax.report.machine import machine_summary
from wirelax.report.table import Row, to_csv, to_json, to_markdown, write_table

__all__ = [
    "About",
    "FigureItem",
    "Row",
    "Section",
    "figure_item",
    "figures",
    "machine_summary",
    "render",
    "to_csv",
    "to_json",
    "to_markdown",
    "write_report",
    "write_table",
]
