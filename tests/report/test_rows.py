"""The values of a comparison: what is compared with what."""

import numpy as np
import pytest

from wirelax.report.rows import best_feasible, comparison_rows, missed_fraction
from wirelax.types import FEASIBILITY_TOLERANCE, Status

from .results import SYSTEM, result


def rows(**results):
    return {row["method"]: row for row in comparison_rows(SYSTEM, results)}


def test_the_best_is_feasible_and_unknown_where_nothing_is():
    results = {"low": result(1.0, 2.0, feasible=[True, False]), "broken": result(9.0, 9.0, feasible=False)}
    np.testing.assert_array_equal(best_feasible(results), [1.0, np.nan])


def test_ratio_against_a_loop():
    rng = np.random.default_rng(0)
    results = {
        name: result(*rng.gamma(2.0, size=50), feasible=rng.random(50) < share)
        for name, share in {"a": 0.9, "b": 0.6, "c": 0.2}.items()
    }
    found = rows(**results)
    for name, one in results.items():
        own = top = 0.0
        for i in range(50):
            if one.feasible[i]:
                own += float(one.utility[i])
                top += max(float(other.utility[i]) for other in results.values() if other.feasible[i])
        assert found[name]["ratio_to_best"] == pytest.approx(own / top, rel=1e-12)
        assert found[name]["ratio_to_best"] <= 1.0


def test_an_infeasible_result_never_counts_in_a_ratio():
    """A policy that leaves users unserved has more utility and is not better."""
    found = rows(
        optimum=result(4.0, 2.0),
        cheat=result(9.0, 1.0, feasible=[False, True]),
        hopeless=result(9.0, 9.0, feasible=False),
    )
    assert found["optimum"]["ratio_to_best"] == 1.0
    assert found["cheat"]["ratio_to_best"] == 0.5  # of the second channel alone
    assert found["hopeless"]["ratio_to_best"] is None
    assert found["cheat"]["utility_mean"] == 5.0
    assert [found[name]["violation_fraction"] for name in found] == [0.0, 0.5, 1.0]


def test_utilities_below_zero():
    found = rows(a=result(-1.0, -2.0), b=result(-3.0, -2.0))
    assert found["a"]["ratio_to_best"] is found["b"]["ratio_to_best"] is None
    found = rows(a=result(4.0, -1.0), b=result(-2.0, -1.0))
    assert found["a"]["ratio_to_best"] == 1.0
    assert found["b"]["ratio_to_best"] == -1.0
    assert rows(a=result(0.0, 0.0))["a"]["ratio_to_best"] is None


def test_columns_in_order_with_one_for_every_constraint_that_breaks():
    edge = FEASIBILITY_TOLERANCE
    found = rows(
        a=result(1.0, 1.0, feasible=[True, False], seconds=4.0, power=[edge, 2 * edge], rate=[0.0, -1.0]),
        b=result(1.0, 1.0, feasible=[True, False], power=[0.0, 0.0], rate=[0.0, np.nan], time=[-1.0, 0.0]),
        c=result(1.0, 1.0, power=[0.0, 0.0]),
    )
    contract = "method count utility_mean utility_median ratio_to_best violation_fraction seconds_per_channel"
    more = "compile_seconds rate_p5 violated_power violated_rate not_converged infeasible_fraction"
    assert [list(row) for row in found.values()] == [[*contract.split(), *more.split()]] * 3
    assert found["a"]["seconds_per_channel"] == 2.0
    broken = {name: (row["violated_power"], row["violated_rate"]) for name, row in found.items()}
    assert broken == {"a": (0.5, 0.0), "b": (0.0, 0.5), "c": (0.0, None)}


def test_status_is_counted_apart_from_infeasible():
    status = [Status.CONVERGED, Status.INFEASIBLE, Status.STALLED, Status.ITERATION_LIMIT]
    row = rows(a=result(1.0, 1.0, 1.0, 1.0, status=status))["a"]
    assert (row["not_converged"], row["infeasible_fraction"]) == (0.5, 0.25)


def test_missed_are_channels_that_another_method_solves():
    results = {"a": result(1.0, 1.0, 1.0, 1.0, feasible=[True, True, False, False])}
    assert missed_fraction(results) == {"a": 0.0}
    results["b"] = result(1.0, 1.0, 1.0, 1.0, feasible=[True, False, True, False])
    assert missed_fraction(results) == {"a": 0.25, "b": 0.25}
