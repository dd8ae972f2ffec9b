"""Where batches come from: rows of stored data, or fresh channels sampled inside the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import PRNGKeyArray

__all__ = ["fresh", "held_out_rows", "rows"]


def _trained_on(data: Any, held_out: float) -> int:
    """How many rows come before the ones held out."""
    count = len(jax.tree.leaves(data)[0])
    return count - max(1, int(held_out * count)) if held_out else count


def rows(batch_size: int, held_out: float = 0.0) -> Callable[[Any, PRNGKeyArray], Any]:
    """Uniform draws, with replacement, of rows of a pytree with a common leading axis.

    The last rows, a fraction `held_out` of all, are never drawn.
    """

    def draw(data: Any, key: PRNGKeyArray) -> Any:
        index = jax.random.randint(key, (batch_size,), 0, _trained_on(data, held_out))
        return jax.tree.map(lambda leaf: leaf[index], data)

    return draw


def held_out_rows(data: Any, held_out: float) -> Any:
    """The rows that `rows` with this fraction never draws."""
    return jax.tree.map(lambda leaf: leaf[_trained_on(data, held_out) :], data)


def fresh(sample: Callable[[PRNGKeyArray], Any], batch_size: int) -> Callable[[Any, PRNGKeyArray], Any]:
    """New channels in every step: no data set, no repetition."""

    def draw(data: Any, key: PRNGKeyArray) -> Any:
        return jax.vmap(sample)(jax.random.split(key, batch_size))

    return draw
