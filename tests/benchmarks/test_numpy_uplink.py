"""The numerical methods in NumPy, against stored instances, brute force and hand-made cases."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from benchmarks.numpy_uplink import LONG, NONE, SHORT, Cell, cell_of, prop_num_mu, prop_num_su, split, two_levels

from .uplink_reference import brute_force

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "uplink_vectors.json").read_text())
CONSTANTS = {
    "rate_long_bps": 3e6,
    "rate_short_bps": 512e3,
    "error_probability": 1e-5,
    "max_power_w": 1.0,
    "rb_bandwidth_hz": 360e3,
    "slot_s": 0.5e-3,
}


def assert_held(cell, found):
    """Eqs. (2b) to (2g) by themselves, with the rates of eq. (1)."""
    assert found.feasible
    assert np.all((found.service != NONE).sum(0) <= 1)
    assert np.all(np.where(found.service != NONE, found.power > 0, found.power == 0))
    assert np.all(found.power.sum(1) <= 1 + 1e-12)
    nats = np.log1p(cell.snr * found.power)
    for user, service in enumerate(found.service):
        assert nats[user, service == LONG].sum() >= cell.long_need - 1e-9
        short = service == SHORT
        assert nats[user, short].sum() >= cell.short_need(short.sum()) - 1e-9


def random_cell(rng, users, rbs):
    """Gains of any spread and needs of any size, many of them near the limit."""
    snr = np.exp(rng.normal(rng.uniform(1, 5), rng.uniform(0.2, 1.5), (users, rbs)))
    return Cell(snr, rng.uniform(0.5, 9.0), rng.uniform(0.1, 6.0), rng.choice([0.01, 0.1, 0.4]))


def test_needs_of_the_constants():
    cell = cell_of(np.ones((1, 2)), **CONSTANTS)
    np.testing.assert_allclose(cell.long_need, 5.776226505, rtol=1e-9)
    np.testing.assert_allclose(cell.short_need(1), 1.3036955145, rtol=1e-9)
    more = cell.short_need(4) - cell.short_need(1)
    np.testing.assert_allclose(more, scipy.stats.norm.isf(1e-5) / np.sqrt(180), rtol=1e-9)


@pytest.mark.parametrize("vector", VECTORS["single"])
def test_single_user_instances_solved_before(vector):
    base = cell_of(np.array([vector["g"]]), **CONSTANTS)
    cell = base._replace(long_need=vector["a"])
    np.testing.assert_allclose(cell.short_need(1), vector["b1"], rtol=1e-9)
    for found in (prop_num_su(cell), prop_num_mu(cell)):
        assert_held(cell, found)
        assert found.occupied == vector["N"]
        assert set(np.flatnonzero(found.service[0])) == set(vector["rb"])
        if vector["sbt"] == list(np.flatnonzero(found.service[0] == SHORT)):
            np.testing.assert_allclose(found.power[0, vector["rb"]], vector["p"], atol=1e-8)


@pytest.mark.parametrize("vector", VECTORS["multi"])
def test_multi_user_instances_solved_before(vector):
    cell = cell_of(np.array(vector["G"]), **CONSTANTS)
    found = prop_num_mu(cell)
    assert_held(cell, found)
    assert found.occupied == vector["total"]
    assert list((found.service != NONE).sum(1)) == vector["per_user"]
    assert [list(np.flatnonzero(s == LONG)) for s in found.service] == [sorted(rbs) for rbs in vector["lbt"]]


def test_single_user_equals_brute_force():
    rng = np.random.default_rng(9)
    counts, several = [], 0
    for _ in range(60):
        cell = random_cell(rng, 1, 5)
        found, wanted = prop_num_su(cell), brute_force(cell)
        assert (found.occupied if found.feasible else None) == wanted
        counts.append(wanted)
        if wanted is not None:
            assert_held(cell, found)
            several += (found.service == SHORT).sum() > 1
    assert {None, 2, 3, 4, 5} == set(counts)
    assert several > 2


def test_many_users_are_never_below_brute_force():
    rng = np.random.default_rng(13)
    equal = above = feasible = 0
    for _ in range(25):
        cell = random_cell(rng, 2, 4)
        found, wanted = prop_num_mu(cell), brute_force(cell)
        if found.feasible:
            feasible += 1
            assert_held(cell, found)
            assert wanted is not None
            assert wanted <= found.occupied
        equal += (found.occupied if found.feasible else None) == wanted
        above += found.feasible and found.occupied > wanted
    assert feasible >= 5
    assert equal >= 20


def test_a_choice_that_the_nearest_sum_alone_misses():
    """The sum nearest to the target belongs to a choice with a negative power, which leaves the two strongest RBs.

    So it is if all four RBs must have power; without that, two are enough.
    """
    penalty = (1.00216 - 0.96052) / (np.sqrt(2) - 1)
    cell = Cell(np.array([[28.2, 18.9, 1.0, 0.7]]), 0.689, 0.96052 - penalty, penalty)
    short = split(cell.snr[0], cell)
    np.testing.assert_array_equal(short, [True, True, False, False])
    power = two_levels(cell.snr[0], short, cell)
    assert np.all(power > 0)
    np.testing.assert_allclose(np.log1p(cell.snr[0] * power)[2:].sum(), 0.689203, atol=1e-6)
    assert split(cell.snr[0], cell._replace(long_need=0.6893)) is None
    assert prop_num_su(cell).occupied == brute_force(cell) == 2


def test_more_rbs_than_needed_are_no_solution_of_the_own_set():
    """With all powers positive; the outer loop stops before."""
    cell = Cell(np.array([[100.0, 100.0, 1e-3]]), 2.0, 1.0, 0.1)
    assert split(cell.snr[0], cell) is None
    assert prop_num_su(cell).occupied == 2


def test_equal_gains_in_closed_form():
    cell = Cell(np.full((1, 6), 50.0), 8.0, 1.0, 0.3)
    found = prop_num_su(cell)
    count = found.occupied
    needed = lambda longs: longs * np.expm1(8.0 / longs) / 50 + np.expm1(1.3) / 50  # noqa: E731
    assert needed(count - 1) <= 1 < needed(count - 2)
    powers = two_levels(cell.snr[0, :count], np.arange(count) == 0, cell)
    np.testing.assert_allclose(powers[0], np.expm1(1.3) / 50, rtol=1e-12)
    np.testing.assert_allclose(powers.sum(), 1.0, rtol=1e-12)


def test_no_more_rbs_than_there_are():
    cell = Cell(np.full((3, 4), 10.0), 3.0, 1.0, 0.3)
    assert not prop_num_mu(cell).feasible
    assert not prop_num_su(cell._replace(snr=np.full((1, 1), 1e6))).feasible  # each service takes an RB
