"""What the command line, training, comparison and reports know of a problem: the `System` protocol."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from jaxtyping import Array, Float, PRNGKeyArray

from wirelax.types import Allocation, Channel, Method

__all__ = ["ArraySpec", "Curves", "Method", "PaperFigure", "Reproduction", "Sweep", "System"]


@dataclass(frozen=True)
class ArraySpec:
    """An array of the channel file format: its name, the axes of one instance, whether it must be there, its kind.

    Kinds: "gain", linear power gains; "weight", other numbers of at least 0; "flag", true or false.
    """

    name: str
    axes: tuple[str, ...]
    required: bool = True
    kind: Literal["gain", "weight", "flag"] = "gain"


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
        unit: of the field.
        resample: channels are drawn anew for every value, as they must where it changes their size.
        with_channels: the system also takes the field from an array of the channels, one value each, so that all
            values are solved in one batch, compiled once; not with `resample` or `train`.
        train: recipes trained for every value, shown as ``trained:RECIPE``; RECIPE@STAGE is the policy as it was
            after that stage.
        lines: label -> further overrides; where given, every method has a line for each.
    """

    title: str
    field: str
    values: tuple[float, ...]
    methods: tuple[str, ...]
    overrides: Mapping[str, Any] = field(default_factory=dict)
    unit: str = ""
    resample: bool = False
    with_channels: bool = False
    train: tuple[str, ...] = ()
    lines: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})

    def __post_init__(self) -> None:
        """ValueError where `with_channels` meets what needs a system of its own for every value."""
        if self.with_channels and (self.resample or self.train):
            raise ValueError(f"sweep {self.title!r}: with_channels goes with neither resample nor train; drop one")


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Losses over the epochs of the first stage of several recipes, trained in the run."""

    title: str
    recipes: tuple[str, ...]
    metrics: tuple[str, ...] = ("loss", "held_out_loss")


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What ``wirelax reproduce`` does for a system.

    Attributes:
        count: test channels.
        train: recipes trained in the run, as in `Sweep`; their methods are called ``trained:RECIPE``.
        train_preset: of these recipes.
        methods: other methods in the tables.
        groups: title -> methods of one set of figures.
        scenarios: title -> configuration overrides; every table is made for each.
        sweeps: further figures.
        sweep_count: channels of a sweep.
        curves: learning curves.
        paper: printed numbers.
        notes: paragraphs for the page.
    """

    count: int
    train: tuple[str, ...]
    train_preset: str
    methods: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    scenarios: Mapping[str, Mapping[str, Any]]
    sweeps: tuple[Sweep, ...] = ()
    sweep_count: int = 100
    curves: tuple[Curves, ...] = ()
    paper: tuple[PaperFigure, ...] = ()
    notes: tuple[str, ...] = ()


@runtime_checkable
class System(Protocol):
    """One resource-allocation problem. A user's own is a new class with these members and nothing else."""

    name: str
    summary: str
    config: Any
    """A frozen dataclass; physical units in the field names, ranges in the field metadata."""
    utility_name: str
    """Name of the objective in result files and reports, e.g. ``energy_efficiency``."""
    utility_unit: str
    arrays: tuple[ArraySpec, ...]

    def sample(self, key: PRNGKeyArray) -> Channel:
        """One random channel."""
        ...

    def fit(self, channels: Mapping[str, Any]) -> System:
        """The system with the sizes of these channels (leading batch axis); ValueError where none fits."""
        ...

    def features(self, channel: Channel) -> Float[Array, "..."]:
        """What a policy sees of a channel, before standardisation."""
        ...

    def decode(self, outputs: Any, channel: Channel) -> Allocation:
        """A feasible allocation from the outputs of a network."""
        ...

    def utility(self, allocation: Allocation, channel: Channel) -> Float[Array, ""]:
        """The scalar to maximise."""
        ...

    def violations(self, allocation: Allocation, channel: Channel) -> Mapping[str, Float[Array, ""]]:
        """One number a constraint, positive where it is broken, in relative units."""
        ...

    def metrics(self, allocation: Allocation, channel: Channel) -> Mapping[str, Array]:
        """Further per-instance numbers for result files, the utility under its name among them."""
        ...

    def table_columns(self, utility: Any, best: Any, arrays: Mapping[str, Any]) -> Mapping[str, float]:
        """Columns of this system in a comparison.

        From the utilities [batch], the best over the methods [batch], and allocations and metrics by name.
        """
        ...

    @property
    def methods(self) -> Mapping[str, Method]:
        """Every way to solve it, by name."""
        ...

    def reproduction(self, preset: str) -> Reproduction:
        """The paper's tables and figures, at the effort of a preset."""
        ...

    @property
    def recipes(self) -> Mapping[str, Any]:
        """Policies that can be trained, by name: `wirelax.training.Recipe`; empty where there are none."""
        ...


def bounded(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    **kw: Any,
):
    """Dataclass field with an allowed range (`low` <= value <= `high`, value > `above`) or ``choices=(...)``."""
    return field(default=default, metadata={"low": low, "high": high, "above": above, **kw})


def check_config(config: Any) -> None:
    """Raise ValueError for the first field of a configuration that is out of its range."""
    for spec in dataclasses.fields(config):
        value, limits = getattr(config, spec.name), spec.metadata
        allowed = _allowed(limits)
        if limits.get("choices") is not None:
            good = value in limits["choices"]
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            good = (
                value == value
                and abs(value) != float("inf")
                and (limits.get("low") is None or value >= limits["low"])
                and (limits.get("high") is None or value <= limits["high"])
                and (limits.get("above") is None or value > limits["above"])
            )
        else:
            good = True
        if not good:
            raise ValueError(f"{spec.name} is {value!r}; allowed: {allowed}")


def _allowed(limits: Mapping[str, Any]) -> str:
    if limits.get("choices") is not None:
        return ", ".join(map(repr, limits["choices"]))
    parts = [
        text.format(limits[name])
        for name, text in (("above", "> {}"), ("low", ">= {}"), ("high", "<= {}"))
        if limits.get(name) is not None
    ]
    return " and ".join(parts) or "any finite number"


def override_config(config: Any, overrides: Mapping[str, Any]) -> Any:
    """A configuration with some fields replaced; strings are converted to the type of the default.

    Raises:
        ValueError: an unknown field (the message lists the valid ones), a value that does not convert, or one
            out of range.
    """
    specs = {spec.name: spec for spec in dataclasses.fields(config)}
    values = {}
    for name, value in overrides.items():
        if name not in specs:
            raise ValueError(f"unknown configuration field {name!r}; valid fields: {', '.join(specs)}")
        values[name] = _convert(name, value, getattr(config, name))
    new = dataclasses.replace(config, **values)
    check_config(new)
    return new


def _convert(name: str, value: Any, default: Any) -> Any:
    kind = type(default)
    try:
        if kind is bool and isinstance(value, str):
            return {"true": True, "1": True, "false": False, "0": False}[value.lower()]
        if kind is int and isinstance(value, float) and not value.is_integer():
            raise ValueError
        return kind(value)
    except (TypeError, ValueError, KeyError):
        raise ValueError(f"{name} is {value!r}; wanted a value of type {kind.__name__}") from None
