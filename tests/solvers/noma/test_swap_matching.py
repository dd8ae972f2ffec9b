"""Swap matching: never worse, within quotas, locally optimal, as good as the best schedule of tiny networks."""

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.problems import make_noma_problem, random_schedule
from wirelax.solvers.noma import swap_deltas, swap_matching
from wirelax.solvers.noma.swap_matching import Matched, match_slots
from wirelax.types import Status

from ...compiling import quick_jit

NOISE, RESIDUAL, POWER = 0.1, 0.05, 19.95
FORMS = ("receiver", pytest.param("paper", marks=pytest.mark.slow))
SEEDS = 32


def row_rate(gain, users, powers, weight, form):
    """Weighted sum rate of one subchannel, term by term from the SINR equation of the system."""
    total = 0.0
    for j, p in zip(users, powers, strict=True):
        heard = 0.0
        for k, q in zip(users, powers, strict=True):
            if k != j:
                stronger = (-gain[k], k) < (-gain[j], j)
                heard += (1.0 if stronger else RESIDUAL) * q * (gain[j] if form == "receiver" else gain[k])
        total += weight[j] * np.log2(1 + p * gain[j] / (heard + NOISE))
    return total


def sum_rate(gain, user, power, weight, form):
    return sum(row_rate(g, u[u >= 0], p[u >= 0], weight, form) for g, u, p in zip(gain, user, power, strict=True))


class Matching(NamedTuple):
    found: Matched
    utility: jax.Array


@functools.cache
def solved(form, shape, quotas, count, *, thin=False, weighted=False, even=False, limit=200):
    """Channels from random schedules: gains, weights, starting users and powers, the solution (float64)."""

    def one(key):
        keys = jax.random.split(key, 5)
        gain = jax.random.exponential(keys[0], shape)
        weight = jax.random.uniform(keys[1], shape[1:], minval=0.2, maxval=3.0) if weighted else None
        problem = make_noma_problem(
            gain,
            weight=weight,
            noise_power_w=NOISE,
            sic_residual=RESIDUAL,
            total_power_w=POWER,
            max_users_per_subchannel=quotas[0],
            max_subchannels_per_user=quotas[1],
            interference_gain=form,
            schedule=gain < 0,
        )
        schedule = random_schedule(problem, key=keys[2])
        if thin:
            schedule &= jax.random.bernoulli(keys[3], 0.6, shape)
        slots = problem.slots(schedule)
        power = slots.used / slots.used.sum()
        if not even:
            power = power * jax.random.uniform(keys[4], power.shape, minval=0.1, maxval=3.0)
        deltas = swap_deltas(problem, slots.user, power)
        found = match_slots(problem, slots, power, limit)
        utility = problem.slot_utility(problem.fill(found.user), found.power)
        return gain, problem.weight, slots.user, power * POWER, deltas, Matching(found, utility)

    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(5), count)
        return jax.tree.map(np.asarray, quick_jit(jax.vmap(one))(keys))


def general(form):
    """Four subchannels, six users, H = 3, V = 2; some places empty, uneven powers, weights."""
    return solved(form, (4, 6), (3, 2), SEEDS, thin=True, weighted=True)


def instances(form):
    gain, weight, user, power, _, solution = general(form)
    for i in range(SEEDS):
        end = solution.found.user[i], solution.found.power[i] * POWER
        yield gain[i], weight[i], (user[i], power[i]), end, solution.utility[i]


def changes(user, power, num_users, quota):
    """Users and powers after every allowed change, one by one."""
    places = [tuple(s) for s in np.argwhere(user >= 0)]
    count = np.bincount(user[user >= 0], minlength=num_users)
    for i, a in places:
        for j in range(num_users):
            if j not in user[i] and count[j] < quota:
                new = user.copy()
                new[i, a] = j
                yield new, power
        for k, b in places:
            if k > i and user[k, b] not in user[i] and user[i, a] not in user[k]:
                new = user.copy()
                new[i, a], new[k, b] = user[k, b], user[i, a]
                yield new, power
        for k in range(len(user)):
            if user[i, a] not in user[k] and user[k, -1] < 0:
                new, moved = user.copy(), power.copy()
                new[k, -1], moved[k, -1] = user[i, a], power[i, a]
                new[i, a], moved[i, a] = -1, 0.0
                yield new, moved


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_never_worse_and_within_quotas(form):
    status = general(form)[-1].found.status
    np.testing.assert_array_equal(status, Status.CONVERGED)
    for gain, weight, (user, power), (new_user, new_power), utility in instances(form):
        assert utility >= sum_rate(gain, user, power, weight, form) * (1 - 1e-12)
        np.testing.assert_allclose(utility, sum_rate(gain, new_user, new_power, weight, form), 1e-12)
        used = new_user >= 0
        assert used.sum() == (user >= 0).sum()
        assert (new_power[~used] == 0).all()
        np.testing.assert_allclose(np.sort(new_power[used]), np.sort(power[user >= 0]), 1e-12)
        assert np.bincount(new_user[used]).max() <= 2
        for row_gain, row in zip(gain, new_user, strict=True):
            on = row[row >= 0]
            assert len(set(on)) == len(on) <= 3
            assert (row[len(on) :] == -1).all()
            assert (np.diff(row_gain[on]) <= 0).all()


