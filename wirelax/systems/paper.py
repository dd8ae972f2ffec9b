"""What ``wirelax reproduce`` shows of a system: plain records, see `wirelax.report.reproduce` for the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Curves", "PaperFigure", "Reproduction", "Study", "Sweep"]


@dataclass(frozen=True, kw_only=True)
class PaperFigure:
    """A number that a paper prints, to stand beside ours.

    Attributes:
        quantity: what it is, in words.
        value: as printed.
        source: where it is printed.
        method: the row of our table that answers to it.
        column: the column of our table, or
        reference: a method whose ``seconds_per_channel`` the method's is a percentage of.
    """

    quantity: str
    value: float
    source: str
    method: str
    column: str | None = None
    reference: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A configuration field varied over values, for some methods.

    Attributes:
        title: of the section.
        field: of the configuration.
        values: it takes.
        methods: shown.
        overrides: of other fields.
        resample: channels are drawn anew for every value, as they must where it changes their size.
        train: recipes trained for every value, shown as ``trained:RECIPE``; RECIPE@STAGE is the policy as it was
            after that stage.
        lines: label -> further overrides; where given, every method has a line for each.
    """

    title: str
    field: str
    values: tuple[float, ...]
    methods: tuple[str, ...]
    overrides: Mapping[str, Any] = field(default_factory=dict)
    resample: bool = False
    train: tuple[str, ...] = ()
    lines: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Metrics over epochs (or steps, where a recipe has no `batch_size`) of several recipes, trained in the run.

    Attributes:
        title: of the section.
        recipes: trained.
        metrics: one figure each.
        overrides: of the configuration.
        yscale: of the figures; a metric that can be 0 wants "linear".
    """

    title: str
    recipes: tuple[str, ...]
    metrics: tuple[str, ...] = ("loss", "held_out_loss")
    overrides: Mapping[str, Any] = field(default_factory=dict)
    yscale: str = "log"


@dataclass(frozen=True, kw_only=True)
class Study:
    """Recipes trained with several seeds, all judged on the same test channels: means and spreads.

    Attributes:
        title: of the section.
        recipes: trained, see `Sweep`.
        seeds: of the trainings.
        methods: shown beside them.
        overrides: of the configuration.
        axes: the two columns of the table that its figure shows against each other -> labels.
        paper: what the paper prints of a recipe or method, by column.
        notes: sentences below the table.
    """

    title: str
    recipes: tuple[str, ...]
    seeds: tuple[int, ...]
    methods: tuple[str, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    axes: Mapping[str, str] = field(default_factory=dict)
    paper: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What ``wirelax reproduce`` does for a system.

    Attributes:
        count: test channels.
        references: methods whose mean every row's is divided by, in columns ``over_NAME``.
        reference_column: which mean that is.
        printed: column of the table -> method -> the paper's number, in columns ``paper_COLUMN``.
        networks: recipe -> number of parameters that the paper prints, None for none; a table of their sizes.
        train: recipes trained in the run, as in `Sweep`; their methods are called ``trained:RECIPE``.
        train_preset: of these recipes.
        methods: other methods in the tables.
        groups: title -> methods of one set of figures.
        metric_cdfs: whether the figures of a group show the distributions of the system's metrics too.
        scenarios: title -> configuration overrides; every table is made for each.
        sweeps: further figures.
        sweep_count: channels of a sweep.
        curves: learning curves.
        studies: recipes over several seeds.
        paper: printed numbers.
        notes: paragraphs for the page.
    """

    count: int
    train: tuple[str, ...]
    train_preset: str
    methods: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    scenarios: Mapping[str, Mapping[str, Any]]
    metric_cdfs: bool = False
    sweeps: tuple[Sweep, ...] = ()
    sweep_count: int = 100
    curves: tuple[Curves, ...] = ()
    studies: tuple[Study, ...] = ()
    paper: tuple[PaperFigure, ...] = ()
    references: tuple[str, ...] = ()
    reference_column: str = "utility_mean"
    printed: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    networks: Mapping[str, float | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
