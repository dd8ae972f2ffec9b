"""The NumPy searches share no code with the compiled ones, so each checks the other."""

import functools

import jax
import numpy as np
import pytest

from benchmarks.numpy_search import all_candidates, loop_search, same_decision, vectorised_search
from benchmarks.search import Mapped, sample
from wirelax.problems import assignments
from wirelax.solvers.energy_efficiency import exhaustive_search, make_power_grid

from ..compiling import quick_jit

LEVELS = 3
CHANNELS = 2


@functools.cache
def search():
    return quick_jit(Mapped(exhaustive_search))


@pytest.fixture(scope="module", params=[10.0, 60.0], ids=["loose target", "binding target"])
def channels(request):
    problems, network = sample(CHANNELS, min_spectral_efficiency=request.param)
    return problems, [network(index) for index in range(CHANNELS)]


def test_loop_finds_what_the_compiled_search_finds(channels):
    problems, networks = channels
    solution = search()(problems, make_power_grid(2, LEVELS))
    for index, network in enumerate(networks):
        found = loop_search(network, all_candidates(network, LEVELS))
        allocation = jax.tree.map(lambda leaf, i=index: leaf[i], solution.allocation)
        assert same_decision(found[1:], (allocation["assignment"], allocation["power_w"]))
        if found.utility > 0:  # else it is the shortfall of the rate
            assert found.utility == pytest.approx(float(solution.utility[index]), rel=1e-5)


def test_vectorised_finds_what_the_loop_finds(channels):
    network = channels[1][0]
    candidates = all_candidates(network, LEVELS)
    loop, vectorised = loop_search(network, candidates), vectorised_search(network, candidates)
    assert same_decision(loop[1:], vectorised[1:])
    assert loop.utility == pytest.approx(vectorised.utility, rel=1e-12)


@pytest.fixture(scope="module")
def network():
    return sample(CHANNELS)[1](0)


def test_network_has_the_numbers_of_the_paper_in_physical_units(network):
    assert network.noise_w == pytest.approx(1.549e-16, rel=1e-3)
    np.testing.assert_array_equal(network.max_power_w, [12.0, 1.2, 1.2])
    assert network.circuit_power_w == 12.0
    assert network.gain.dtype == np.float64
    assert np.median(network.gain) < 1e-6  # not normalised


def test_candidates_are_the_assignments_and_budgets_of_the_problem(network):
    candidates = all_candidates(network, LEVELS)
    np.testing.assert_array_equal(candidates.assignments, assignments(3, 2, 2))
    assert candidates.powers_w.shape == (6**3, 3, 2)
    assert np.all(candidates.powers_w.sum(-1) <= np.array([12, 1.2, 1.2]) * (1 + 1e-5))


def test_default_grid_has_the_size_of_the_paper(network):
    assert all_candidates(network, 6).count == 8 * 19_683


@pytest.mark.parametrize("most", [8, 64, 1000, 10**6])
def test_thinned_keeps_every_assignment(network, most):
    candidates = all_candidates(network, LEVELS)
    thinned = candidates.thinned(most)
    assert thinned.count <= min(most, candidates.count)
    np.testing.assert_array_equal(thinned.assignments, candidates.assignments)


def test_whom_a_silent_subchannel_serves_is_no_difference():
    power = np.array([[1.0, 0.0], [0.5, 0.5]])
    first, second, third = np.array([[0, 1], [2, 3]]), np.array([[0, 0], [2, 3]]), np.array([[1, 0], [2, 3]])
    assert same_decision((first, power), (second, power))
    assert not same_decision((first, power), (third, power))
    assert not same_decision((first, power), (first, 2 * power))
