"""The report of a run: one HTML file with its tables and figures inside, readable for years."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wirelax.report._files import write_atomic
from wirelax.report._page import PAGE
from wirelax.report._style import to_png
from wirelax.report.table import Row, tabulate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FigureItem", "Section", "render", "write_report"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLUMN_HEADER, _ROW_HEADER = 'th scope="col"', 'th scope="row"'
_SCREEN_DOTS_PER_DOT = 0.72  # 200 dots an inch of print become 144 on a screen


@dataclass(frozen=True)
class FigureItem:
    """One figure of a section.

    Attributes:
        image: a Matplotlib figure, or the path of a PNG file.
        caption: the line under it.
        alt: what it shows, for readers who cannot see it.
    """

    image: Figure | str | os.PathLike[str]
    caption: str
    alt: str


@dataclass(frozen=True)
class Section:
    """One section of a report: text, then a table, then figures, each of them optional.

    Attributes:
        title: heading.
        text: one paragraph or several; plain text, everything in it is escaped.
        rows: a table, see `wirelax.report.table`.
        figures: figures, side by side where there is room.
        columns: columns of the table to show; default all.
        labels: headers by column name.
        units: units by column name, for the engineering form.
    """

    title: str
    text: str | Sequence[str] = ()
    rows: Sequence[Row] | None = None
    figures: Sequence[FigureItem] = ()
    columns: Sequence[str] | None = None
    labels: Mapping[str, str] | None = None
    units: Mapping[str, str] | None = None


def render(title: str, sections: Sequence[Section], meta: Mapping[str, Any] | None = None) -> str:
    """One HTML page that needs nothing but itself: no script, no style sheet, no image from elsewhere.

    Args:
        title: heading of the page.
        sections: what it shows.
        meta: facts on the run and the machine, listed at the end.

    Returns:
        The text of the page.

    Raises:
        ValueError: no sections, a bad table, or an image file that is no PNG.
        OSError: an image file cannot be read.
    """
    if not sections:
        raise ValueError("the report has no sections; pass at least one")
    anchors = [f"section-{number}" for number in range(1, len(sections) + 1)]
    parts = []
    if len(sections) > 2:
        links = (f'<li><a href="#{a}">{escape(s.title)}</a></li>' for a, s in zip(anchors, sections))
        parts.append(f'<nav aria-label="Contents"><ul>{"".join(links)}</ul></nav>')
    parts += [_section(section, anchor) for section, anchor in zip(sections, anchors)]
    if meta:
        facts = (f"<div><dt>{escape(str(k))}</dt><dd>{escape(str(v))}</dd></div>" for k, v in meta.items())
        parts.append(f"<footer><h2>How it was made</h2><dl>{''.join(facts)}</dl></footer>")
    return PAGE.substitute(title=escape(title), body="\n".join(parts))


def write_report(
    path: str | os.PathLike[str],
    title: str,
    sections: Sequence[Section],
    meta: Mapping[str, Any] | None = None,
) -> Path:
    """Write the page of `render` in one step; arguments and errors as there.

    Args:
        path: the HTML file.
        title: heading of the page.
        sections: what it shows.
        meta: facts on the run and the machine, listed at the end.

    Returns:
        The path written.
    """
    return write_atomic(path, render(title, sections, meta))


def _section(section: Section, anchor: str) -> str:
    text = [section.text] if isinstance(section.text, str) else section.text
    parts = [f"<h2>{escape(section.title)}</h2>", *(f"<p>{escape(line)}</p>" for line in text)]
    if section.rows is not None:
        parts.append(_table(section))
    if section.figures:
        parts.append(f'<div class="figures">{"".join(map(_figure, section.figures))}</div>')
    return f'<section id="{anchor}">{"".join(parts)}</section>'


def _table(section: Section) -> str:
    """The table of a section in a box that scrolls sideways, its first column as row headers."""
    table = tabulate(section.rows or (), section.columns, section.labels, section.units)
    kinds = ["number" if numeric else "text" for numeric in table.numeric]
    head = _cells(_COLUMN_HEADER, table.header, kinds)
    body = (f"<tr>{_cells(_ROW_HEADER, row[:1], kinds)}{_cells('td', row[1:], kinds[1:])}</tr>" for row in table.cells)
    label = escape(f"Table: {section.title}")
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{label}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _cells(tag: str, texts: Iterable[str], kinds: Iterable[str]) -> str:
    """Cells of one row; `tag` may carry attributes."""
    close = tag.split()[0]
    pairs = zip(texts, kinds)
    return "".join(f'<{tag} class="{kind}">{escape(text)}</{close}>' for text, kind in pairs)


def _figure(item: FigureItem) -> str:
    """One figure, its image as a data URI and shown at the size that it has in print."""
    if isinstance(item.image, str | os.PathLike):
        name, data = Path(item.image).name, Path(item.image).read_bytes()
    else:
        name, data = "figure", to_png(item.image)
    if not data.startswith(_PNG_SIGNATURE):
        raise ValueError(f"{name} is not a PNG image")
    width, height = (round(int.from_bytes(data[at : at + 4]) * _SCREEN_DOTS_PER_DOT) for at in (16, 20))
    source = base64.b64encode(data).decode("ascii")
    return (
        f'<figure style="width:{width}px"><img src="data:image/png;base64,{source}" width="{width}" '
        f'height="{height}" alt="{escape(item.alt)}"><figcaption>{escape(item.caption)}</figcaption></figure>'
    )
