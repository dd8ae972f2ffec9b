"""Operation counts against a compiler's, and against hand counts."""

import jax
import pytest

from benchmarks import Work, search_work
from benchmarks.search import PlainSearch, sample
from benchmarks.work import link_work


def test_logs_of_the_plain_search_are_what_the_compiler_counts():
    problem = jax.tree.map(lambda leaf: leaf[0], sample(1)[0])
    compiled = jax.jit(PlainSearch(3)).lower(problem).compile()
    counted = compiled.cost_analysis()["transcendentals"]
    links = 6  # the optimum is evaluated once or twice more for the solution
    assert search_work(3, 2, 2, 3, 1)["plain"].logs == pytest.approx(counted, abs=2 * links)


def test_default_network_by_hand():
    work = search_work(3, 2, 2, 6, 4)
    candidates = 8 * 19_683
    assert work["plain"] == Work(
        logs=6 * candidates,
        divisions=7 * candidates,
        multiply_adds=30 * candidates,
        comparisons=2 * candidates,
        bytes=32 * candidates,
    )
    fast = work["fast"]
    assert fast.logs == 2 * 2 * 3 * 6**3
    assert fast.divisions == fast.logs + 4 * 8
    # Corners (0, 5), (4, 4), (5, 0): 12 levels below them on either subchannel; 36 + 18 + 9 rows of boxes.
    boxes = 8 * 2 * 12 * (36 + 18 + 9) + 3 * 8 * 27
    assert fast.comparisons == 4 * (boxes + 2 * 8 * 216 * 6)


def test_larger_networks_need_far_less_by_tables():
    work = search_work(5, 2, 3, 6, 4)  # more assignments than are kept apart
    assert work["fast"].logs == 3 * 2 * 5 * 6**5
    assert work["plain"].logs > 1e12


def test_iterations_add_in_proportion():
    two, three, four = (search_work(3, 2, 2, 6, n)["fast"] for n in (2, 3, 4))
    for a, b, c in zip(two, three, four):
        assert c - b == b - a


def test_bound_is_the_slower_of_arithmetic_and_memory():
    work = Work(logs=2, divisions=3, multiply_adds=4, comparisons=5, bytes=100)
    rates = {
        "logs": 1,
        "divisions": 1,
        "multiply_adds": 2,
        "comparisons": 5,
        "cached_bytes": 50,
        "memory_bytes": 10,
    }
    assert work.bound_seconds(rates, cached=True) == 8
    assert work.bound_seconds(rates, cached=False) == 10


def test_work_of_one_network():
    assert link_work(3) == Work(logs=3, divisions=3, multiply_adds=12, comparisons=0, bytes=60)
