"""Users in turns and the repair of a choice of RBs: solved instances, loops, the published mean, properties."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.channels import mrc_gain, saleh_valenzuela
from wirelax.problems import LONG, SHORT, make_uplink_qos_problem
from wirelax.solvers import grow, own_set_test, uplink_repair
from wirelax.types import Status
from wirelax.units import db_to_linear, dbm_to_watt

from ...compiling import quick_jit
from . import reference
from .compiled import (
    DEFAULT,
    SLOPE,
    assert_sound,
    counts,
    make_problems,
    numerical,
    random_cells,
    repair,
    solve,
    vectors,
)
from .reference import Needs

FOUR = {"batch": 100, "num_rbs": 24}


def sample(key):
    """Four users at 100 m, 32 antennas, 24 RBs, with the constants of section 8: gain over noise at one watt."""
    loss_db = 35.3 + 37.6 * 2 + 20.0
    noise_w = dbm_to_watt(-174.0) * 360e3 * db_to_linear(5.0 + 3.0)

    def user(key):
        h = saleh_valenzuela(jnp.arange(24) * 360e3, 32, 10, 1e-6, np.pi / 2, key=key)
        return mrc_gain(h) * db_to_linear(-loss_db) / noise_w

    return jax.vmap(user)(jax.random.split(key, 4))


@functools.cache
def cells(count):
    """Sampled problems of the default size, and what the turns make of them."""
    keys = jax.random.split(jax.random.key(3), count)
    gains = quick_jit(functools.partial(jax.lax.map, sample))(keys)
    problems = jax.vmap(make_uplink_qos_problem)(gains)
    parts = []
    for start in range(0, count, 100):
        part = jax.tree.map(lambda x, at=start: x[at : at + 100], problems)
        parts.append(jax.tree.map(np.asarray, numerical(part)))
    return problems, jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


def test_solved_instances():
    stored = vectors()["multi"]
    _, found = solve(numerical, [s["G"] for s in stored], DEFAULT, **FOUR)
    for i, s in enumerate(stored):
        service = found.allocation["service"][i]
        assert [np.flatnonzero(row == LONG).tolist() for row in service] == [sorted(x) for x in s["lbt"]]
        assert [np.flatnonzero(row == SHORT).tolist() for row in service] == [sorted(x) for x in s["sbt"]]
    np.testing.assert_array_equal(counts(found), [s["total"] for s in stored])
    np.testing.assert_array_equal(found.iterations, [max(s["per_user"]) for s in stored])


def test_turns_as_a_loop():
    """RBs of every user of cells of two regimes; users without theirs in cells too small for all."""
    for regime, at_least in (("wide", 10), ("short-heavy", 10)):
        gains, needs = random_cells(0, 40, 4, 12, regime)
        _, found = solve(numerical, gains, needs, **FOUR)
        assert_sound(found)
        unserved = 0
        for i in range(40):
            own, served = reference.take_turns(gains[i], needs[i])
            used = [np.flatnonzero(row).tolist() for row in found.allocation["service"][i]]
            assert used == [sorted(rbs) for rbs in own]
            assert (found.status[i] == Status.CONVERGED) == all(served)
            unserved += not all(served)
        assert at_least <= unserved <= 40 - at_least


def mean_count(count):
    _, found = cells(count)
    assert_sound(found)
    assert found.feasible.mean() > 0.999
    return counts(found)[found.feasible].mean()


def test_mean_number_of_rbs():
    """12.107 of 24 for the main parameters, here over 500 cells."""
    assert abs(mean_count(500) - 12.107) < 0.06


@pytest.mark.slow
def test_mean_number_of_rbs_of_many_cells():
    assert abs(mean_count(5000) - 12.107) < 0.03


def test_users_left_without():
    """More users than RBs, users without any gain: the others keep theirs, nothing is broken."""
    gains = np.full((3, 4, 6), 40.0)
    gains[1, 2] = 0
    gains[2, :3] = 1e-6
    _, found = solve(numerical, gains, Needs(3.0, 0.9, SLOPE), **FOUR)
    assert_sound(found)
    np.testing.assert_array_equal(found.status, Status.INFEASIBLE)
    used = found.allocation["service"] > 0
    np.testing.assert_array_equal(used[0].sum(-1), [2, 2, 1, 1])
    np.testing.assert_array_equal(used[1].sum(-1), [2, 2, 0, 2])
    np.testing.assert_array_equal(used[0].any(0), [True] * 6 + [False] * 18)
    power = found.allocation["power_w"]
    np.testing.assert_allclose(power.sum(-1)[used.any(-1)], 1, rtol=1e-6)
    np.testing.assert_array_equal(used[2].sum(-1), [2, 2, 1, 1])


def test_repair_serves_whoever_the_turns_serve():
    """From random, empty, full and clashing choices; what was enough is not given up."""
    problems, found = cells(500)
    problems = jax.tree.map(lambda x: x[:100], problems)
    rng = np.random.default_rng(0)
    for share in (0.0, 0.1, 0.5, 1.0):
        service = (rng.random((100, 4, 24)) < share) * rng.integers(1, 3, (100, 4, 24))
        repaired = repair(problems, service)
        assert_sound(repaired)
        assert np.asarray(repaired.feasible).all()
        assert counts(repaired).mean() < 12.6
    kept = repair(problems, found.allocation["service"][:100])
    np.testing.assert_array_equal(kept.allocation["service"], found.allocation["service"][:100])
    np.testing.assert_array_equal(kept.iterations, 0)


def test_repair_gives_back_what_is_too_much():
    problems, found = cells(500)
    problems = jax.tree.map(lambda x: x[:100], problems)
    service = found.allocation["service"][:100].copy()
    free = ~(service > 0).any(1)
    service[:, 0] = np.where(free & (np.cumsum(free, -1) <= 6), LONG, service[:, 0])
    repaired = repair(problems, service)
    assert np.asarray(repaired.feasible).all()
    assert (counts(repaired) <= counts(found)[:100]).all()
    np.testing.assert_array_equal(repaired.allocation["service"][:, 1:], found.allocation["service"][:100, 1:])


def test_repair_falls_back_to_the_turns():
    """A choice that takes another user's only RBs: by itself it ends without a way out."""
    gains = np.full((1, 4, 24), 1e-9)
    gains[0, 0, :4], gains[0, 1, :2], gains[0, 2, 4:6], gains[0, 3, 6:8] = 1000.0, 900.0, 1000.0, 1000.0
    gains[0, 0, 2:4] = 990.0
    needs = Needs(3.0, 0.9, SLOPE)
    service = np.zeros((100, 4, 24), int)
    service[:, 0, :2] = LONG
    gains[0, 0, :2] = 985.0
    problems = make_problems(gains.repeat(100, 0), needs)
    own = quick_jit(jax.vmap(lambda problem, owned: grow(problem, functools.partial(own_set_test, problem), owned)))
    assert not np.asarray(own(problems, service > 0).served).all()
    repaired = repair(problems, service)
    assert np.asarray(repaired.feasible).all()
    np.testing.assert_array_equal(repaired.residuals["numerical"], 1)
    np.testing.assert_array_equal(repaired.allocation["service"], numerical(problems).allocation["service"])


def test_repair_names_shapes():
    problem = jax.tree.map(lambda x: x[0], make_problems(np.ones((1, 2, 4)), Needs(2.0, 0.9, SLOPE)))
    with pytest.raises(ValueError, match=r"service has shape \(4,\), wanted \(2, 4\) of one cell: use jax.vmap"):
        uplink_repair(problem, jnp.zeros(4, int))
