"""The NumPy searches share no code with the compiled ones, so each checks the other."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.bench.numpy_search import all_candidates, loop_search, same_decision, vectorised_search
from wirelax.bench.search import map_over, one_in_numpy, sample_problems
from wirelax.solvers.ee_problem import assignments
from wirelax.solvers.exhaustive import exhaustive_search

LEVELS = 3
CHANNELS = 2


@pytest.fixture(scope="module", params=[10.0, 60.0], ids=["loose target", "binding target"])
def problems(request):
    target = jnp.full(CHANNELS, request.param)
    return dataclasses.replace(sample_problems(CHANNELS), min_spectral_efficiency=target)


def test_loop_finds_what_the_compiled_search_finds(problems):
    solution = jax.jit(map_over(exhaustive_search, levels=LEVELS))(problems)
    for index in range(CHANNELS):
        problem = one_in_numpy(problems, index)
        found = loop_search(problem, all_candidates(problem, LEVELS))
        allocation = jax.tree.map(lambda leaf, i=index: leaf[i], solution.allocation)
        assert same_decision(found[1:], (allocation["assignment"], allocation["power_w"]))
        if found.utility > 0:  # else it is the shortfall of the rate
            assert found.utility == pytest.approx(float(solution.utility[index]), rel=1e-5)


def test_vectorised_finds_what_the_loop_finds(problems):
    problem = one_in_numpy(problems, 0)
    candidates = all_candidates(problem, LEVELS)
    loop, vectorised = loop_search(problem, candidates), vectorised_search(problem, candidates)
    assert same_decision(loop[1:], vectorised[1:])
    assert loop.utility == pytest.approx(vectorised.utility, rel=1e-12)


@pytest.fixture(scope="module")
def candidates():
    return all_candidates(one_in_numpy(sample_problems(1), 0), LEVELS)


def test_candidates_are_the_assignments_and_budgets_of_the_problem(candidates):
    np.testing.assert_array_equal(candidates.assignments, assignments(3, 2, 2))
    assert candidates.powers_w.shape == (6**3, 3, 2)
    assert np.all(candidates.powers_w.sum(-1) <= np.array([12, 1.2, 1.2]) * (1 + 1e-5))


def test_default_grid_has_the_size_of_the_paper():
    assert all_candidates(one_in_numpy(sample_problems(1), 0), 6).count == 8 * 19_683


@pytest.mark.parametrize("most", [8, 64, 1000, 10**6])
def test_thinned_keeps_every_assignment(candidates, most):
    thinned = candidates.thinned(most)
    assert thinned.count <= min(most, candidates.count)
    np.testing.assert_array_equal(thinned.assignments, candidates.assignments)


def test_whom_a_silent_subchannel_serves_is_no_difference():
    power = np.array([[1.0, 0.0], [0.5, 0.5]])
    first, second, third = np.array([[0, 1], [2, 3]]), np.array([[0, 0], [2, 3]]), np.array([[1, 0], [2, 3]])
    assert same_decision((first, power), (second, power))
    assert not same_decision((first, power), (third, power))
    assert not same_decision((first, power), (first, 2 * power))
