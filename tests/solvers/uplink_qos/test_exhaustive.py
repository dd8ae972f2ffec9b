"""The dynamic programme over sets of RBs, the search, and the bound, against plain enumeration."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.solvers import rb_lower_bound, uplink_exhaustive, uplink_search

from ...compiling import quick_jit
from . import reference
from .compiled import REGIMES, SLOPE, assert_sound, counts, exhaustive, make_problems, numerical, random_cells, single
from .reference import Needs


@quick_jit
def search(problems, keys):
    """By 4 ways to take turns."""
    return jax.lax.map(lambda pair: uplink_search(pair[0], key=pair[1], starts=4), (problems, keys))


def best_of_all(gains, needs):
    """Least number of RBs by a union of sets that serve one user each, all of them tried."""
    sets = [reference.feasible_sets(gain, needs) for gain in gains]
    reached = {0}
    for good in sets:
        reached = {m | own for m in reached for own in range(len(good)) if good[own] and not m & own}
    return min((bin(m).count("1") for m in reached), default=len(gains[0]) + 1)


@pytest.mark.parametrize("regime", REGIMES)
def test_fewest_rbs_of_two_users(regime):
    gains, needs = random_cells(0, 60, 2, 6, regime)
    found = exhaustive(make_problems(gains, needs))
    np.testing.assert_array_equal(counts(found), [best_of_all(g, n) for g, n in zip(gains, needs, strict=True)])
    assert_sound(found)
    assert np.asarray(found.proven).all()


@pytest.mark.slow
@pytest.mark.parametrize("num_rbs", [4, 5])
def test_fewest_rbs_over_all_services_and_owners(num_rbs, x64):
    gains, needs = random_cells(1, 8, 2, num_rbs, "wide")
    found = exhaustive(make_problems(gains, needs))
    wanted = [reference.fewest_by_services(gain, need) for gain, need in zip(gains, needs, strict=True)]
    np.testing.assert_array_equal(counts(found), wanted)
    assert len(set(wanted)) > 1


@pytest.mark.slow
def test_fewest_rbs_of_three_users(x64):
    gains, needs = random_cells(2, 200, 3, 7, "wide")
    found = exhaustive(make_problems(gains, needs))
    np.testing.assert_array_equal(counts(found), [best_of_all(g, n) for g, n in zip(gains, needs, strict=True)])
    assert_sound(found)


@pytest.mark.slow
def test_one_user_on_ten_rbs():
    gains, needs = random_cells(3, 120, 1, 10, "short-heavy")
    problems = make_problems(gains, needs)
    np.testing.assert_array_equal(counts(exhaustive(problems)), counts(single(problems)))


def test_numbers_of_users_and_rbs_do_not_matter():
    gains, needs = random_cells(0, 60, 2, 6, "wide")
    wanted = counts(exhaustive(make_problems(gains, needs)))
    rng = np.random.default_rng(0)
    moved = gains[:, ::-1][:, :, rng.permutation(6)]
    np.testing.assert_array_equal(counts(exhaustive(make_problems(moved, needs))), wanted)


def test_gains_and_power_trade_off():
    """Gains times c with the budget over c; a larger budget, a looser error, one RB more raise no count."""
    gains, needs = random_cells(0, 60, 2, 6, "even")
    problems = make_problems(gains, needs)
    wanted = counts(exhaustive(problems))
    same = dataclasses.replace(problems, max_power_w=problems.max_power_w / 8)
    scaled = exhaustive(same)
    np.testing.assert_array_equal(counts(scaled), wanted)
    assert (np.asarray(scaled.allocation["power_w"]).sum(-1) <= 0.125 * (1 + 1e-5)).all()
    louder = dataclasses.replace(problems, snr=3 * problems.snr)
    looser = dataclasses.replace(problems, error_probability=jnp.full(60, 0.3, problems.snr.dtype))
    for easier in (louder, looser):
        number = counts(exhaustive(easier))
        assert (number <= wanted).all()
        assert (number < wanted).any()
    fewer = dataclasses.replace(problems, snr=problems.snr.at[:, :, 5].set(0.0))
    number = counts(exhaustive(fewer))
    assert (number >= wanted).all()
    assert (number > wanted).any()


def test_services_that_are_absent():
    gains, _ = random_cells(4, 60, 2, 6, "wide")
    rng = np.random.default_rng(1)
    needs = [Needs(a, 0.0, SLOPE) for a in rng.uniform(1, 10, 30)] + [
        Needs(0.0, b, SLOPE) for b in rng.uniform(1, 8, 30)
    ]
    needs[0] = Needs(0.0, 0.0, SLOPE)
    found = exhaustive(make_problems(gains, needs))
    np.testing.assert_array_equal(counts(found), [best_of_all(g, n) for g, n in zip(gains, needs, strict=True)])
    assert_sound(found)
    assert counts(found)[0] == 0


def test_cells_too_large_are_refused():
    problem = jax.tree.map(lambda x: x[0], make_problems(np.ones((1, 2, 11)), Needs(2.0, 0.9, SLOPE)))
    with pytest.raises(ValueError, match="num_rbs is 11, wanted at most 10"):
        uplink_exhaustive(problem)


@functools.cache
def tight():
    """Cells of 3 users on 12 RBs, close to what fits: turns and search."""
    gains, needs = random_cells(5, 64, 3, 12, "wide")
    problems = make_problems(gains, needs)
    return problems, counts(numerical(problems)), search(problems, jax.random.split(jax.random.key(0), 64))


def test_search_is_never_worse_than_turns():
    _, turns, found = tight()
    number, gap = counts(found), np.asarray(found.residuals["rb_gap"])
    assert_sound(found)
    assert (number <= turns).all()
    assert (number < turns).any()
    assert (gap >= 0).all()
    served = number <= 12
    np.testing.assert_array_equal(np.asarray(found.proven)[served], gap[served] == 0)
    assert np.asarray(found.proven)[served].mean() > 0.5


@pytest.mark.slow
def test_bound_is_the_sum_of_the_users_alone():
    """Also where a user cannot be served; the gap of the search is the one to this bound."""
    problems, _, found = tight()
    bound = np.asarray(quick_jit(jax.vmap(rb_lower_bound))(problems))
    alone = [single(dataclasses.replace(problems, snr=problems.snr[:, k : k + 1])) for k in range(3)]
    np.testing.assert_array_equal(bound, sum(counts(one) for one in alone))
    number = counts(found)
    served = number <= 12
    np.testing.assert_array_equal(np.asarray(found.residuals["rb_gap"])[served], (number - bound)[served])
    np.testing.assert_array_equal(np.asarray(found.proven)[~served], bound[~served] > 12)


@pytest.mark.slow
def test_search_of_small_cells_is_exact():
    gains, needs = random_cells(0, 60, 2, 6, "wide")
    problems = make_problems(gains, needs)
    found = search(problems, jax.random.split(jax.random.key(0), 60))
    np.testing.assert_array_equal(counts(found), counts(exhaustive(problems)))
    assert np.asarray(found.proven).all()
    assert_sound(found)
