"""Batches in chunks of equal size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

__all__ = ["batch_length", "map_batches", "map_chunks"]


def map_chunks(function: Callable[[Any], Any], batch: Any, size: int) -> Any:
    """``jax.vmap(function)(batch)``, at most `size` instances at once, one chunk after the other.

    ``jax.lax.map(..., batch_size=size)`` compiles the function a second time for the instances that are left
    over; here the chunks are of equal size, the last one filled up with copies of the last instance.

    Args:
        function: of one instance.
        batch: pytree of arrays with a leading batch axis.
        size: of a chunk (static).
    """
    return map_batches(jax.vmap(function), batch, size)


def map_batches(function: Callable[[Any], Any], batch: Any, size: int) -> Any:
    """``function(batch)`` of a function of batches, at most `size` instances at once; see `map_chunks`."""
    count = batch_length(batch)
    chunks = -(-count // size)
    each = -(-count // chunks)
    rows = jnp.minimum(jnp.arange(chunks * each), count - 1).reshape(chunks, each)
    found = jax.lax.map(lambda index: function(jax.tree.map(lambda leaf: leaf[index], batch)), rows)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:count], found)


def batch_length(batch: Any) -> int:
    """Length of the leading axis of a pytree of arrays."""
    return len(jax.tree.leaves(batch)[0])
