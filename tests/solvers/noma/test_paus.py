"""Powers and schedules in turns: never below either alone, within quotas, and it ends."""

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.problems import make_noma_problem, random_schedule
from wirelax.solvers.noma import equal_power, paus, swap_matching
from wirelax.types import Status

from ...compiling import quick_jit

COUNT, SIZE, QUOTAS = 24, (4, 6), (3, 2)


@quick_jit
@functools.partial(jax.vmap, in_axes=(None, 0))
def solved(min_rate, key):
    """A random network with equal powers: budget, value before and after matching, and by turns."""
    gain_key, schedule_key = jax.random.split(key)
    gain = jax.random.exponential(gain_key, SIZE)
    problem = make_noma_problem(
        gain,
        min_rate=min_rate,
        schedule=gain < 0,
        max_users_per_subchannel=QUOTAS[0],
        max_subchannels_per_user=QUOTAS[1],
    )
    schedule = random_schedule(replace(problem, min_rate=jnp.zeros(())), key=schedule_key)
    problem = replace(problem, schedule=schedule)
    return (
        problem.total_power_w,
        equal_power(problem).utility,
        swap_matching(problem).utility,
        paus(problem, equal_power),
    )


KEYS = jax.random.split(jax.random.key(7), COUNT)


@pytest.fixture(scope="module")
def easy():
    return jax.device_get(solved(0.0, KEYS))


def test_equal_powers_leave_it_to_the_matching(easy):
    """Where the powers never change, the turns are a swap matching and one round that finds nothing more."""
    _, before, matched, found = easy
    np.testing.assert_allclose(found.utility, matched, rtol=1e-5)
    assert (found.utility >= before).all()
    assert (found.utility > before * 1.01).mean() > 0.5


def test_it_ends_within_the_quotas_and_the_budget(easy):
    total, _, _, found = easy
    assert (found.status == Status.CONVERGED).all()
    assert ((found.iterations >= 1) & (found.iterations < 20)).all()
    np.testing.assert_allclose(found.allocation["power_w"].sum((1, 2)), total, rtol=1e-5)
    assert found.allocation["assignment"].sum(1).max() <= QUOTAS[1]
    assert found.allocation["assignment"].sum(2).max() <= QUOTAS[0]
    for name in ("total_power", "stray_power", "users_per_subchannel", "subchannels_per_user"):
        assert (found.violations[name] <= 1e-5).all()


def test_a_minimum_rate_out_of_reach_is_reported():
    *_, found = jax.device_get(solved(4.0, KEYS))
    assert (found.status == Status.INFEASIBLE).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found.allocation))
    assert np.isfinite(found.utility).all()
