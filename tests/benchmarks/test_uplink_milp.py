"""The linear programs bracket the least number of RBs, and the stored proofs hold up."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.numpy_uplink import SHORT, Cell, cell_of
from benchmarks.uplink_cases import KINDS, SEED, draw_case
from benchmarks.uplink_milp import MARGIN, STEPS, _lines, fewest_rbs, holds, main, prove

from .uplink_reference import brute_force, powers_of_users

PROVEN = json.loads((Path(__file__).parents[1] / "data" / "uplink_milp.json").read_text())
INSTANCES = PROVEN["instances"]


def cell_of_instance(instance):
    return cell_of(np.array(instance["gain"]), **instance["constants"])


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("snr", [0.3, 60.0, 1e4])
def test_tangents_are_above_and_secants_below_the_logarithm(step, snr):
    x = np.linspace(0.0, snr, 2001)
    above, below = (
        (slopes[:, None] * x + values[:, None]).min(0)
        for slopes, values in (_lines(snr, step, relaxed) for relaxed in (True, False))
    )
    assert np.all(above >= np.log1p(x) - 1e-12)
    assert np.all(below <= np.log1p(x) + 1e-12)
    assert np.max(above - np.log1p(x)) <= step**2 / 8 + 1e-12
    assert np.max(np.log1p(x) - below) <= step**2 / 8 + 1e-12


@pytest.mark.parametrize(("users", "seed"), [(1, 1), (2, 2)])
def test_proven_counts_are_those_of_brute_force(users, seed):
    rng = np.random.default_rng(seed)
    counts, several = set(), 0
    for _ in range(12):
        snr = np.exp(rng.normal(rng.uniform(2, 5), rng.uniform(0.2, 1.0), (users, 5)))
        cell = Cell(snr, rng.uniform(0.5, 5.0), rng.uniform(0.1, 6.0 / users), rng.choice([0.01, 0.1, 0.4]))
        proof = prove(cell)
        assert proof.proven
        assert proof.count == brute_force(cell)
        if proof.found is not None:
            assert holds(cell, proof.found)
            assert proof.found.occupied == proof.count
            several += int((proof.found.service == SHORT).sum() > users)
        counts.add(proof.count)
    assert counts == {None, *range(2 * users, 6)}
    assert several > 0


def test_relaxation_and_restriction_bracket():
    """At the coarsest lines, where they differ."""
    cell = Cell(np.full((1, 8), 40.0), 9.25, 1.0, 0.3)
    wanted = next(n for n in range(1, 8) if n * np.expm1(9.25 / n) / 40 + np.expm1(1.3) / 40 <= 1) + 1
    low, high = (fewest_rbs(cell, 2.0, relaxed)[0] for relaxed in (True, False))
    assert low < high
    assert low <= wanted <= high
    assert prove(cell).count == wanted


def test_what_users_need_alone_can_prove_that_all_of_them_cannot_be_served():
    cell = Cell(np.full((2, 5), 1e3), 8.0, 1.0, 0.3)
    assert prove(cell._replace(snr=cell.snr[:1])).count == 3
    proof = prove(cell)
    assert proof == (True, None, None)
    assert fewest_rbs(cell, 0.5, False) == (6, None)
    assert fewest_rbs(cell._replace(snr=cell.snr[:, :3]), 0.5, True) == (4, None)  # each service takes an RB


def test_an_allocation_that_does_not_hold_is_no_proof():
    cell = Cell(np.full((1, 4), 100.0), 5.0, 1.0, 0.3)
    found = prove(cell).found
    assert holds(cell, found)
    assert not holds(cell._replace(long_need=6.5), found)
    assert not holds(cell._replace(short_penalty=2.0), found)
    assert not holds(cell, found._replace(power=found.power * 1.2))


def test_stored_instances_are_of_many_kinds():
    counts = [instance["count"] for instance in INSTANCES]
    assert len(INSTANCES) >= 100
    assert {instance["kind"] for instance in INSTANCES} == set(KINDS)
    assert {len(instance["gain"]) for instance in INSTANCES} == {2, 3, 4}
    assert {len(instance["gain"][0]) for instance in INSTANCES} >= set(range(6, 13))
    assert counts.count(None) >= 5
    of_users = [[sum(kind != "0" for kind in row) for row in each["services"] or ()] for each in INSTANCES]
    assert {2, 3, 4, 5} <= {count for counts in of_users for count in counts}
    assert sum(any(row.count("2") > 1 for row in each["services"] or ()) for each in INSTANCES) >= 10
    beaten = [each for each in INSTANCES if each["count"] is not None and each["prop_num_mu"] != each["count"]]
    assert len(beaten) >= 3


def test_stored_allocations_serve_all_users():
    """By bisection, with the margin of the proofs to spare; where there is none, turn taking finds none either."""
    for instance in INSTANCES:
        if instance["count"] is None:
            assert instance["services"] is instance["prop_num_mu"] is None
            continue
        service = np.array([[int(kind) for kind in row] for row in instance["services"]])
        assert (service > 0).sum() == instance["count"]
        assert (service > 0).sum(0).max() == 1
        assert powers_of_users(cell_of_instance(instance), service).max() <= 1
        assert instance["prop_num_mu"] is None or instance["prop_num_mu"] >= instance["count"]


@pytest.mark.slow
def test_stored_instances_are_proven_again():
    """One of them infeasible, one on which turn taking is beaten, and one with two RBs of a short service."""
    infeasible = next(each for each in INSTANCES if each["count"] is None)
    beaten = next(each for each in INSTANCES if each["services"] and each["prop_num_mu"] != each["count"])
    short = next(each for each in INSTANCES if any(row.count("2") > 1 for row in each["services"] or ()))
    for instance in (infeasible, beaten, short):
        proof = prove(cell_of_instance(instance))
        assert (proof.proven, proof.count) == (True, instance["count"])
        again = draw_case(instance["index"])
        np.testing.assert_allclose(again["gain"], instance["gain"], rtol=1.01e-5)  # the last digit that is kept
        assert again["constants"] == pytest.approx(instance["constants"], rel=1e-5)


@pytest.mark.slow
def test_the_command_writes_what_the_tests_read(tmp_path):
    main(["--out", str(tmp_path / "milp.json"), "--count", "3"])
    written = json.loads((tmp_path / "milp.json").read_text())
    assert written.keys() == PROVEN.keys()
    assert (written["seed"], written["margin"]) == (SEED, MARGIN)
    for one, other in zip(written["instances"], INSTANCES):
        assert one.keys() == other.keys()
        assert (one["index"], one["count"]) == (other["index"], other["count"])
