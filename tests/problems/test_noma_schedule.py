"""Schedules: within quotas, within reach of R_min, and empty places rather than users that cannot be served."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from wirelax.problems import greedy_schedule, make_noma_problem, random_schedule
from wirelax.problems.noma import trim_schedule

from ..compiling import quick_jit
from .noma_reference import EPS, NOISE, TOTAL, constraints

SIZE = (5, 20)


@quick_jit
@jax.vmap
def schedules(gain, min_rate, key):
    """Random, greedy, and greedy of a random score."""
    problem = make_noma_problem(
        gain, noise_power_w=NOISE, sic_residual=EPS, total_power_w=TOTAL, min_rate=min_rate, schedule=gain > jnp.inf
    )
    score = jax.random.uniform(key, gain.shape)
    return random_schedule(problem, key=key), greedy_schedule(problem), greedy_schedule(problem, score)


def networks(count=8):
    """Gains [network, subchannel, user]; half of the users of every other one have no gain at all."""
    gain = np.random.default_rng(3).exponential(size=(count, *SIZE)).astype(np.float32)
    gain[1::2, :, ::2] = 0.0
    return gain


@pytest.fixture(scope="module")
def drawn():
    """min_rate -> gains, schedules [kind][network]."""

    def draw(min_rate):
        gain = networks()
        keys = jax.random.split(jax.random.key(1), len(gain))
        return gain, jax.device_get(schedules(gain, np.full(len(gain), min_rate, np.float32), keys))

    return draw


def within_reach(gain, schedule, min_rate):
    """By linear programming: some powers give R_min to every scheduled pair."""
    slots = [sorted(np.flatnonzero(row), key=lambda j, i=i: (-gain[i, j], j)) for i, row in enumerate(schedule)]
    sorted_gain, used = np.ones((len(gain), 3)), np.zeros((len(gain), 3), bool)
    for i, users in enumerate(slots):
        sorted_gain[i, : len(users)] = gain[i, users]
        used[i, : len(users)] = True
    a, b = constraints(sorted_gain, used, "receiver", min_rate)
    found = linprog(np.ones(len(b)), -a, -b, bounds=(0, None))
    return found.status == 0 and found.fun <= TOTAL


def test_schedules_fill_what_quotas_and_users_allow(drawn):
    gain, kinds = drawn(0.01)
    for schedule in kinds:
        assert (schedule.sum(2) == 3).all()
        assert (schedule.sum(1) <= 4).all()
        assert not (schedule & (gain == 0)).any()
    assert (kinds[0] != kinds[1]).any((1, 2)).all()


def test_users_of_no_gain_get_no_place_without_a_minimum_rate(drawn):
    gain, kinds = drawn(0.0)
    for schedule in kinds:
        assert (schedule.sum(2) == 3).all()
        assert not (schedule & (gain == 0)).any()


def test_schedules_are_within_reach_of_high_minimum_rates(drawn):
    """Where all places cannot be filled, as many are as can, or nearly."""
    for min_rate, least in ((1.5, 11), (3.0, 5), (6.0, 2)):
        gain, kinds = drawn(min_rate)
        for schedule, network in itertools.product(kinds, range(len(gain))):
            assert within_reach(gain[network], schedule[network], min_rate)
        assert kinds[1].sum((1, 2)).min() >= least


def test_trimming_takes_the_dearest_pairs_one_by_one():
    """Against a loop that solves a linear system for every pair that might leave."""
    rng, min_rate = np.random.default_rng(5), 1.0
    gain = rng.exponential(size=(6, 3, 5)) ** 2 * 0.05
    full = np.zeros((6, 3, 5), bool)
    for i, k in itertools.product(range(6), range(3)):
        full[i, k, rng.permutation(5)[:3]] = True

    def trimmed(gain, schedule):
        problem = make_noma_problem(
            gain, noise_power_w=NOISE, total_power_w=TOTAL, min_rate=min_rate, schedule=schedule
        )
        return trim_schedule(problem, problem.schedule)

    with jax.enable_x64(True):
        found = np.asarray(quick_jit(jax.vmap(trimmed))(gain, full))

    def least(gain, schedule):
        total = 0.0
        for row, users in zip(gain, schedule, strict=True):
            users = sorted(np.flatnonzero(users), key=lambda j, row=row: -row[j])
            if users:
                a, b = constraints(row[None, users], np.ones((1, len(users)), bool), "receiver", min_rate)
                total += np.linalg.solve(a, b).sum()
        return total

    gamma, dropped = 2**min_rate - 1, 0
    for g, schedule, kept in zip(gain, full, found, strict=True):
        left = schedule & (g * TOTAL / NOISE >= gamma)
        while least(g, left) > TOTAL:
            without = {}
            for at in map(tuple, np.argwhere(left)):
                smaller = left.copy()
                smaller[at] = False
                without[at] = least(g, smaller)
            left[min(without, key=without.get)] = False
            dropped += 1
        np.testing.assert_array_equal(kept, left)
    assert dropped > 8


def test_greedy_takes_the_strongest():
    gain = jnp.array([[1.0, 5.0, 3.0], [1.0, 4.0, 2.0], [9.0, 8.0, 1.0]])
    problem = make_noma_problem(gain, max_users_per_subchannel=1, max_subchannels_per_user=2)
    np.testing.assert_array_equal(problem.schedule, [[0, 1, 0], [0, 1, 0], [1, 0, 0]])


def test_more_places_than_users():
    problem = make_noma_problem(np.ones((6, 2)))
    assert problem.schedule.sum() == 8
    assert problem.slots().user.shape == (6, 3)


def test_nobody_within_reach_is_an_empty_schedule():
    assert not make_noma_problem(np.zeros((2, 3))).schedule.any()
    assert not make_noma_problem(np.full((2, 3), 1e-9), min_rate=1.0).schedule.any()
