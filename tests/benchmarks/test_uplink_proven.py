"""The compiled methods of uplink QoS against proven counts and against NumPy."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import uplink_qos
from benchmarks.uplink_qos import CONSTANTS, SCENARIOS, Scenario, cells_of, uplink_rows
from wirelax.problems import evaluate, make_uplink_qos_problem
from wirelax.solvers.uplink_qos import uplink_exhaustive, uplink_numerical
from wirelax.systems import get

from ..compiling import quick_jit

INSTANCES = json.loads((Path(__file__).parents[1] / "data" / "uplink_milp.json").read_text())["instances"]
MOST_USERS, MOST_RBS, MOST_SEARCHED = 4, 12, 10


def alike(gain, users, rbs):
    """Gains filled up to a size, and the RBs that this adds: users with two RBs of their own, and RBs without gain."""
    more = users - len(gain)
    filled = np.zeros((users, rbs + 2 * (users - 2)))
    filled[: len(gain), : len(gain[0])] = gain
    for user in range(more):
        filled[len(gain) + user, rbs + 2 * user : rbs + 2 * user + 2] = 1e8
    return filled, 2 * more


def constants_of(instances):
    return {name: np.array([each["constants"][name] for each in instances]) for name in CONSTANTS}


@quick_jit
@jax.vmap
def numerical(gain, constants):
    solution = uplink_numerical(make_uplink_qos_problem(gain, **constants))
    return (solution.allocation["service"] > 0).sum(), solution.feasible


def test_turn_taking_is_never_below_the_proven_count_and_is_what_numpy_finds():
    filled = [alike(instance["gain"], MOST_USERS, MOST_RBS) for instance in INSTANCES]
    occupied, feasible = numerical(np.stack([gain for gain, _ in filled]), constants_of(INSTANCES))
    occupied = np.asarray(occupied) - [more for _, more in filled]
    for instance, count, served in zip(INSTANCES, occupied, feasible):
        label = f"instance {instance['index']}"
        assert (int(count) if served else None) == instance["prop_num_mu"], label
        if served:
            assert instance["count"] is not None, label
            assert count >= instance["count"], label
    exact = [each["count"] for each in INSTANCES]
    assert np.mean([count == wanted for count, wanted in zip(occupied, exact) if wanted is not None]) > 0.8


@quick_jit
def exhaustive(gain, constants):
    def one(pair):
        solution = uplink_exhaustive(make_uplink_qos_problem(pair[0], **pair[1]))
        return (solution.allocation["service"] > 0).sum(), solution.feasible

    return jax.lax.map(one, (gain, constants))


@pytest.mark.parametrize("users", [2, 3, pytest.param(4, marks=pytest.mark.slow)])
def test_exhaustive_search_finds_the_proven_count(users):
    few = [each for each in INSTANCES if len(each["gain"]) == users and len(each["gain"][0]) <= MOST_SEARCHED]
    filled = np.zeros((len(few), users, MOST_SEARCHED))
    for to, instance in zip(filled, few):
        to[:, : len(instance["gain"][0])] = instance["gain"]
    occupied, feasible = exhaustive(filled, constants_of(few))
    for instance, count, served in zip(few, occupied, feasible):
        assert (int(count) if served else None) == instance["count"], f"instance {instance['index']}"
    assert len(few) >= 15
    assert any(each["count"] not in (None, each["prop_num_mu"]) for each in few)


def test_numpy_gets_the_numbers_of_the_problem(x64):
    for scenario in SCENARIOS:
        system = get("uplink-qos", **scenario.config)
        gains = np.random.default_rng(0).exponential(300.0, (2, 2, 5))
        for cell, gain in zip(cells_of(system.config, gains), gains, strict=True):
            problem = system.problem({"gain": gain})
            np.testing.assert_allclose(cell.snr, problem.snr, rtol=1e-12)
            np.testing.assert_allclose(cell.long_need, problem.long_need, rtol=1e-12)
            for count in (1, 3):
                np.testing.assert_allclose(cell.short_need(count), problem.short_need(count), rtol=1e-9)


def test_rows_compare_both_and_say_where_they_differ(monkeypatch):
    """With a method that occupies nothing in place of ours."""

    def nothing(problem):
        service = jnp.zeros(problem.snr.shape, jnp.int32)
        return evaluate(problem, {"service": service, "power_w": jnp.zeros(problem.snr.shape)})

    scenario = Scenario("idle", {"num_users": 1, "num_rbs": 6, "rate_long_bps": 2e6}, nothing, SCENARIOS[0].numpy)
    monkeypatch.setattr(uplink_qos, "SCENARIOS", (scenario,))
    own, loop = uplink_rows(channels=5, numpy_channels=3, repeats=1)
    assert (own["count"], loop["count"], own["compared_channels"]) == (5, 3, 3)
    assert own["different_counts"] == 3
    assert (own["infeasible"], own["mean_occupied"]) == (1.0, None)
    assert (loop["infeasible"], loop["mean_occupied"]) == (0.0, pytest.approx(2.0, abs=1.0))
    assert own["ratio_to_numpy_loop"] == loop["times_as_long"] > 0
    assert own["compile_seconds"] > 0


@pytest.mark.slow
def test_rows_of_all_scenarios_agree_with_numpy():
    rows = uplink_rows(channels=64, numpy_channels=32, repeats=1)
    assert len(rows) == 2 * len(SCENARIOS)
    for own in rows[::2]:
        assert own["different_counts"] == 0
        assert own["mean_occupied"] > 2
