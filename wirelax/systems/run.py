"""Running methods over batches of channels, the same way for every system and every method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from wirelax.errors import InputError
from wirelax.execution import batch_length, compiled, map_batches, map_chunks, timed, timed_warm
from wirelax.systems.base import System, Template
from wirelax.types import Solution
from wirelax.units import linear_to_db

__all__ = ["BatchResult", "instance_keys", "make_problems", "sample_channels", "solve_batch"]

DEFAULT_BATCH_SIZE = 4096
MAX_BATCH_ELEMENTS = 2**24
"""Numbers of channel data in one batch by default: keeps working memory within a few GB."""


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """What a method found for a batch of channels, as NumPy arrays with a leading batch axis.

    Attributes:
        arrays: the allocation, the utility under the system's name for it, further metrics and ``feasible``: what a
            result file holds.
        utility: objective of every channel.
        feasible: which allocations meet every constraint.
        violations: relative excess over every constraint, positive where it is broken.
        status: of the method, see `wirelax.types.Status`.
        proven: whether the method proves its allocation to be the best that it could find.
        median_snr_db: median of the problems' SNRs at full power; None where problems have none.
        seconds: running time without compilation.
        compile_seconds: of the programs; 0 where they were kept from before.
    """

    arrays: Mapping[str, np.ndarray]
    utility: np.ndarray
    feasible: np.ndarray
    violations: Mapping[str, np.ndarray]
    status: np.ndarray
    proven: np.ndarray
    median_snr_db: float | None = None
    seconds: float
    compile_seconds: float

    def part(self, rows: slice) -> BatchResult:
        """What belongs to some of the channels."""
        cut = partial(jax.tree.map, lambda array: array[rows])
        return BatchResult(
            arrays=cut(dict(self.arrays)),
            utility=self.utility[rows],
            feasible=self.feasible[rows],
            violations=cut(dict(self.violations)),
            status=self.status[rows],
            proven=self.proven[rows],
            median_snr_db=self.median_snr_db,
            seconds=self.seconds * len(self.utility[rows]) / len(self.utility),
            compile_seconds=self.compile_seconds,
        )


def instance_keys(seed: int, start: int, count: int, stream: int | None = None) -> Array:
    """One key per instance: the same for any batch size. Streams with other numbers have other keys."""
    base = jax.random.key(seed)
    base = base if stream is None else jax.random.fold_in(base, stream)
    return jax.vmap(lambda index: jax.random.fold_in(base, index))(jnp.arange(start, start + count))


@dataclass(frozen=True)
class _Sample:
    template: Template

    def __call__(self, keys: Array, constants: Mapping[str, Any]) -> dict[str, Array]:
        return dict(jax.vmap(self.template.bind(constants).sample)(keys))


@dataclass(frozen=True)
class _Problems:
    template: Template

    def __call__(self, channels: Mapping[str, Array], constants: Mapping[str, Any]) -> Any:
        return jax.vmap(self.template.bind(constants).problem)(channels)


@dataclass(frozen=True)
class _Solve:
    """Solutions and further metrics of a batch of problems, as one function to compile."""

    solve: Callable[..., Solution]
    over: str
    chunk: int | None

    def __call__(self, batch: tuple[Any, Array], state: Any) -> tuple[Solution, Mapping[str, Array]]:
        problems, keys = batch
        one = lambda pair: self.solve(state, *pair)  # noqa: E731
        if self.over == "batch" and self.chunk is None:
            solutions = self.solve(state, problems, keys)
        elif self.over == "batch":
            solutions = map_batches(lambda chunk: self.solve(state, *chunk), batch, self.chunk or 1)
        elif self.over == "map":
            solutions = jax.lax.map(one, batch)
        elif self.chunk is None:
            solutions = jax.vmap(one)(batch)
        else:
            solutions = map_chunks(one, batch, self.chunk)
        metrics = lambda p, s: dict(p.metrics(s.allocation)) if hasattr(p, "metrics") else {}  # noqa: E731
        return solutions, jax.vmap(metrics)(problems, solutions)


def sample_channels(system: System, count: int, seed: int) -> dict[str, np.ndarray]:
    """`count` random channels with a leading batch axis; the first ones do not depend on how many follow."""
    if count < 1:
        raise InputError(f"count is {count}; wanted a positive number of channels")
    chunks, constants = [], system.constants()
    size = min(DEFAULT_BATCH_SIZE, count)
    for start in range(0, count, size):
        keys = instance_keys(seed, start, size)
        draw, _ = compiled(_Sample(Template(system)), keys, constants, parts=1)
        drawn = jax.tree.map(np.asarray, draw(keys, constants))
        chunks.append(jax.tree.map(lambda leaf, left=count - start: leaf[:left], drawn))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *chunks)


def make_problems(system: System, channels: Mapping[str, Any]) -> Any:
    """The problems of channels with a leading batch axis, as one pytree."""
    return _problems(system, jax.tree.map(jnp.asarray, dict(channels)), system.constants())[0]


def _problems(system: System, channels: dict[str, Array], constants: Any) -> tuple[Any, float, float]:
    """The problems, the seconds that they took and those of the compilation."""
    build, compile_seconds = compiled(_Problems(Template(system)), channels, constants, parts=1)
    problems, seconds = timed(build, channels, constants)
    return problems, seconds, compile_seconds


def _batch_size(channels: Mapping[str, np.ndarray], count: int, batch_size: int | None) -> int:
    if batch_size is None:
        elements = max(1, sum(array[0].size for array in channels.values()))
        batch_size = max(1, min(DEFAULT_BATCH_SIZE, MAX_BATCH_ELEMENTS // elements))
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}; wanted a positive number of channels")
    return min(batch_size, count)


def _rows(array: np.ndarray, start: int, size: int) -> Array:
    """`size` rows from `start`, the last one repeated past the end, so that one compiled program serves all."""
    return jnp.asarray(array[np.minimum(np.arange(start, start + size), len(array) - 1)])


def _snr_db(problems: Any) -> float | None:
    if not hasattr(problems, "snr"):
        return None
    snr = np.asarray(jax.vmap(lambda problem: problem.snr)(problems))  # it may be a property of one problem
    reached = snr[snr > 0]
    return float(linear_to_db(np.median(reached))) if reached.size else None


def solve_batch(
    system: System,
    method: Any,
    channels: Mapping[str, np.ndarray],
    *,
    seed: int = 0,
    batch_size: int | None = None,
    progress: Callable[[int, int], None] = lambda done, count: None,
) -> BatchResult:
    """Run one method on every channel, in batches, and evaluate what it found.

    Programs are kept: a second call with the same shapes compiles nothing, whatever the numbers of the
    configuration are.

    Args:
        system: fitted to the sizes of the channels.
        method: a name, a `Method`, a trained policy or a function, see `wirelax.systems.methods.method_of`.
        channels: arrays with a leading batch axis.
        seed: of the method's randomness; instance i has the same key for every batch size.
        batch_size: channels at once; chosen by default so that memory stays within a few GB.
        progress: called with the number done and the total after every batch.

    Raises:
        InputError: there are no channels, an unknown method, weights that do not fit the system, or a `batch_size`
            that is not positive.
    """
    from wirelax.systems.methods import method_of

    method = method_of(system, method)
    count = batch_length(channels) if channels else 0
    if count == 0:
        raise InputError("there are no channels to solve; give at least one instance")
    size = _batch_size(channels, count, batch_size)
    parts = None if method.over == "map" or method.chunk else 1  # XLA itself spreads one large vmap
    state, constants = jax.tree.map(jnp.asarray, method.load()), system.constants()
    function = _Solve(method.solve, method.over, method.chunk)
    chunks, snr_db, seconds, compile_seconds = [], None, 0.0, 0.0
    for start in range(0, count, size):
        rows = {name: _rows(array, start, size) for name, array in channels.items()}
        problems, building, compiling = _problems(system, rows, constants)
        batch = problems, instance_keys(seed, start, size)
        run, more = compiled(function, batch, state, parts=parts)
        found, elapsed = (timed_warm if start == 0 else timed)(run, batch, state)
        snr_db = _snr_db(problems) if start == 0 else snr_db
        left = count - start
        seconds += (building + elapsed) * min(1.0, left / size)
        compile_seconds += compiling + more
        chunks.append(jax.tree.map(lambda leaf, left=left: np.asarray(leaf)[:left], found))
        progress(min(start + size, count), count)
    solutions, metrics = jax.tree.map(lambda *leaves: np.concatenate(leaves), *chunks)
    return _result(system, solutions, metrics, median_snr_db=snr_db, seconds=seconds, compile_seconds=compile_seconds)


def _result(system: System, solutions: Solution, metrics: Mapping[str, np.ndarray], **how: Any) -> BatchResult:
    found: dict[str, Any] = {**solutions.allocation, system.utility_name: solutions.utility, **metrics}
    return BatchResult(
        arrays={**found, **{name: np.asarray(getattr(solutions, name)) for name in ("feasible", "status", "proven")}},
        utility=np.asarray(solutions.utility),
        feasible=np.asarray(solutions.feasible),
        violations={name: np.asarray(value) for name, value in solutions.violations.items()},
        status=np.asarray(solutions.status),
        proven=np.asarray(solutions.proven),
        **how,
    )
