"""Exhaustive searches and continuous solvers on synthetic HetNet channels."""

import jax
import pytest

from wirelax.bench.numpy_search import all_candidates, loop_search, vectorised_search
from wirelax.bench.search import map_over, one_in_numpy, sample_problems
from wirelax.bench.timing import compile_apart
from wirelax.solvers.energy_efficiency import dinkelbach, exhaustive_polish
from wirelax.solvers.exhaustive import exhaustive_search, exhaustive_search_reference

LEVELS = 6
LOOP_CANDIDATES = 2_000


@pytest.mark.parametrize(
    ("solver", "channels"),
    [(exhaustive_search, 1_000), (exhaustive_search_reference, 8), (exhaustive_polish, 64), (dinkelbach, 64)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_compiled(benchmark, solver, channels):
    call, compile_seconds = compile_apart(map_over(solver), sample_problems(channels))
    benchmark.extra_info.update(channels=channels, compile_seconds=compile_seconds)
    benchmark.pedantic(lambda: jax.block_until_ready(call()), rounds=5, warmup_rounds=1)


@pytest.fixture(scope="module")
def problem():
    return one_in_numpy(sample_problems(1), 0)


def test_numpy_loop(benchmark, problem):
    subset = all_candidates(problem, LEVELS).thinned(LOOP_CANDIDATES)
    benchmark.extra_info["candidates"] = subset.count
    benchmark.pedantic(loop_search, (problem, subset), rounds=5, warmup_rounds=1)


def test_numpy_vectorised(benchmark, problem):
    candidates = all_candidates(problem, LEVELS)
    benchmark.extra_info["candidates"] = candidates.count
    benchmark.pedantic(vectorised_search, (problem, candidates), rounds=5, warmup_rounds=1)
