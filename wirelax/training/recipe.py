"""How a policy of a system is trained: its network and the stages it goes through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wirelax.policies import Policy, Standardiser
from wirelax.training.loop import Batches, Evaluate, LoopConfig, Loss
from wirelax.types import Method

__all__ = ["Recipe", "Stage"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One run of the loop: a loss, where its batches come from, the loop's settings, metrics beside the loss."""

    name: str
    loss: Loss
    batches: Batches
    loop: LoopConfig
    evaluate: Evaluate = lambda params, data: {}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A policy that can be trained.

    Attributes:
        name: what ``wirelax train --policy`` calls it.
        summary: one line for listings.
        network: Flax module from the standardised features of one channel to what `System.decode` takes.
        num_labels: labelled training channels, per preset.
        make_labels: ``(count, seed, report) -> (arrays, source, notes)``: arrays with a common leading axis,
            what determines them, what was measured of them.
        stages: ``(preset, standardise, seed) -> stages``, run in order.
        method: turns a `Policy` of this recipe into the `Method` that ``policy:RUN_DIR`` runs.
        batch_size: rows of the first stage's batches, where epochs are to be counted.
        shared_statistics: one mean and deviation for all features, as equivariant networks need.
    """

    name: str
    summary: str
    network: Any
    num_labels: Mapping[str, int]
    make_labels: Callable[..., tuple[dict[str, np.ndarray], dict[str, Any], dict[str, Any]]]
    stages: Callable[[str, Standardiser, int], list[Stage]]
    method: Callable[[Policy], Method]
    batch_size: int | None = None
    shared_statistics: bool = False
