"""Methods that enumerate nothing: valid at any size, and good where the optimum is known."""

import functools

import jax
import numpy as np
import pytest

from wirelax.solvers import energy_efficiency_gradient, strongest_assignment
from wirelax.solvers.energy_efficiency import max_power, random_power
from wirelax.types import Status

from ...compiling import quick_jit
from .. import reference
from ..compiled import dozen, make_problem, make_problems, value_of

SIZES = [(3, 2, 2), (17, 4, 5), (2, 1, 3)]


@pytest.mark.parametrize("size", SIZES)
def test_the_strongest_assignment_is_greedy_and_valid(size):
    gains = reference.random_gains(40, 6, *size)
    found = quick_jit(jax.vmap(strongest_assignment))(make_problems(gains))
    assert found.dtype == np.int32
    for gain, choice in zip(gains, found, strict=True):
        assert choice.tolist() == reference.strongest(gain.tolist(), size[0])


def test_on_equal_and_zero_channels_the_strongest_assignment_is_valid():
    for gain in (np.ones((3, 6, 2)), np.zeros((3, 6, 2))):
        found = quick_jit(strongest_assignment)(make_problem(gain))
        assert [set(row) for row in found.tolist()] == [{0, 1, 2}, {3, 4, 5}]


@functools.cache
def guesses():
    return quick_jit(jax.vmap(lambda problem, key: (max_power(problem, key=key), random_power(problem, key=key))))


@pytest.mark.parametrize("size", SIZES)
def test_guesses_are_feasible(size, key):
    problems = make_problems(reference.random_gains(41, 6, *size))
    full, drawn = guesses()(problems, jax.random.split(key, 6))
    for found in (full, drawn):
        assert found.feasible.all()
        assert (found.status == Status.CONVERGED).all()
        assert not found.proven.any()
        for violation in found.violations.values():
            assert (violation <= 1e-5).all()
    budgets = reference.constants(size[0])["max_power_w"]
    np.testing.assert_allclose(full.allocation["power_w"].sum(-1), np.broadcast_to(budgets, (6, size[0])), 1e-6)
    assert (np.asarray(drawn.allocation["power_w"]) > 0).all()
    assert len(np.unique(drawn.allocation["power_w"])) == 6 * size[0] * size[2]


@pytest.mark.slow
def test_gradient_ascent_is_close_to_the_polished_search(key):
    gains, polished = dozen()
    solve = functools.partial(energy_efficiency_gradient, starts=16, steps=200)
    found = quick_jit(jax.vmap(lambda problem, key: solve(problem, key=key)))(
        make_problems(gains), jax.random.split(key, 12)
    )
    assert found.feasible.all()
    assert (found.status == Status.CONVERGED).all()
    assert found.utility.mean() > 0.95 * polished.utility.mean()
    assert (found.utility <= 1.02 * polished.utility).all()
    wanted = value_of(reference.energy_efficiency, gains, found, circuit_power_w=12.0)
    np.testing.assert_allclose(found.utility, wanted, 1e-5)
