"""Where batches come from: rows of stored data, or fresh channels sampled inside the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import PRNGKeyArray

__all__ = ["fresh", "held_out", "rows"]


def rows(batch_size: int) -> Callable[[Any, PRNGKeyArray], Any]:
    """Uniform draws, with replacement, of rows of a pytree with a common leading axis."""

    def draw(data: Any, key: PRNGKeyArray) -> Any:
        count = len(jax.tree.leaves(data)[0])
        index = jax.random.randint(key, (batch_size,), 0, count)
        return jax.tree.map(lambda leaf: leaf[index], data)

    return draw


def held_out(batch_size: int, held_out_size: int, fraction: float = 0.1) -> Callable[[Any, PRNGKeyArray], Any]:
    """``{"train": rows, "held_out": rows}``: the last `fraction` of the data is never trained on."""
    train, test = rows(batch_size), rows(held_out_size)

    def draw(data: Any, key: PRNGKeyArray) -> Any:
        count = len(jax.tree.leaves(data)[0])
        split = count - max(1, int(fraction * count))
        first, last = jax.tree.map(lambda leaf: leaf[:split], data), jax.tree.map(lambda leaf: leaf[split:], data)
        train_key, test_key = jax.random.split(key)
        return {"train": train(first, train_key), "held_out": test(last, test_key)}

    return draw


def fresh(sample: Callable[[PRNGKeyArray], Any], batch_size: int) -> Callable[[Any, PRNGKeyArray], Any]:
    """New channels in every step: no data set, no repetition."""

    def draw(data: Any, key: PRNGKeyArray) -> Any:
        return jax.vmap(sample)(jax.random.split(key, batch_size))

    return draw
