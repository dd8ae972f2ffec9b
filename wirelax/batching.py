"""Batches in chunks, and over the cores of a CPU."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["OverCores", "map_chunks", "usable_cores"]


def map_chunks(function: Callable[[Any], Any], batch: Any, size: int) -> Any:
    """``jax.vmap(function)(batch)``, at most `size` instances at once, one chunk after the other.

    ``jax.lax.map(..., batch_size=size)`` compiles the function a second time for the instances that are left
    over; here the chunks are of equal size, the last one filled up with copies of the last instance.

    Args:
        function: of one instance.
        batch: pytree of arrays with a leading batch axis.
        size: of a chunk (static).
    """
    count = _count(batch)
    chunks = -(-count // size)
    each = -(-count // chunks)
    rows = jnp.minimum(jnp.arange(chunks * each), count - 1).reshape(chunks, each)
    found = jax.lax.map(lambda index: jax.vmap(function)(jax.tree.map(lambda leaf: leaf[index], batch)), rows)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:count], found)


def usable_cores() -> int:
    """Cores that this process may use where JAX computes on the CPU; 1 on an accelerator."""
    if jax.default_backend() != "cpu":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class OverCores:
    """A function of a batch, compiled once for one part of it per core; a thread runs each part.

    XLA runs a loop over small operations, as most solvers are, on one core. Instances of the batch may not
    depend on each other. See `OverCores.compile`.

    Attributes:
        run: the compiled function of a part.
        size: instances of a part.
        compile_seconds: without tracing.
    """

    run: Callable[..., Any]
    size: int
    compile_seconds: float

    @classmethod
    def compile(cls, function: Callable[..., Any], batch: Any, *shared: Any, parts: int | None = None) -> OverCores:
        """Compile ``function(batch, *shared)`` for batches like this one.

        Args:
            function: pure; its result has the batch axis first in every leaf, as `batch` has.
            batch: pytree of arrays with a leading batch axis.
            shared: what every instance needs whole, such as weights.
            parts: to cut the batch into; `usable_cores` by default.
        """
        count = _count(batch)
        size = -(-count // min(parts or usable_cores(), count))
        lowered = jax.jit(function).lower(_part(batch, 0, size), *shared)
        began = time.perf_counter()
        run = lowered.compile()
        return cls(run, size, time.perf_counter() - began)

    def __call__(self, batch: Any, *shared: Any) -> Any:
        """Results of a batch of the compiled size: arrays on the device, or in NumPy where cores shared the work."""
        count = _count(batch)
        if count == self.size:
            return jax.block_until_ready(self.run(batch, *shared))
        # The last part starts early where the sizes do not divide: one program serves all parts.
        starts = [min(start, count - self.size) for start in range(0, count, self.size)]
        parts = [_part(batch, start, self.size) for start in starts]
        double = jnp.result_type(float) == jnp.float64  # a setting of the thread

        def run(part: Any) -> Any:
            with jax.enable_x64(double):
                return jax.tree.map(np.asarray, self.run(part, *shared))

        with ThreadPoolExecutor(len(parts)) as pool:
            found = list(pool.map(run, parts))
        twice = len(starts) * self.size - count
        found[-1] = jax.tree.map(lambda leaf: leaf[twice:], found[-1])
        return jax.tree.map(lambda *leaves: np.concatenate(leaves), *found)


def _count(batch: Any) -> int:
    return len(jax.tree.leaves(batch)[0])


def _part(batch: Any, start: int, size: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[start : start + size], batch)
