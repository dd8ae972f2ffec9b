"""What all methods owe: no scale changes the answer, unreachable users do no harm, nothing is ever not a number."""

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.problems import make_noma_problem
from wirelax.solvers.noma import equal_power, noma_joint, noma_power, paus, random_power, swap_matching
from wirelax.types import Status

from ...compiling import quick_jit
from ...problems.noma_reference import rates

pytestmark = pytest.mark.slow  # one large program of all methods

SIZE, NETWORKS, POWER_W, NOISE_W = (4, 6), 4, 20.0, 0.1
QUOTAS = {"max_users_per_subchannel": 3, "max_subchannels_per_user": 2}
METHODS = {
    "max-power": lambda problem, key: equal_power(problem),
    "random-power": lambda problem, key: random_power(problem, key=key),
    "interior-point": lambda problem, key: noma_power(problem, starts=2, key=key),
    "swap-matching": lambda problem, key: swap_matching(problem),
    "paus-ip": lambda problem, key: paus(problem, functools.partial(noma_power, starts=1, key=key)),
    "joint": lambda problem, key: noma_joint(problem, key=key, levels=40),
}
SCALES = ((1.0, 1.0), (1e-20, 1.0), (1e-12, 1.0), (1e6, 1.0), (1.0, 1e-6))
"""Of gains and noise, and of noise and power."""
SCHEDULE = np.array([[1, 1, 0, 1, 0, 0], [0, 1, 1, 0, 1, 0], [1, 0, 1, 0, 0, 1], [0, 0, 0, 1, 1, 1]], bool)
CROWDED = SCHEDULE | (np.arange(24).reshape(SIZE) == 2)


@quick_jit
@functools.partial(jax.vmap, in_axes=(0, 0, 0, 0, None))
def every_method(gain, noise_w, total_w, schedule, key):
    problem = make_noma_problem(gain, noise_power_w=noise_w, total_power_w=total_w, **QUOTAS)
    problem = replace(problem, schedule=jnp.where(schedule.any(), schedule, problem.schedule))
    return {name: solve(problem, key) for name, solve in METHODS.items()}


@pytest.fixture(scope="module")
def cases():
    """Gains of all cases, and all solutions.

    Networks at every scale, with unreachable users, hopeless ones, and two whose schedules are given.
    """
    gain = np.random.default_rng(1).exponential(size=(NETWORKS, *SIZE))
    every = [(g * scale, NOISE_W * scale * power, POWER_W * power) for scale, power in SCALES for g in gain]
    half = gain.copy()
    half[:, :, ::2] = 0.0
    every += [(g, NOISE_W, POWER_W) for g in half]
    every += [(g, NOISE_W, POWER_W) for g in (0.0 * gain[0], np.full(SIZE, np.nan), np.full(SIZE, 1e-9))]
    every += [(gain[0], NOISE_W, POWER_W)] * 2
    gain, noise_w, total_w = (np.array(each, np.float32) for each in zip(*every, strict=True))
    gain[-2, 0, 0] = 0.0
    schedule = np.stack([*np.zeros((len(gain) - 2, *SIZE), bool), SCHEDULE, CROWDED])
    return gain, jax.device_get(every_method(gain, noise_w, total_w, schedule, jax.random.key(0)))


def part(solution, rows):
    return jax.tree.map(lambda leaf: leaf[rows], solution)


