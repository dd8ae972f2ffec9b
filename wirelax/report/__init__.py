"""Tables, figures and one self-contained HTML page of a run.

Knows no problem by name: everything comes in as rows, series and text. Matplotlib (the extra
``wirelax[report]``) is imported only when a figure is drawn.
"""

from __future__ import annotations

from wirelax.report import figures
from wirelax.report.html import FigureItem, Section, render, write_report
from wirelax.report.machine import machine_summary
from wirelax.report.table import Row, to_json, to_markdown, write_table

__all__ = [
    "FigureItem",
    "Row",
    "Section",
    "figures",
    "machine_summary",
    "render",
    "to_json",
    "to_markdown",
    "write_report",
    "write_table",
]
