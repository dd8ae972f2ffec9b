"""Running methods over batches of channels, the same way for every system and every method."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from wirelax.batching import OverCores, map_chunks
from wirelax.systems.base import System
from wirelax.types import Channel, Method, Solution, Status

__all__ = ["VIOLATION_TOLERANCE", "BatchResult", "sample_channels", "solve_batch"]

VIOLATION_TOLERANCE = 1e-5
"""Relative excess over a constraint that counts as rounding."""
DEFAULT_BATCH_SIZE = 4096
TIMED_RUNS = 5
WARM_UP_BELOW_S = 5.0
"""First batches faster than this run again, up to `TIMED_RUNS` times or this long in all; the median counts."""
MAX_BATCH_ELEMENTS = 2**24
"""Numbers of channel data in one batch by default: keeps working memory within a few GB."""


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """What a method found for a batch of channels, as NumPy arrays with a leading batch axis.

    Attributes:
        arrays: the allocation, the system's metrics and ``feasible``: what a result file holds.
        utility: objective of every channel.
        violated: whether some constraint is broken by more than rounding.
        status: of the method, see `wirelax.types.Status`.
        seconds: running time without compilation.
        compile_seconds: of the one program.
    """

    arrays: Mapping[str, np.ndarray]
    utility: np.ndarray
    violated: np.ndarray
    status: np.ndarray
    seconds: float
    compile_seconds: float

    @property
    def feasible(self) -> np.ndarray:
        """Which allocations meet every constraint."""
        return self.arrays["feasible"]

    def part(self, rows: slice) -> BatchResult:
        """What belongs to some of the channels."""
        utility = self.utility[rows]
        return BatchResult(
            arrays={name: array[rows] for name, array in self.arrays.items()},
            utility=utility,
            violated=self.violated[rows],
            status=self.status[rows],
            seconds=self.seconds * len(utility) / len(self.utility),
            compile_seconds=self.compile_seconds,
        )


def _keys(seed: int, start: int, count: int) -> jax.Array:
    """One key per instance: the same for any batch size."""
    base = jax.random.key(seed)
    return jax.vmap(lambda index: jax.random.fold_in(base, index))(jnp.arange(start, start + count))


def sample_channels(system: System, count: int, seed: int) -> dict[str, np.ndarray]:
    """`count` random channels with a leading batch axis; the first ones do not depend on how many follow."""
    draw = jax.jit(jax.vmap(system.sample))
    chunks = []
    for start in range(0, count, DEFAULT_BATCH_SIZE):
        size = min(DEFAULT_BATCH_SIZE, count - start)
        chunks.append(jax.tree.map(np.asarray, dict(draw(_keys(seed, start, size)))))
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _batched(system: System, method: Method) -> Callable[[tuple[Channel, jax.Array], Any], Any]:
    """Solutions, metrics and violations of a batch, as one function to compile."""

    def evaluate(channel: Channel, solution: Solution):
        metrics = system.metrics(solution.allocation, channel)
        return dict(metrics), dict(system.violations(solution.allocation, channel))

    def run(batch: tuple[Channel, jax.Array], state: Any):
        channels, keys = batch
        one = lambda pair: method.solve(state, *pair)  # noqa: E731
        if method.over == "batch":
            solutions = method.solve(state, channels, keys)
        elif method.over == "map":
            solutions = jax.lax.map(one, batch)
        elif method.chunk is None:
            solutions = jax.vmap(one)(batch)
        else:
            solutions = map_chunks(one, batch, method.chunk)
        return solutions, *jax.vmap(evaluate)(channels, solutions)

    return run


def _batch_size(channels: Mapping[str, np.ndarray], count: int, batch_size: int | None) -> int:
    if batch_size is None:
        elements = max(1, sum(array[0].size for array in channels.values()))
        batch_size = max(1, min(DEFAULT_BATCH_SIZE, MAX_BATCH_ELEMENTS // elements))
    return min(batch_size, count)


def _rows(array: np.ndarray, start: int, size: int) -> np.ndarray:
    """`size` rows from `start`, the last one repeated past the end, so that one compiled program serves all."""
    return array[np.minimum(np.arange(start, start + size), len(array) - 1)]


def _timed(compiled: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, float]:
    began = time.perf_counter()
    found = jax.block_until_ready(compiled(*arguments))
    return found, time.perf_counter() - began


def _timed_warm(compiled: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, float]:
    """The first run pays for touching new memory, and any run may be held up by the machine."""
    found, first = _timed(compiled, arguments)
    elapsed: list[float] = []
    while len(elapsed) < TIMED_RUNS and first + sum(elapsed) < WARM_UP_BELOW_S:
        elapsed.append(_timed(compiled, arguments)[1])
    return found, float(np.median(elapsed or [first]))


def solve_batch(
    system: System,
    method: Method,
    channels: Mapping[str, np.ndarray],
    *,
    seed: int = 0,
    batch_size: int | None = None,
    progress: Callable[[int, int], None] = lambda done, count: None,
) -> BatchResult:
    """Run one method on every channel, in batches, and evaluate what it found.

    Args:
        system: fitted to the sizes of the channels.
        method: one of ``system.methods``, or of the user.
        channels: arrays with a leading batch axis.
        seed: of the method's randomness; instance i has the same key for every batch size.
        batch_size: channels at once; chosen by default so that memory stays within a few GB.
        progress: called with the number done and the total after every batch.

    Raises:
        ValueError: the method's weights do not fit the system, or `batch_size` is not positive.
    """
    count = len(next(iter(channels.values())))
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; wanted a positive number of channels")
    size = _batch_size(channels, count, batch_size)
    parts = None if method.over == "map" or method.chunk else 1  # XLA itself spreads one large vmap
    state = jax.tree.map(jnp.asarray, method.load())
    chunks, seconds, compiled, compile_seconds = [], 0.0, None, 0.0
    for start in range(0, count, size):
        chunk = {name: jnp.asarray(_rows(array, start, size)) for name, array in channels.items()}
        arguments = ((chunk, _keys(seed, start, size)), state)
        if compiled is None:
            began = time.perf_counter()
            compiled = OverCores.compile(_batched(system, method), *arguments, parts=parts)
            compile_seconds = time.perf_counter() - began
        found, elapsed = (_timed_warm if start == 0 else _timed)(compiled, arguments)
        seconds += elapsed * min(1.0, (count - start) / size)
        left = count - start
        chunks.append(jax.tree.map(lambda leaf, left=left: np.asarray(leaf)[:left], found))
        progress(min(start + size, count), count)
    solutions, metrics, violations = jax.tree.map(lambda *leaves: np.concatenate(leaves), *chunks)
    worst = (
        np.max([np.broadcast_to(v, (count,)) for v in violations.values()], axis=0) if violations else np.zeros(count)
    )
    violated = ~(worst <= VIOLATION_TOLERANCE)
    feasible = (solutions.status != Status.INFEASIBLE) & ~violated
    return BatchResult(
        arrays={**solutions.allocation, **metrics, "feasible": feasible},
        utility=solutions.utility,
        violated=violated,
        status=solutions.status,
        seconds=seconds,
        compile_seconds=compile_seconds,
    )
