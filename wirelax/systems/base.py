"""What the command line, training, comparison and reports know of a problem: the base class of all systems."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from wirelax.errors import InputError
from wirelax.problems import Problem
from wirelax.systems.catalogue import Catalogue
from wirelax.systems.config import float_fields, override_config
from wirelax.systems.paper import Reproduction
from wirelax.types import Channel, Method

__all__ = ["ArraySpec", "System", "Template"]


@dataclass(frozen=True)
class ArraySpec:
    """An array of the channel file format, declared once for files, errors, help and docs.

    Attributes:
        name: in files.
        axes: of one instance, as people call them; the batch axis comes before them.
        description: a sentence with the unit.
        required: whether every file has it.
        kind: "gain", linear power gains; "weight", other numbers of at least 0; "flag", true or false.
        sizes: axis -> the configuration field that is its length, where one is.
        at_most: values above this are possible, but speak for a wrong unit, and are warned of.
        in_db: name under which files may hold the same gains in dB instead, -inf for 0; empty for none.
    """

    name: str
    axes: tuple[str, ...]
    description: str = ""
    required: bool = True
    kind: Literal["gain", "weight", "flag"] = "gain"
    sizes: Mapping[str, str] = field(default_factory=dict)
    at_most: float = math.inf
    in_db: str = ""


class System:
    """One resource-allocation problem with its methods.

    A system of your own is a subclass with ``name``, ``config``, `sample`, `problem` and `methods`; everything else
    has a default. Hand the class to `wirelax.systems.register`, which checks it.

    Attributes:
        name: what the command line calls it.
        config: the default configuration on the class, the one in use on an instance: a frozen dataclass of
            `wirelax.systems.bounded` fields, physical units in their names. Its floats are traced when problems are
            made, so that a change of them compiles nothing.
        summary: one line for listings; by default the first of the docstring.
        objective: what is maximised, a sentence for help and reports.
        constraints: a sentence on each, by the names of `Problem.violations`.
        utility_name: of the objective in result files and reports, e.g. ``energy_efficiency``.
        utility_unit: its unit.
        arrays: of the channel files; by default what `sample` returns, all of them gains.
        level_fields: configuration fields that a message on implausible SNRs names.
        sweep_columns: columns of the table that a sweep draws beside the utility -> label of the axis.
        cdf_metrics: metrics of result files whose distributions a comparison draws -> label of the axis.
        package: of a shipped system; its modules ``catalogue`` and ``paper`` hold what it offers.
    """

    name: str
    config: Any
    objective: str = ""
    constraints: Mapping[str, str] = {}
    utility_name: str = "utility"
    utility_unit: str = ""
    level_fields: tuple[str, ...] = ()
    sweep_columns: Mapping[str, str] = {}
    cdf_metrics: Mapping[str, str] = {}
    package: str = ""

    def __init__(self, config: Any = None, **overrides: Any):
        """A system with some fields of its configuration replaced.

        Raises:
            InputError: an unknown field, a value out of range, or fields that do not go together.
        """
        self.config = override_config(type(self).config if config is None else config, overrides)
        self.check()

    def check(self) -> None:
        """Raise InputError where fields of the configuration do not go together."""

    @property
    def summary(self) -> str:
        """One line for listings."""
        return (type(self).__doc__ or self.name).strip().splitlines()[0]

    @cached_property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """The arrays of a channel, by default as `sample` returns them."""
        drawn = jax.eval_shape(self.sample, jax.random.key(0))
        return tuple(
            ArraySpec(name, tuple(f"axis {i}" for i in range(leaf.ndim)), kind="flag" if leaf.dtype == bool else "gain")
            for name, leaf in drawn.items()
        )

    def sample(self, key: PRNGKeyArray) -> Channel:
        """One random channel: arrays by name."""
        raise NotImplementedError

    def problem(self, channel: Channel) -> Problem:
        """The optimisation problem of a channel, from the configuration's numbers as arrays."""
        raise NotImplementedError

    @property
    def methods(self) -> Mapping[str, Method]:
        """Every way to solve it, by name; of a shipped system each is built when it is asked for."""
        if not self.package:
            raise NotImplementedError
        return Catalogue(self._module("catalogue").METHODS, self)

    @property
    def recipes(self) -> Mapping[str, Any]:
        """Policies that can be trained, by name: `wirelax.systems.recipe.Recipe`."""
        return Catalogue(self._module("catalogue").RECIPES, self) if self.package else {}

    def _module(self, name: str) -> Any:
        return importlib.import_module(f"{self.package}.{name}")

    def load_data(self) -> Any:
        """Arrays that `sample` draws from (as `data`), such as a map; None where there are none."""
        return None

    @cached_property
    def data(self) -> Any:
        """What `load_data` gave: a pytree, handed to compiled functions as an argument."""
        with jax.ensure_compile_time_eval():
            return self.load_data()

    def axis_lengths(self, given: Collection[str]) -> dict[str, int]:
        """Lengths of axes that these configuration fields, which the user has set, stand for."""
        pairs = (pair for spec in self.arrays for pair in spec.sizes.items())
        return {axis: getattr(self.config, name) for axis, name in pairs if name in given}

    def sizes_of(self, channels: Mapping[str, Any]) -> dict[str, int]:
        """Configuration fields that the shapes of these channels (leading batch axis) set.

        Raises:
            InputError: shapes that do not go together, or that no configuration has.
        """
        sizes: dict[str, tuple[int, str]] = {}
        for spec in self.arrays:
            for place, axis in enumerate(spec.axes):
                if axis not in spec.sizes or spec.name not in channels:
                    continue
                name, length = spec.sizes[axis], np.shape(channels[spec.name])[1 + place]
                first = sizes.setdefault(name, (length, spec.name))
                if first[0] != length:
                    raise InputError(
                        f"array {spec.name!r} has {length} along its axis {axis!r}, {first[1]!r} has {first[0]}; "
                        "give arrays of the same network"
                    )
        return {name: length for name, (length, _) in sizes.items()}

    def fit(self, channels: Mapping[str, Any]) -> System:
        """The system with the sizes of these channels (leading batch axis).

        Raises:
            InputError: no configuration has them.
        """
        sizes = self.sizes_of(channels)
        changed = {name: size for name, size in sizes.items() if getattr(self.config, name) != size}
        if changed and hasattr(self.config, "scenario"):  # another scenario may have no such sizes
            changed["scenario"] = type(self).config.scenario
        return type(self)(self.config, **changed) if changed else self

    def remarks(self, channels: Mapping[str, Any]) -> Sequence[str]:
        """Sentences on channels (leading batch axis) that a user should know of, beside results of any method."""
        return []

    def places(self, channels: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Where UEs and BSs of the first of these channels stand, for a map of who serves whom; None if not known.

        ``ue_position_m``, ``bs_position_m``, ``is_macro`` and ``boxes_m`` of `wirelax.report.figures.association_map`.
        """
        return None

    def table_columns(self, utility: Any, best: Any, arrays: Mapping[str, Any]) -> Mapping[str, float]:
        """Columns of this system in a comparison.

        From the utilities [batch], the best over the methods [batch], and allocations and metrics by name.
        """
        return {}

    def paper(self, preset: str) -> Reproduction:
        """The paper's tables and figures, at the effort of a preset.

        Raises:
            InputError: there is nothing to reproduce.
        """
        if not self.package:
            raise InputError(f"{self.name} comes from no paper, so there is nothing to reproduce")
        return self._module("paper").reproduction(preset)

    def constants(self) -> dict[str, Any]:
        """The numbers of the configuration as arrays, and `data`: what problems and channels are made from."""
        numbers = {name: jnp.asarray(getattr(self.config, name), float) for name in float_fields(type(self).config)}
        return {"numbers": numbers, "data": self.data}

    def with_constants(self, constants: Mapping[str, Any]) -> System:
        """This system with other numbers, unchecked, as they may be traced."""
        bound = copy.copy(self)
        bound.config = dataclasses.replace(self.config, **constants["numbers"])
        vars(bound)["data"] = constants["data"]
        return bound


class Template:
    """A system but for its numbers: equal for all that make the same programs."""

    def __init__(self, system: System):
        self.system = system
        traced = set(float_fields(type(system).config))
        static = {name: value for name, value in vars(system.config).items() if name not in traced}
        # What else an instance holds may tell it from others of its class: then it is equal to itself alone.
        own = id(system) if vars(system).keys() - {"config", "data", "arrays"} else None
        self._key = (type(system), own, tuple(sorted(static.items())))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and self._key == other._key

    def bind(self, constants: Mapping[str, Any]) -> System:
        """The system with these numbers."""
        return self.system.with_constants(constants)
