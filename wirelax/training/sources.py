"""Where batches of problems come from: stored rows, fresh samples, or one event again and again.

What a source draws from is the argument ``data`` of `Source.draw`, never captured, so that it is passed to the jitted
steps and no array is folded into a program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

__all__ = ["Source", "event", "fresh", "held_out_rows", "mapped", "rows", "together"]


@dataclass(frozen=True)
class Source:
    """Draws batches.

    Attributes:
        draw: ``(data, key) -> batch``, pure: a pytree whose leaves have a leading axis of instances.
    """

    draw: Callable[[Any, PRNGKeyArray], Any]


def _trained_on(data: Any, held_out: float) -> int:
    """How many rows come before the ones held out."""
    count = len(jax.tree.leaves(data)[0])
    return count - max(1, int(held_out * count)) if held_out else count


def rows(batch_size: int, held_out: float = 0.0) -> Source:
    """Uniform draws, with replacement, of rows of a pytree with a common leading axis.

    The last rows, a fraction `held_out` of all, are never drawn.
    """

    def draw(data: Any, key: PRNGKeyArray) -> Any:
        index = jax.random.randint(key, (batch_size,), 0, _trained_on(data, held_out))
        return jax.tree.map(lambda leaf: leaf[index], data)

    return Source(draw)


def held_out_rows(data: Any, held_out: float) -> Any:
    """The rows that `rows` with this fraction never draws."""
    return jax.tree.map(lambda leaf: leaf[_trained_on(data, held_out) :], data)


def fresh(sample: Callable[[Any, PRNGKeyArray], Any], batch_size: int) -> Source:
    """New instances in every step, ``sample(data, key)`` each: no data set, no repetition."""

    def draw(data: Any, key: PRNGKeyArray) -> Any:
        return jax.vmap(sample, in_axes=(None, 0))(data, jax.random.split(key, batch_size))

    return Source(draw)


def event() -> Source:
    """The data itself, one instance, as a batch of one in every step."""
    return Source(lambda data, key: jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], data))


def mapped(source: Source, change: Callable[[Any, PRNGKeyArray], Any]) -> Source:
    """Another source with ``change(instance, key)`` applied to every instance: symmetries, arrays to problems."""

    def draw(data: Any, key: PRNGKeyArray) -> Any:
        draw_key, change_key = jax.random.split(key)
        batch = source.draw(data, draw_key)
        return jax.vmap(change)(batch, jax.random.split(change_key, len(jax.tree.leaves(batch)[0])))

    return Source(draw)


def together(**sources: Source) -> Source:
    """A dict of batches, one from each source, which finds its data under its own name."""

    def draw(data: Any, key: PRNGKeyArray) -> dict[str, Any]:
        keys = jax.random.split(key, len(sources))
        return {name: source.draw(data[name], k) for (name, source), k in zip(sources.items(), keys, strict=True)}

    return Source(draw)
