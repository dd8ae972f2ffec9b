"""From results of several methods to the rows of a table: values alone, no picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from wirelax.types import FEASIBILITY_TOLERANCE, Status

__all__ = ["RATIO_DEFINITION", "best_feasible", "comparison_rows", "missed_fraction", "ratio_to_best", "units_of"]

RATIO_DEFINITION = (
    "Ratio to best: feasible results compared with feasible ones. The best of a channel is the best feasible result of "
    "these methods; a method's ratio is the sum of its utility over the channels that it solves feasibly, divided by "
    "the sum of the best over the same channels. It is left empty for a method without a feasible result, and where "
    "the sum of the best is not positive."
)


def comparison_rows(system: Any, results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a method, from `wirelax.systems.run.BatchResult` by name.

    Means and medians are over all results, feasible or not; `RATIO_DEFINITION` says what ``ratio_to_best`` is.
    ``violation_fraction`` is the share of the results that break a constraint (or are no number), and
    ``violated_NAME`` the share that breaks one of them: there is a column for every constraint that any method
    breaks. ``infeasible_fraction`` counts what the method itself called infeasible, ``not_converged`` every other
    status than converged.

    Args:
        system: its ``table_columns(utility, best, arrays)`` adds columns; the best is NaN in channels that no method
            solves feasibly.
        results: by method, all of the same channels.

    Returns:
        Rows fit for `wirelax.report.write_table`.
    """
    best = best_feasible(results)
    broken = {name: _broken(result.violations) for name, result in results.items()}
    constraints = dict.fromkeys(c for shares in broken.values() for c, share in shares.items() if share)
    rows = []
    for name, result in results.items():
        count, status = len(result.utility), np.asarray(result.status)
        infeasible = status == Status.INFEASIBLE
        rows.append(
            {
                "method": name,
                "count": count,
                "utility_mean": float(np.mean(result.utility, dtype=float)),
                "utility_median": float(np.median(result.utility)),
                "ratio_to_best": ratio_to_best(result, best),
                "violation_fraction": float(np.mean(~result.feasible)),
                "seconds_per_channel": result.seconds / count,
                "compile_seconds": result.compile_seconds,
                **system.table_columns(result.utility, best, result.arrays),
                **{f"violated_{constraint}": broken[name].get(constraint) for constraint in constraints},
                "not_converged": float(np.mean((status != Status.CONVERGED) & ~infeasible)),
                "infeasible_fraction": float(infeasible.mean()),
            }
        )
    return rows


def best_feasible(results: Mapping[str, Any]) -> Float[np.ndarray, "count"]:
    """The best feasible utility of every channel over the methods; NaN where no method is feasible."""
    feasible = np.stack([result.feasible for result in results.values()])
    utility = np.stack([np.asarray(result.utility, float) for result in results.values()])
    return np.where(feasible.any(0), np.where(feasible, utility, -np.inf).max(0), np.nan)


def ratio_to_best(result: Any, best: Float[np.ndarray, "count"]) -> float | None:
    """Utility of a result over the best, see `RATIO_DEFINITION`; None where that is undefined."""
    reachable = float(best[result.feasible].sum())
    return float(np.asarray(result.utility, float)[result.feasible].sum()) / reachable if reachable > 0 else None


def missed_fraction(results: Mapping[str, Any]) -> dict[str, float]:
    """Share of the channels that some method solves feasibly, but not this one, by method."""
    solvable = np.any([result.feasible for result in results.values()], axis=0)
    return {name: float(np.mean(solvable & ~result.feasible)) for name, result in results.items()}


def units_of(system: Any) -> dict[str, str]:
    """Units of the columns that are utilities."""
    return dict.fromkeys(("utility_mean", "utility_median", "utility_mean_infeasible_as_zero"), system.utility_unit)


def _broken(violations: Mapping[str, Any]) -> dict[str, float]:
    """Share of the results that break each constraint; NaN breaks it."""
    return {name: float(np.mean(~(np.asarray(v) <= FEASIBILITY_TOLERANCE))) for name, v in violations.items()}
