"""Derivatives of the optimum by the constants of the problem, against differences of re-solved problems."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.problems import assignments
from wirelax.solvers import energy_efficient_power, exhaustive_polish, exhaustive_search, make_power_grid

from ...compiling import quick_jit
from .. import reference
from ..compiled import make_problem

SIZE = (2, 1, 2)
STEP = 1e-4
CIRCUIT_W = {"slack": 11.0, "target": 11.0, "budgets": 5e3}


def gain():
    """Cells so far apart that the optimum moves smoothly with the constants: no BS falls silent."""
    return reference.random_gains(30, 1, *SIZE)[0] * np.where(np.eye(2), 1.0, 1e-4)


def optimum(constants):
    """Utility and allocation of a stationary point, to many digits, from one start."""
    problem = make_problem(gain(), **constants)
    choice = jnp.asarray(assignments(*SIZE))
    start_w = jnp.full((1, *choice.shape[1:]), 0.05) * problem.max_power_w[:, None]
    found = energy_efficient_power(problem, choice, start_w, max_iterations=20_000, tolerance=1e-15)
    return found.utility[0], jax.tree.map(lambda leaf: leaf[0], found)


@functools.cache
def solved():
    """Compiled: a batch of constants -> utilities, solutions and slopes by every constant."""
    slopes = jax.value_and_grad(optimum, has_aux=True)
    return quick_jit(lambda constants: jax.lax.map(slopes, constants))


def base(case):
    constants = {
        "noise_w": np.asarray(reference.NOISE_W),
        "max_power_w": np.array([12.0, 1.2]),
        "circuit_power_w": np.asarray(CIRCUIT_W[case]),
        "target": np.asarray(0.0),
    }
    if case == "target":
        _, found = one(constants)[0]
        constants["target"] = np.asarray(1.04 * value(reference.spectral_efficiency, found))
    return constants


def value(function, found):
    return function(gain(), *(np.asarray(found.allocation[name]).tolist() for name in ("assignment", "power_w")))


def one(constants):
    batch = jax.tree.map(lambda leaf: np.stack([leaf] * 11), constants)
    return jax.tree.map(lambda leaf: leaf[0], solved()(batch))


def moved(constants):
    """The constants themselves, then each of the five numbers a little up and down, by its relative size."""
    flat = np.concatenate([np.ravel(leaf) for leaf in constants.values()])
    rows = [flat] + [flat * (1 + sign * STEP * (np.arange(5) == i)) for i in range(5) for sign in (1, -1)]
    parts = np.split(np.stack(rows), [1, 3, 4], axis=1)
    return {name: part.reshape(11, *leaf.shape) for (name, leaf), part in zip(constants.items(), parts, strict=True)}


@pytest.mark.parametrize("case", CIRCUIT_W)
def test_slopes_are_the_differences_of_optima(x64, case):
    constants = base(case)
    (utility, found), slopes = solved()(moved(constants))
    assert found.feasible.all()
    flat = np.concatenate([np.ravel(leaf) for leaf in constants.values()])
    relative = np.concatenate([np.ravel(slopes[name][0]) for name in constants]) * flat / utility[0]
    wanted = (utility[1::2] - utility[2::2]) / (2 * STEP) / utility[0]
    free_of_target = case != "target"
    # Bisection on the price of the target ends at a part in a hundred thousand.
    np.testing.assert_allclose(
        relative, wanted, rtol=1e-4 if free_of_target else 0.05, atol=1e-7 if free_of_target else 2e-3
    )
    fraction = found.allocation["power_w"][0].sum(-1) / constants["max_power_w"]
    full = fraction >= 1 - 1e-5
    assert full.any() == (case == "budgets")
    np.testing.assert_allclose(relative[1:3][~full], 0.0, atol=1e-13)
    assert (relative[1:3][full] > 0).all()
    assert (relative[4] < 0) == (case == "target")


@pytest.mark.slow
def test_slopes_of_the_searches_hold_the_decision(x64):
    """By circuit power: minus the efficiency over the power drawn, also for the grid search."""
    grid = make_power_grid(2, 3)

    def both(circuit_power_w):
        problem = make_problem(gain(), circuit_power_w=circuit_power_w)
        found = exhaustive_search(problem, grid), exhaustive_polish(problem, grid)
        drawn_w = [problem.total_power_w(solution.allocation["power_w"].sum()) for solution in found]
        return jnp.stack([solution.utility for solution in found]), (jnp.stack(drawn_w), found)

    values = quick_jit(lambda c: (both(c)[0], *jax.jacrev(both, has_aux=True)(c)))
    utility, slope, (drawn_w, found) = values(jnp.asarray(11.0))
    np.testing.assert_allclose(utility, [solution.utility for solution in found], 1e-12)
    np.testing.assert_allclose(slope, -utility / drawn_w, 1e-9)
    assert utility[1] >= utility[0]
