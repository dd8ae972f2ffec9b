"""Where batches come from: rows of stored data, or fresh channels sampled inside the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import PRNGKeyArray

__all__ = ["fresh", "held_out", "rows"]


def _draw(data: Any, key: PRNGKeyArray, size: int, start: int, stop: int) -> Any:
    index = jax.random.randint(key, (size,), start, stop)
    return jax.tree.map(lambda leaf: leaf[index], data)


def _count(data: Any) -> int:
    return len(jax.tree.leaves(data)[0])


def rows(batch_size: int) -> Callable[[Any, PRNGKeyArray], Any]:
    """Uniform draws, with replacement, of rows of a pytree with a common leading axis."""
    return lambda data, key: _draw(data, key, batch_size, 0, _count(data))


def held_out(batch_size: int, held_out_size: int, fraction: float = 0.1) -> Callable[[Any, PRNGKeyArray], Any]:
    """``{"train": rows, "held_out": rows}``: the last `fraction` of the data is never trained on."""

    def draw(data: Any, key: PRNGKeyArray) -> Any:
        count = _count(data)
        split = count - max(1, int(fraction * count))
        train_key, test_key = jax.random.split(key)
        return {
            "train": _draw(data, train_key, batch_size, 0, split),
            "held_out": _draw(data, test_key, held_out_size, split, count),
        }

    return draw


def fresh(sample: Callable[[PRNGKeyArray], Any], batch_size: int) -> Callable[[Any, PRNGKeyArray], Any]:
    """New channels in every step: no data set, no repetition."""

    def draw(data: Any, key: PRNGKeyArray) -> Any:
        return jax.vmap(sample)(jax.random.split(key, batch_size))

    return draw
