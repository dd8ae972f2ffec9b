"""The report of a run: one HTML file with its tables and figures inside, readable for years."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wirelax.io.atomic import write_atomic
from wirelax.report._labels import label_of
from wirelax.report._style import save, to_png
from wirelax.report.table import Row, tabulate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["About", "FigureItem", "Section", "figure_item", "render", "write_report"]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
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


def figure_item(figure: Figure, caption: str, stem: Path, *, pdf: bool = False) -> FigureItem:
    """Write a figure as ``<stem>.png``, and as ``<stem>.pdf`` if wanted; the item that shows it on a page."""
    if pdf:
        save(figure, f"{stem}.pdf")
    return FigureItem(save(figure, f"{stem}.png"), caption, caption)


@dataclass(frozen=True)
class Section:
    """One section of a report: text, then a table, then figures, each of them optional.

    Attributes:
        title: heading.
        text: one paragraph or several; plain text, everything in it is escaped.
        rows: a table, see `wirelax.report.table`.
        figures: figures, side by side where there is room.
        columns: columns of the table to show; default all.
        labels: headers by column name, where they differ from those of every report.
        units: units by column name, for the engineering form.
    """

    title: str
    text: str | Sequence[str] = ()
    rows: Sequence[Row] | None = None
    figures: Sequence[FigureItem] = ()
    columns: Sequence[str] | None = None
    labels: Mapping[str, str] | None = None
    units: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class About:
    """What a page says first: the problem that is solved, and how to make the page again.

    Attributes:
        problem: what it is about, in a line.
        objective: what is maximised, in a sentence.
        constraints: a sentence each.
        command: what makes this page, as typed.
        seed: of channels and methods.
        source: where the channels come from.
    """

    problem: str = ""
    objective: str = ""
    constraints: Sequence[str] = ()
    command: str = ""
    seed: int | None = None
    source: str = ""

    @classmethod
    def of(cls, system: Any, *, command: str = "", seed: int | None = None, source: str = "") -> About:
        """Filled from what a system says of itself."""
        quantity = f"{system.utility_name.replace('_', ' ')} in {system.utility_unit}"
        return cls(
            problem=f"{system.name}: {system.summary}",
            objective=getattr(system, "objective", "") or f"maximise the {quantity}",
            constraints=tuple(getattr(system, "constraints", {}).values()),
            command=command,
            seed=seed,
            source=source,
        )

    def lines(self) -> list[tuple[str, Sequence[str]]]:
        """Names and texts of what there is to say."""
        seed = "" if self.seed is None else str(self.seed)
        single = {"Problem": self.problem, "Objective": self.objective}
        after = {"Command": self.command, "Channels": self.source, "Seed": seed}
        found: list[tuple[str, Sequence[str]]] = [(name, [text]) for name, text in single.items()]
        found += [("Subject to", self.constraints), *((name, [text]) for name, text in after.items())]
        return [(name, texts) for name, texts in found if any(texts)]


def render(
    title: str, sections: Sequence[Section], meta: Mapping[str, Any] | None = None, about: About | None = None
) -> str:
    """One HTML page that needs nothing but itself: no script, no style sheet, no image from elsewhere.

    Args:
        title: heading of the page.
        sections: what it shows.
        meta: facts on the run and the machine, listed at the end.
        about: the problem, the command and the seed, said first.

    Returns:
        The text of the page.

    Raises:
        ImportError: Jinja2 is not installed; the message names the extra.
        ValueError: no sections, a bad table, or an image file that is no PNG.
        OSError: an image file cannot be read.
    """
    if not sections:
        raise ValueError("the report has no sections; pass at least one")
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise ImportError("reports need Jinja2: pip install 'wirelax[report]'") from error
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        title=title,
        about=about.lines() if about else [],
        sections=[_section(section) for section in sections],
        meta=[(label_of(str(name)), value) for name, value in (meta or {}).items()],
    )


def write_report(
    path: str | os.PathLike[str],
    title: str,
    sections: Sequence[Section],
    meta: Mapping[str, Any] | None = None,
    about: About | None = None,
) -> Path:
    """Write the page of `render` in one step; arguments and errors as there.

    Args:
        path: the HTML file.
        title: heading of the page.
        sections: what it shows.
        meta: facts on the run and the machine, listed at the end.
        about: the problem, the command and the seed, said first.

    Returns:
        The path written.
    """
    return write_atomic(path, render(title, sections, meta, about))


def _section(section: Section) -> dict[str, Any]:
    """What the template needs of a section, all of it text."""
    table = None
    if section.rows is not None:
        found = tabulate(section.rows, section.columns, section.labels, section.units)
        kinds = ["number" if numeric else "text" for numeric in found.numeric]
        table = {"header": found.header, "kinds": kinds, "cells": found.cells}
    return {
        "title": section.title,
        "text": [section.text] if isinstance(section.text, str) else section.text,
        "table": table,
        "figures": [_figure(item) for item in section.figures],
    }


def _figure(item: FigureItem) -> dict[str, Any]:
    """One figure, its image in base 64 and shown at the size that it has in print."""
    if isinstance(item.image, str | os.PathLike):
        name, data = Path(item.image).name, Path(item.image).read_bytes()
    else:
        name, data = "figure", to_png(item.image)
    if not data.startswith(_PNG_SIGNATURE):
        raise ValueError(f"{name} is not a PNG image")
    width, height = (round(int.from_bytes(data[at : at + 4]) * _SCREEN_DOTS_PER_DOT) for at in (16, 20))
    source = base64.b64encode(data).decode("ascii")
    return {"data": source, "width": width, "height": height, "alt": item.alt, "caption": item.caption}