@pytest.mark.parametrize("form", FORMS)
def test_no_single_change_helps_at_the_end(form):
    helped = 0
    for gain, weight, start, end, utility in itertools.islice(instances(form), 12):
        best = max(sum_rate(gain, *new, weight, form) for new in changes(*end, 6, 2))
        assert best <= utility * (1 + 1.001e-6)
        helped += max(sum_rate(gain, *new, weight, form) for new in changes(*start, 6, 2)) > sum_rate(
            gain, *start, weight, form
        )
    assert helped > 6


@pytest.mark.parametrize("form", FORMS)
def test_deltas_are_changes_of_the_sum_rate(form):
    gain, weight, user, power, (exchanged, joined), _ = (jax.tree.map(lambda x: x[0], x) for x in general(form))
    before = [row_rate(g, u[u >= 0], p[u >= 0], weight, form) for g, u, p in zip(gain, user, power, strict=True)]
    checked = 0
    for i, a in np.argwhere(user >= 0):
        for j in set(range(-1, 6)) - set(user[i]) | {-1}:
            new = user[i].copy()
            new[a] = j
            after = row_rate(gain[i], new[new >= 0], power[i][new >= 0], weight, form)
            np.testing.assert_allclose(exchanged[i, a, j], after - before[i], 1e-9, 1e-12)
        for k in range(4):
            if user[k, -1] < 0 and user[i, a] not in user[k]:
                new, moved = np.append(user[k, :-1], user[i, a]), np.append(power[k, :-1], power[i, a])
                after = row_rate(gain[k], new[new >= 0], moved[new >= 0], weight, form)
                np.testing.assert_allclose(joined[k, 3 * i + a], after - before[k], 1e-9, 1e-12)
                checked += 1
    assert checked


@functools.cache
def gaps(form, quota, count=200):
    """Relative gaps to the best of all schedules of as many pairs; two subchannels, four users, H = 2."""
    gain, weight, _, power, _, solution = solved(form, (2, 4), (2, quota), count, even=True)
    rows = [c for size in range(3) for c in itertools.combinations(range(4), size)]
    result = []
    for i in range(count):
        each, pairs = power[i].max(), (power[i] > 0).sum()
        value = [{c: row_rate(g, c, [each] * len(c), weight[i], form) for c in rows} for g in gain[i]]
        best = max(
            value[0][c] + value[1][d]
            for c, d in itertools.product(rows, rows)
            if len(c) + len(d) == pairs and (quota > 1 or not set(c) & set(d))
        )
        result.append(1 - solution.utility[i] / best)
    return np.array(result)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("quota", [1, 2])
def test_best_of_all_schedules_of_tiny_networks(form, quota):
    gap = gaps(form, quota)
    assert (gap > -1e-9).all()
    assert (gap < 1e-5).mean() >= 0.95
    assert gap.max() < 0.1
    assert gap.mean() < 0.002


@pytest.mark.slow
def test_iteration_limit():
    solution = solved("receiver", (2, 4), (2, 1), 200, even=True, limit=1)[-1].found
    assert (solution.iterations <= 1).all()
    np.testing.assert_array_equal(solution.status == Status.ITERATION_LIMIT, solution.iterations == 1)
    assert (solution.iterations == 1).any()


def test_problem_in_solution_out():
    """Powers in W go with their places; one more change or none."""
    gain = np.array([[4.0, 1.0, 2.0], [1.0, 0.5, 3.0]])
    schedule = np.array([[True, False, False], [True, False, False]])
    problem = make_noma_problem(gain, schedule=schedule, total_power_w=10.0, max_users_per_subchannel=1)
    solve = quick_jit(lambda problem, power_w: swap_matching(problem, power_w))
    found = solve(problem, np.array([[6.0, 5.0, 0.0], [4.0, 0.0, 0.0]]))
    np.testing.assert_array_equal(found.allocation["assignment"], [[True, False, False], [False, False, True]])
    np.testing.assert_allclose(found.allocation["power_w"], [[6, 0, 0], [0, 0, 4]], rtol=1e-6)
    np.testing.assert_allclose(found.utility, np.log2(1 + 240) + np.log2(1 + 120), rtol=1e-6)
    assert (found.iterations, found.status) == (1, Status.CONVERGED)
    assert found.feasible


def test_shapes_are_named():
    problem = make_noma_problem(np.ones((2, 4)), schedule=np.ones((2, 4)) * (np.arange(4) < 3))
    with pytest.raises(ValueError, match=r"power_w has shape \(2, 2\), wanted \(2, 4\) of one network: use jax.vmap"):
        swap_matching(problem, jnp.ones((2, 2)))
