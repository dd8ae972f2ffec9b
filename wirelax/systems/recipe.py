"""How a policy of a system is trained: its parts, its labels and the stages it goes through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Array, PRNGKeyArray

from wirelax.policies import PolicySpec
from wirelax.training import LoopConfig, Objective, Source, fresh, rows
from wirelax.training.loop import Evaluate
from wirelax.types import Channel, Solution

__all__ = ["Labels", "Recipe", "Stage", "fresh_problems", "labelled_rows"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One run of the loop: what is minimised, where its batches come from, the loop's settings, further metrics.

    The data of source and metrics is ``{"labels": Labelled of all labelled channels, "constants": of the system}``,
    the former only where the recipe has labels; see `labelled_rows` and `fresh_problems`.
    """

    name: str
    objective: Objective
    source: Source
    loop: LoopConfig
    evaluate: Evaluate = lambda policy, data: {}


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What the first stage learns from.

    Attributes:
        count: labelled channels, by preset.
        label: ``(problem, key) -> arrays by name``, hashable by value.
        what: makes them, in words.
        sample: ``(system, key) -> channel``; the system's own by default.
        chunk: problems at once where the label is iterative; None: one after the other.
        settings: plain data that they depend on beside the configuration.
        notes: ``(problems, labels) -> plain data`` measured of them, kept with the weights.
    """

    count: Mapping[str, int]
    label: Callable[[Any, PRNGKeyArray], Mapping[str, Array]]
    what: str
    sample: Callable[[Any, PRNGKeyArray], Channel] = lambda system, key: system.sample(key)
    chunk: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: Callable[[Any, Mapping[str, Any]], Mapping[str, Any]] = lambda problems, labels: {}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A policy that can be trained.

    Attributes:
        name: what ``wirelax train --policy`` calls it.
        summary: one line for listings.
        spec: network, features and head.
        stages: ``(preset, seed) -> stages``, run in order.
        labels: of the first stage; None where all stages do without.
        batch_size: rows of the first stage's batches, where epochs are to be counted.
        solve: runs the trained policy, in place of ``PolicySolve(spec)``.
        over: how that is batched, see `wirelax.types.Method`, as for `chunk`.
        chunk: problems at once.
    """

    name: str
    summary: str
    spec: PolicySpec
    stages: Callable[[str, int], list[Stage]]
    labels: Labels | None = None
    batch_size: int | None = None
    solve: Callable[..., Solution] | None = None
    over: Any = "vmap"
    chunk: int | None = None


def labelled_rows(batch_size: int, held_out: float = 0.0) -> Source:
    """Batches of `wirelax.training.Labelled` rows, see `wirelax.training.rows`."""
    source = rows(batch_size, held_out)
    return Source(lambda data, key: source.draw(data["labels"], key))


def fresh_problems(
    system: Any,
    batch_size: int,
    sample: Callable[[Any, PRNGKeyArray], Channel] = lambda system, key: system.sample(key),
) -> Source:
    """Batches of problems drawn inside the step.

    Args:
        system: whose problems; its numbers come with the data.
        batch_size: problems a batch.
        sample: ``(system, key) -> channel``; the system's own by default.
    """

    def draw(constants: Mapping[str, Any], key: PRNGKeyArray) -> Any:
        bound = system.with_constants(constants)
        return bound.problem(sample(bound, key))

    source = fresh(draw, batch_size)
    return Source(lambda data, key: source.draw(data["constants"], key))
