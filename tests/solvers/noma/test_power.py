"""Interior-point powers of NOMA schedules against SciPy, on NumPy functions written from eq. (7)."""

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import LinearConstraint, linprog, minimize

from wirelax.problems import make_noma_problem, random_schedule
from wirelax.solvers.nlp import InteriorPointOptions
from wirelax.solvers.noma import equal_power, noma_power, random_power
from wirelax.types import Status

from ...compiling import quick_jit
from ...problems.noma_reference import EPS, FORMS, NOISE, TOTAL, constraints

MIN_RATE = 0.01


@functools.cache
def solved(form, size, count, starts, double):
    """Slots' gains and powers in W, and solutions, of random networks."""

    def one(key):
        gain_key, schedule_key, start_key = jax.random.split(key, 3)
        gain = jax.random.exponential(gain_key, size)
        problem = make_noma_problem(gain, interference_gain=form, total_power_w=TOTAL, schedule=gain < 0)
        # Any users at all: some of these schedules cannot meet R_min.
        schedule = random_schedule(replace(problem, min_rate=jnp.zeros(())), key=schedule_key)
        problem = replace(problem, schedule=schedule)
        slots, found = problem.slots(), noma_power(problem, starts=starts, key=start_key)
        return slots.snr * (NOISE / TOTAL), slots.gather(found.allocation["power_w"]), found

    with jax.enable_x64(double):
        keys = jax.random.split(jax.random.key(2), count)
        gain, power, found = (quick_jit if count <= 16 else jax.jit)(jax.vmap(one))(keys)
    return np.asarray(gain, float), np.asarray(power, float), jax.device_get(found)


def sum_rate(power, gain, form):
    """Eq. (7) on slots in SIC order."""
    power = power.reshape(gain.shape)
    received = power if form == "receiver" else power * gain
    stronger = np.cumsum(received, 1) - received
    weaker = received.sum(1, keepdims=True) - stronger - received
    heard = EPS * weaker + stronger
    return np.log2(1 + power * gain / ((gain * heard if form == "receiver" else heard) + NOISE)).sum()


def scipy_optimum(gain, form, method, start=None):
    a, b = constraints(gain, np.ones(gain.shape, bool), form, MIN_RATE)
    ones, start = np.ones((1, gain.size)), np.full(gain.size, TOTAL / gain.size) if start is None else start
    cost = lambda power: -sum_rate(np.maximum(power, 0), gain, form)  # noqa: E731
    rules = [
        {"type": "eq", "fun": lambda p: p.sum(keepdims=True) - TOTAL, "jac": lambda p: ones},
        {"type": "ineq", "fun": lambda p: a @ p - b, "jac": lambda p: a},
    ]
    if method == "Ipopt":
        cyipopt = pytest.importorskip("cyipopt")
        return -cyipopt.minimize_ipopt(cost, start, constraints=rules, tol=1e-9).fun
    if method == "SLSQP":
        return -minimize(cost, start, method=method, constraints=rules, options={"maxiter": 500, "ftol": 1e-10}).fun
    rules = [LinearConstraint(ones, TOTAL, TOTAL), LinearConstraint(a, b, np.inf)]
    return -minimize(cost, start, method=method, constraints=rules, options={"maxiter": 2000, "gtol": 1e-7}).fun


def check_against(method, form, size, count, double):
    gains, powers, found = solved(form, size, max(count, 16), 1, double)
    limit = 1e-6 if double else 1e-4
    for i in range(count):
        a, b = constraints(gains[i], np.ones(gains[i].shape, bool), form, MIN_RATE)
        reachable = linprog(np.zeros(b.size), -a, -b, np.ones((1, b.size)), [TOTAL]).success
        assert found.status[i] == (Status.CONVERGED if reachable else Status.INFEASIBLE)
        if not reachable:
            continue
        power = powers[i]
        assert found.feasible[i]
        np.testing.assert_allclose(found.utility[i], sum_rate(power, gains[i], form), rtol=1e-6)
        assert sum_rate(power, gains[i], form) >= scipy_optimum(gains[i], form, method) * (1 - 1e-5)
        assert ((a @ power.ravel() - b) / b).min() >= -limit
        np.testing.assert_allclose(power.sum(), TOTAL, rtol=limit)


