"""Labels of training channels: drawn, solved and cached the same way for every system."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from wirelax.execution import compiled, map_chunks
from wirelax.io import check_writable, load_labels, save_labels
from wirelax.systems.base import Template
from wirelax.systems.recipe import Labels
from wirelax.systems.run import instance_keys, make_problems
from wirelax.training import Labelled

__all__ = ["labelled_problems"]

LABEL_STREAM = 0x1ABE15
"""Folded into the key of labels, so that no seed of test channels repeats them."""


@dataclass(frozen=True)
class _Sample:
    template: Template
    sample: Callable[..., Any]

    def __call__(self, keys: Array, constants: Any) -> dict[str, Array]:
        system = self.template.bind(constants)
        return jax.vmap(lambda key: dict(self.sample(system, key)))(keys)


@dataclass(frozen=True)
class _Label:
    label: Callable[..., Any]
    chunk: int | None

    def __call__(self, batch: tuple[Any, Array]) -> dict[str, Array]:
        one = lambda pair: dict(self.label(*pair))  # noqa: E731
        return jax.lax.map(one, batch) if self.chunk is None else map_chunks(one, batch, self.chunk)


def labelled_problems(
    system: Any,
    labels: Labels,
    count: int,
    seed: int,
    path: str | os.PathLike[str],
    say: Callable[[str], None] = lambda line: None,
) -> tuple[Labelled, dict[str, Any]]:
    """Problems with their labels, and the notes on them, from the cache at `path`; made and kept there if it is new.

    Raises:
        LabelCacheError: the cache is broken or belongs to another configuration, seed or setting.
        MissingExtraError: h5py is not installed, found out before any label is made.
    """
    path = Path(path)
    settings = {"config": dataclasses.asdict(system.config), "seed": seed, "count": count, **labels.settings}
    source = {"system": system.name, **settings}
    if path.exists():
        arrays, notes = load_labels(path, source)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        check_writable(path, suffixes=(".h5", ".hdf5"))
        arrays, notes = _make(system, labels, count, seed, say)
        save_labels(path, arrays, source, notes)
    names = set(jax.eval_shape(lambda key: dict(labels.sample(system, key)), jax.random.key(0)))
    channels = {name: array for name, array in arrays.items() if name in names}
    label = {name: jnp.asarray(array) for name, array in arrays.items() if name not in names}
    return Labelled(make_problems(system, channels), label), dict(notes)


def _make(
    system: Any, labels: Labels, count: int, seed: int, say: Callable[[str], None]
) -> tuple[dict[str, np.ndarray], Mapping[str, Any]]:
    say(f"labelling {count} channels by {labels.what}")
    keys, constants = instance_keys(seed, 0, count, LABEL_STREAM), system.constants()
    draw, _ = compiled(_Sample(Template(system), labels.sample), keys, constants, parts=1)
    channels = draw(keys, constants)
    problems = make_problems(system, channels)
    run, _ = compiled(_Label(labels.label, labels.chunk), (problems, keys))
    began = time.perf_counter()
    found = run((problems, keys))
    per_second = count / (time.perf_counter() - began)
    say(f"{per_second:,.0f} labels a second")
    notes = {"labels_per_second": per_second, **labels.notes(problems, found)}
    return jax.tree.map(np.asarray, {**channels, **found}), notes
