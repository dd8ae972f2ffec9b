"""Exhaustive searches and continuous solvers on synthetic HetNet channels."""

import pytest

from benchmarks.numpy_search import all_candidates, loop_search, vectorised_search
from benchmarks.search import Mapped, PlainSearch, sample
from benchmarks.timing import compile_call
from wirelax.solvers.energy_efficiency import dinkelbach, exhaustive_polish, exhaustive_search

LEVELS = 6
LOOP_CANDIDATES = 2_000


@pytest.mark.parametrize(
    ("solver", "channels"),
    [(exhaustive_search, 1_000), (PlainSearch(LEVELS), 8), (exhaustive_polish, 64), (dinkelbach, 64)],
    ids=["exhaustive_search", "exhaustive_search_reference", "exhaustive_polish", "dinkelbach"],
)
def test_compiled(benchmark, solver, channels):
    call, compile_seconds = compile_call(Mapped(solver), sample(channels)[0])
    benchmark.extra_info.update(channels=channels, compile_seconds=compile_seconds)
    benchmark.pedantic(call, rounds=5, warmup_rounds=1)


@pytest.fixture(scope="module")
def network():
    return sample(1)[1](0)


def test_numpy_loop(benchmark, network):
    subset = all_candidates(network, LEVELS).thinned(LOOP_CANDIDATES)
    benchmark.extra_info["candidates"] = subset.count
    benchmark.pedantic(loop_search, (network, subset), rounds=5, warmup_rounds=1)


def test_numpy_vectorised(benchmark, network):
    candidates = all_candidates(network, LEVELS)
    benchmark.extra_info["candidates"] = candidates.count
    benchmark.pedantic(vectorised_search, (network, candidates), rounds=5, warmup_rounds=1)