@pytest.mark.slow
def test_equals_slsqp_on_small_networks_in_float32():
    check_against("SLSQP", "receiver", (4, 5), 16, False)


@pytest.mark.slow
@pytest.mark.parametrize("double", [True, False], ids=["float64", "float32"])
@pytest.mark.parametrize("form", FORMS)
def test_equals_slsqp_on_200_networks_of_the_default_size(form, double):
    check_against("SLSQP", form, (10, 10), 200, double)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:delta_grad == 0.0")  # trust-constr at its end
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", ["trust-constr", "Ipopt"])
def test_equals_other_solvers(method, form):
    check_against(method, form, (4, 5), 16, True)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_more_starts_find_nothing_better(form):
    """The sum rate is not concave, but no second local optimum has been met at the default constants."""
    one, many = (np.asarray(solved(form, (10, 10), 200, starts, True)[2].utility) for starts in (1, 6))
    np.testing.assert_allclose(one, many, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_no_grid_point_is_better_on_two_subchannels(form):
    """Global check: all powers in steps of 1/14 of the total on 2 subchannels of 3 users, the best one polished."""
    gains, _, found = solved(form, (2, 3), 16, 4, True)
    steps, compared = 14, 0
    cuts = np.stack(np.meshgrid(*[np.arange(steps + 1)] * 5, indexing="ij"), -1).reshape(-1, 5)
    cuts = cuts[cuts.sum(1) <= steps]
    grid = TOTAL * np.column_stack([cuts, steps - cuts.sum(1)]) / steps
    for gain, utility in zip(gains, found.utility, strict=True):
        a, b = constraints(gain, np.ones(gain.shape, bool), form, MIN_RATE)
        allowed = grid[(grid @ a.T >= b).all(1)]
        if len(allowed):
            best = max(allowed, key=lambda power: sum_rate(power, gain, form))
            polished = scipy_optimum(gain, form, "SLSQP", best)
            assert utility >= max(sum_rate(best, gain, form), polished) - 1e-6
            compared += 1
    assert compared >= 12


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_derivatives_of_the_powers_are_those_of_differences(form, x64):
    """Powers by gains and by R_min, by the implicit function theorem: without a step of the solver unrolled."""
    options = InteriorPointOptions(barrier_decrease=0.1, max_iterations=150, tolerance=1e-10, implicit=True)
    key = jax.random.key(4)
    gain = jax.random.exponential(key, (3, 4))
    schedule = jnp.array([[1, 1, 0, 1], [0, 1, 1, 1], [1, 0, 1, 1]], bool)

    def optimum(theta):
        problem = make_noma_problem(
            gain * jnp.exp(theta[1:].reshape(gain.shape)),
            interference_gain=form,
            total_power_w=TOTAL,
            min_rate=theta[0],
            schedule=schedule,
        )
        return noma_power(problem, starts=1, key=key, options=options).allocation["power_w"].ravel()

    theta = jnp.zeros(1 + gain.size).at[0].set(0.05)
    steps = 1e-4 * jnp.eye(theta.size)
    solve = jax.jit(jax.vmap(optimum))
    differences = (solve(theta + steps) - solve(theta - steps)).T / 2e-4
    slope = jax.jit(jax.jacrev(optimum))(theta)
    assert jnp.abs(differences).max() > 0.1
    np.testing.assert_allclose(slope, differences, rtol=1e-3, atol=1e-4)


def test_even_and_random_powers():
    gain = np.random.default_rng(0).exponential(size=(4, 6))
    problem = make_noma_problem(gain, total_power_w=TOTAL)
    even, drawn, again = quick_jit(lambda p, a, b: (equal_power(p), random_power(p, key=a), random_power(p, key=b)))(
        problem, jax.random.key(0), jax.random.key(1)
    )
    pairs = np.asarray(problem.schedule)
    np.testing.assert_allclose(even.allocation["power_w"], pairs * TOTAL / pairs.sum(), rtol=1e-6)
    for found in (even, drawn, again):
        np.testing.assert_array_equal(found.allocation["assignment"], pairs)
        assert found.status == Status.CONVERGED
        np.testing.assert_allclose(found.allocation["power_w"].sum(), TOTAL, rtol=1e-6)
    assert (np.asarray(drawn.allocation["power_w"])[pairs] > 0).all()
    assert np.abs(drawn.allocation["power_w"] - again.allocation["power_w"]).max() > 0.1
