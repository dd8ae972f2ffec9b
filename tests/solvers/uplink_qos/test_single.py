"""The fewest RBs of one user: against all services of all RBs, solved instances, equations and closed forms."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.problems import LONG, SHORT
from wirelax.solvers import uplink_single
from wirelax.types import Status

from ...compiling import quick_jit
from . import reference
from .compiled import REGIMES, SLOPE, assert_sound, counts, make_problems, random_cells, single, solve, vectors
from .reference import Needs


def assert_all_services_tried(regime, seed, count, num_rbs):
    gains, needs = random_cells(seed, count, 1, num_rbs, regime)
    _, found = solve(single, gains, needs)
    wanted = [reference.fewest(gain[0], need) for gain, need in zip(gains, needs, strict=True)]
    np.testing.assert_array_equal(counts(found, num_rbs), wanted)
    assert_sound(found)
    assert found.proven.all()
    assert len(set(wanted)) >= 4


@pytest.mark.parametrize("regime", REGIMES)
def test_fewest_rbs_of_all_services(regime):
    assert_all_services_tried(regime, 0, 120, 6)


@pytest.mark.parametrize("regime", REGIMES)
def test_fewest_rbs_of_all_services_in_double_precision(regime, x64):
    assert_all_services_tried(regime, 1, 120, 6)


@pytest.mark.slow
@pytest.mark.parametrize("regime", REGIMES)
def test_fewest_rbs_of_thousands(regime, x64):
    assert_all_services_tried(regime, 2, 2400, 6)
    assert_all_services_tried(regime, 3, 240, 8)


@pytest.mark.slow
@pytest.mark.parametrize("regime", REGIMES)
def test_fewest_rbs_at_the_edge_of_feasibility(regime, x64):
    """Targets within 1e-6 of what 3 to 5 RBs reach at most, on either side."""
    gains, needs = random_cells(8, 1200, 1, 6, regime)
    rng = np.random.default_rng(9)
    close = []
    for gain, need in zip(gains[:, 0], needs, strict=True):
        best, _ = reference.best_long_rate(np.sort(gain)[::-1][: rng.integers(3, 6)], need)
        close.append(dataclasses.replace(need, a=best * (1 + rng.choice([-1e-6, 1e-6]))) if best > 0 else need)
    _, found = solve(single, gains, close)
    wanted = [reference.fewest(gain[0], need) for gain, need in zip(gains, close, strict=True)]
    np.testing.assert_array_equal(counts(found, 6), wanted)


def test_solved_instances():
    """Counts, services and powers of the stored instances of one user."""
    stored = vectors()["single"]
    need = Needs(stored[0]["a"], stored[0]["b1"] - SLOPE, SLOPE)
    assert {(round(s["a"], 9), round(s["b1"], 9)) for s in stored} == {(round(need.a, 9), round(stored[0]["b1"], 9))}
    _, found = solve(single, [[s["g"]] for s in stored], need)
    for i, s in enumerate(stored):
        service, power = np.zeros(len(s["g"]), int), np.zeros(len(s["g"]))
        service[s["lbt"]], service[s["sbt"]], power[s["rb"]] = LONG, SHORT, s["p"]
        np.testing.assert_array_equal(found.allocation["service"][i, 0], service)
        np.testing.assert_allclose(found.allocation["power_w"][i, 0], power, atol=2e-6)


def test_rates_and_budget_are_those_of_the_equations(x64):
    """Eqs. (1), (2b), (2c), (2g) at the powers of (5), (8): the short need met exactly, the budget spent."""
    gains, needs = random_cells(4, 120, 1, 6, "wide")
    _, found = solve(single, gains, needs)
    served = np.flatnonzero(counts(found) <= 6)
    for i in served:
        service, power = (found.allocation[name][i, 0, :6] for name in ("service", "power_w"))
        nats = np.log1p(gains[i, 0] * power)
        short = service == SHORT
        np.testing.assert_allclose(nats[short].sum(), needs[i].b(short.sum()), rtol=1e-12)
        np.testing.assert_allclose(power.sum(), 1, rtol=1e-12)
        assert (power[service > 0] > 0).all()
        best, _ = reference.best_long_rate(gains[i, 0][service > 0], needs[i])
        np.testing.assert_allclose(nats[service == LONG].sum(), best, rtol=1e-12)
        assert best >= needs[i].a
    assert len(served) > 60


def test_flat_channel():
    """Equal gains and n RBs: f = (n - 1) ln(1 + (g - (e^b - 1)) / (n - 1)), S of one RB."""
    gain, needs = 30.0, [Needs(a, 0.9, SLOPE) for a in np.linspace(2.5, 12.5, 24)]
    _, found = solve(single, np.full((24, 1, 6), gain), needs)
    for i, need in enumerate(needs):
        left = gain - np.expm1(need.b(1))
        enough = [n for n in range(2, 7) if (n - 1) * np.log1p(left / (n - 1)) >= need.a]
        assert counts(found, 6)[i] == min(enough, default=7)
        used = found.allocation["service"][i, 0] > 0
        assert (np.sort(used)[::-1] == used).all()
    assert len(set(counts(found).tolist())) >= 5


def test_one_service_alone():
    """No long service: N RBs reach b(N) by water-filling; no short service: they reach a; neither: nothing is used."""
    gains, _ = random_cells(5, 60, 1, 6, "wide")
    rng = np.random.default_rng(0)
    needs = [Needs(0.0, b, SLOPE) for b in rng.uniform(1, 12, 30)]
    needs += [Needs(a, 0.0, SLOPE) for a in rng.uniform(1, 15, 30)]
    needs[7] = needs[40] = Needs(0.0, 0.0, SLOPE)
    _, found = solve(single, gains, needs)
    number = counts(found, 6)
    np.testing.assert_array_equal(number, [reference.fewest(g[0], n) for g, n in zip(gains, needs, strict=True)])
    assert_sound(found)
    assert number[7] == number[40] == 0
    assert min(len(set(number[:30].tolist())), len(set(number[30:].tolist()))) >= 4


def test_more_rbs_than_are_enumerated(x64):
    """Flat channels of up to 27 of 30 RBs, and nearly flat ones: the chain of subsets, and proofs by its bound."""
    rng = np.random.default_rng(6)
    gain, fewest = np.exp(rng.uniform(1.5, 3, 24)), np.arange(24) + 4
    base = rng.uniform(0.1, 0.4, 24) * np.log1p(gain)

    def best(number):
        values = np.full(24, -np.inf)
        for short in range(1, 27):
            left = gain - short * np.expm1((base + SLOPE * np.sqrt(short)) / short)
            long = np.maximum(number - short, 1)
            value = long * np.log1p(np.maximum(left, 0) / long)
            values = np.where((left > 0) & (short < number), np.maximum(values, value), values)
        return values

    share = rng.uniform(0.1, 0.9, 24)
    reached, before = best(fewest), best(fewest - 1)
    needs = [Needs(a, b, SLOPE) for a, b in zip(before + share * (reached - before), base, strict=True)]
    for spread in (0.0, 1e-6):
        gains = gain[:, None, None] * np.exp(spread * rng.normal(size=(24, 1, 30)))
        _, found = solve(single, gains, needs, 24, 30)
        np.testing.assert_array_equal(counts(found), fewest)
        assert_sound(found)
        assert found.proven.all()


def test_edges():
    """RBs without gain, one RB for two services, gains far apart, targets out of reach."""
    gains = [[0, 0, 0, 0], [0, 50, 0, 0], [50, 0, 60, 0], [1e9, 1e-6, 1e-6, 1e9], [1e-6] * 4, [1e9] * 4, [5.5] * 4]
    _, found = solve(single, np.array(gains, float)[:, None], Needs(2.0, 0.9, SLOPE))
    np.testing.assert_array_equal(counts(found, 4), [5, 5, 2, 2, 5, 2, 4])
    assert_sound(found)
    used = found.allocation["service"][:, 0] > 0
    np.testing.assert_array_equal(used[2, :4], [True, False, True, False])
    assert not used[0].any()
    assert (found.status[[0, 1, 4]] == Status.INFEASIBLE).all()


def test_gains_that_are_no_numbers():
    gains = np.full((2, 1, 4), 50.0)
    gains[0, 0, 1], gains[1, 0, 2] = np.nan, np.inf
    _, found = solve(single, gains, Needs(2.0, 0.9, SLOPE))
    np.testing.assert_array_equal(found.status, Status.NOT_FINITE)
    assert np.isfinite(found.allocation["power_w"]).all()


def test_powers_have_derivatives(x64):
    """At the fixed services, against central differences, by the gains and by the rate of the short service."""
    gains, needs = random_cells(4, 4, 1, 8, "wide")
    problems, found = solve(single, gains, needs)
    assert (counts(found) <= 8).sum() >= 3

    def powers(problem):
        return uplink_single(problem).allocation["power_w"][0]

    jacobian = quick_jit(jax.vmap(jax.jacrev(powers)))(problems)
    step = 1e-6
    moves = [("snr", (0, f)) for f in range(8)] + [("rate_short", ())]
    for i in range(4):
        one = jax.tree.map(lambda x, i=i: x[i], problems)
        moved = []
        for (name, at), sign in itertools.product(moves, (1, -1)):
            value = np.array(getattr(one, name))
            value[at] *= 1 + sign * step
            moved.append(dataclasses.replace(one, **{name: value}))
        filled = moved + [one] * (120 - len(moved))
        power = np.asarray(single(jax.tree.map(lambda *x: np.stack(x), *filled)).allocation["power_w"])[:, 0]
        for j, (name, at) in enumerate(moves):
            wanted = (power[2 * j] - power[2 * j + 1]) / (2 * step * np.asarray(getattr(one, name))[at])
            np.testing.assert_allclose(getattr(jacobian, name)[(i, slice(None), *at)], wanted, rtol=1e-5, atol=1e-9)


def test_many_users_are_refused():
    problem = jax.tree.map(lambda x: x[0], make_problems(np.ones((1, 2, 4)), Needs(2.0, 0.9, SLOPE)))
    with pytest.raises(ValueError, match=r"snr has shape \(2, 4\), wanted one user: use uplink_numerical"):
        uplink_single(problem)


def test_jit_is_eager_and_vmap_a_loop():
    gains, needs = random_cells(11, 3, 1, 8, "wide")
    problems, found = solve(single, gains, needs)
    one = uplink_single(jax.tree.map(lambda x: jnp.asarray(x[2]), problems))
    np.testing.assert_array_equal(one.allocation["service"], found.allocation["service"][2])
    np.testing.assert_allclose(one.allocation["power_w"], found.allocation["power_w"][2], atol=1e-6)
