"""Where batches come from: rows of stored data, or fresh channels sampled inside the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import PRNGKeyArray

__all__ = ["fresh", "rows"]


def rows(batch_size: int) -> Callable[[Any, PRNGKeyArray], Any]:
    """Uniform draws, with replacement, of rows of a pytree with a common leading axis."""

    def draw(data: Any, key: PRNGKeyArray) -> Any:
        count = len(jax.tree.leaves(data)[0])
        index = jax.random.randint(key, (batch_size,), 0, count)
        return jax.tree.map(lambda leaf: leaf[index], data)

    return draw


def fresh(sample: Callable[[PRNGKeyArray], Any], batch_size: int) -> Callable[[Any, PRNGKeyArray], Any]:
    """New channels in every step: no data set, no repetition."""

    def draw(data: Any, key: PRNGKeyArray) -> Any:
        return jax.vmap(sample)(jax.random.split(key, batch_size))

    return draw
