"""Powers and schedules in turns: never below either alone, within quotas, and it ends."""

import functools

import jax
import numpy as np
import pytest

from wirelax.solvers import make_noma_problem, paus, random_schedule, swap_matching
from wirelax.types import Status

from ..compiling import quick_jit

COUNT, SIZE, QUOTAS = 24, (4, 6), (3, 2)


@quick_jit
@functools.partial(jax.vmap, in_axes=(None, 0))
def solved(min_rate, key):
    """A random network with equal powers: budget, value before and after matching, and by turns."""
    gain_key, schedule_key = jax.random.split(key)
    gain = jax.random.exponential(gain_key, SIZE)
    problem = make_noma_problem(
        gain, min_rate=min_rate, max_users_per_subchannel=QUOTAS[0], max_subchannels_per_user=QUOTAS[1]
    )
    slots = problem.slots(random_schedule(gain, *QUOTAS, key=schedule_key))
    before = problem.slot_utility(slots, problem.equal_power(slots))
    matched = swap_matching(problem, slots, problem.equal_power(slots))
    return problem.total_power_w, before, matched.utility, paus(problem, slots, problem.equal_power)


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
    for user in found.allocation["user"]:
        assert np.bincount(user[user >= 0]).max() <= QUOTAS[1]
        assert all(len(set(row[row >= 0])) == (row >= 0).sum() <= QUOTAS[0] for row in user)


def test_a_minimum_rate_out_of_reach_is_reported():
    *_, found = jax.device_get(solved(4.0, KEYS))
    assert (found.status == Status.INFEASIBLE).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found.allocation))
    assert np.isfinite(found.utility).all()
