"""Compiled programs, kept by function and shapes, and run over the cores of a CPU."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from wirelax.execution.chunks import batch_length
from wirelax.execution.cores import usable_cores

__all__ = ["OverCores", "clear_programs", "compiled", "parts_by_default"]

MAX_PROGRAMS = 256
"""Kept at most; the one that was used longest ago goes first."""

_programs: OrderedDict[Hashable, OverCores] = OrderedDict()
_lock = Lock()


def parts_by_default() -> int:
    """Parts that a batch is cut into: one a core where JAX computes on the CPU, one on an accelerator."""
    return usable_cores() if jax.default_backend() == "cpu" else 1


@dataclass(frozen=True)
class OverCores:
    """A function of a batch, compiled once for one part of it per core; a thread runs each part.

    XLA runs a loop over small operations, as most solvers are, on one core. Instances of the batch may not
    depend on each other. See `compiled`.

    Attributes:
        run: the compiled function of a part.
        size: instances of a part.
        compile_seconds: tracing included.
    """

    run: Callable[..., Any]
    size: int
    compile_seconds: float

    def __call__(self, batch: Any, *shared: Any) -> Any:
        """Results of a batch of the compiled size: arrays on the device, or in NumPy where cores shared the work."""
        count = batch_length(batch)
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


def compiled(
    function: Callable[..., Any], batch: Any, *shared: Any, parts: int | None = None
) -> tuple[OverCores, float]:
    """``function(batch, *shared)`` compiled for batches like this one, from the programs kept if it is among them.

    Args:
        function: pure and hashable by value (a function of a module, a frozen dataclass with ``__call__``); its
            result has the batch axis first in every leaf, as `batch` has.
        batch: pytree of arrays with a leading batch axis.
        shared: what every instance needs whole, such as weights.
        parts: to cut the batch into; `parts_by_default` by default.

    Returns:
        The program, and the seconds that this call spent on tracing and compiling it: 0 where it was kept.
    """
    count = batch_length(batch)
    size = -(-count // min(parts or parts_by_default(), count))
    part = jax.tree.map(lambda leaf: _like(leaf, (size, *leaf.shape[1:])), batch)
    key = (function, _signature((part, *shared)), jnp.result_type(float), jax.default_backend())
    with _lock:
        if key in _programs:
            _programs.move_to_end(key)
            return _programs[key], 0.0
    began = time.perf_counter()
    # A function of its own, or jit would keep a trace by the identity of `function` beside ours.
    run = jax.jit(lambda *arguments: function(*arguments)).lower(part, *shared).compile()
    program = OverCores(run, size, time.perf_counter() - began)
    with _lock:
        _programs[key] = program
        while len(_programs) > MAX_PROGRAMS:
            _programs.popitem(last=False)
    return program, program.compile_seconds


def clear_programs() -> None:
    """Forget all compiled programs."""
    with _lock:
        _programs.clear()


def _like(leaf: Any, shape: tuple[int, ...]) -> jax.ShapeDtypeStruct:
    dtype = leaf.dtype
    if not jax.dtypes.issubdtype(dtype, jax.dtypes.extended):  # random keys stay what they are
        dtype = jax.dtypes.canonicalize_dtype(dtype)
    return jax.ShapeDtypeStruct(shape, dtype)


def _signature(tree: Any) -> Hashable:
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves)


def _part(batch: Any, start: int, size: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[start : start + size], batch)