@pytest.mark.parametrize("method", METHODS)
def test_answers_are_the_same_at_every_scale(cases, method):
    solutions = [part(cases[1][method], slice(i * NETWORKS, (i + 1) * NETWORKS)) for i in range(len(SCALES))]
    for (_, power), found in zip(SCALES, solutions, strict=True):
        np.testing.assert_allclose(found.utility, solutions[0].utility, rtol=1e-5)
        np.testing.assert_array_equal(found.allocation["assignment"], solutions[0].allocation["assignment"])
        powers_w = found.allocation["power_w"] / power
        np.testing.assert_allclose(powers_w, solutions[0].allocation["power_w"], rtol=1e-3, atol=1e-4 * POWER_W)
        np.testing.assert_array_equal(found.status, Status.CONVERGED)
        np.testing.assert_array_equal(found.feasible, solutions[0].feasible)
    for i in range(NETWORKS):
        allocation = {name: leaf[i] for name, leaf in solutions[0].allocation.items()}
        utility = rates(cases[0][i].astype(float), allocation["assignment"], allocation["power_w"], "receiver").sum()
        np.testing.assert_allclose(solutions[0].utility[i], utility, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_unreachable_users_do_no_harm(cases, method):
    """Half of the users have no gain on any subchannel: nobody asks for their R_min."""
    rows = slice(len(SCALES) * NETWORKS, (len(SCALES) + 1) * NETWORKS)
    found = part(cases[1][method], rows)
    assert not (found.allocation["assignment"] & (cases[0][rows] == 0)).any()
    assert (found.status == Status.CONVERGED).all()
    assert (found.utility > 8).all()
    if method not in ("max-power", "random-power", "swap-matching"):  # which do not look at R_min
        assert found.feasible.all()


@pytest.mark.parametrize("method", METHODS)
def test_hopeless_networks_are_reported_in_finite_numbers(cases, method):
    """No gain at all, gains that are not numbers, and gains that cannot give anybody R_min."""
    found = part(cases[1][method], slice((len(SCALES) + 1) * NETWORKS, -2))
    np.testing.assert_array_equal(found.status, [Status.INFEASIBLE, Status.NOT_FINITE, Status.INFEASIBLE])
    assert not found.feasible.any()
    assert np.isfinite(found.allocation["power_w"]).all()
    np.testing.assert_allclose(found.utility[[0, 2]], 0.0, atol=1e-6)


@pytest.mark.parametrize("method", ["max-power", "random-power", "interior-point"])
def test_a_schedule_that_is_given_stays_even_where_it_is_out_of_reach(cases, method):
    found = part(cases[1][method], -2)
    np.testing.assert_array_equal(found.allocation["assignment"], SCHEDULE)
    assert found.status == Status.INFEASIBLE
    assert not found.feasible
    assert found.violations["min_rate"] == 1.0
    assert np.isfinite(found.allocation["power_w"]).all()


@pytest.mark.parametrize("method", ["max-power", "random-power", "interior-point"])
def test_quotas_that_a_traced_schedule_exceeds_are_reported(cases, method):
    """Four users on one subchannel, one of them on three: nobody is taken out without a word."""
    found = part(cases[1][method], -1)
    np.testing.assert_array_equal(found.allocation["assignment"], CROWDED)
    np.testing.assert_allclose(found.violations["users_per_subchannel"], 1 / 3, rtol=1e-6)
    np.testing.assert_allclose(found.violations["subchannels_per_user"], 1 / 2, rtol=1e-6)
    assert found.status == Status.INFEASIBLE
    assert not found.feasible


@pytest.mark.parametrize(
    "method", ["interior-point", *(pytest.param(name, marks=pytest.mark.slow) for name in METHODS if "int" not in name)]
)
@pytest.mark.parametrize("form", ["receiver", pytest.param("paper", marks=pytest.mark.slow)])
def test_derivatives_of_the_utility_are_differences_of_answers_solved_again(method, form, x64):
    """By noise, budget, R_min, eps, weights and gains; schedules stay as they are for changes this small."""
    gain = jnp.asarray(np.random.default_rng(4).exponential(size=SIZE))

    def utility(theta):
        problem = make_noma_problem(
            gain.at[0].multiply(theta[-SIZE[1] :]),
            noise_power_w=theta[0],
            total_power_w=theta[1],
            min_rate=theta[2],
            sic_residual=theta[3],
            weight=theta[4 : 4 + SIZE[1]],
            schedule=SCHEDULE,
            interference_gain=form,
            **QUOTAS,
        )
        return METHODS[method](problem, jax.random.key(0)).utility

    weight = np.random.default_rng(5).uniform(0.5, 1.5, SIZE[1])
    theta = jnp.concatenate([jnp.array([NOISE_W, POWER_W, 0.3, 0.05]), weight, jnp.ones(SIZE[1])])
    steps = 1e-5 * jnp.diag(theta)
    points = jnp.concatenate([theta + steps, theta - steps])
    values, slopes = quick_jit(jax.vmap(jax.value_and_grad(utility)))(jnp.concatenate([points, theta[None]]))
    up, down = jnp.split(values[:-1], 2)
    differences, slope = (up - down) / jnp.diagonal(2 * steps), slopes[-1]
    np.testing.assert_allclose(slope * theta, differences * theta, rtol=1e-4, atol=2e-5)
    assert (slope[0] < 0) & (slope[1] > 0)
    if method == "interior-point":
        assert (slope[2] < -0.01) & (slope[3] < -0.01)
