"""Numerical methods of uplink QoS, batched, timed against the same algorithms in NumPy on the same channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from wirelax.execution import map_chunks
from wirelax.problems import UplinkQosProblem
from wirelax.solvers.uplink_qos import CHUNK, uplink_numerical, uplink_single
from wirelax.systems import get
from wirelax.systems.run import make_problems, sample_channels
from wirelax.types import Solution

from .numpy_uplink import Cell, Found, cell_of, prop_num_mu, prop_num_su
from .timing import Row, Timing, add_ratios, compile_call, measure, row

__all__ = ["SCENARIOS", "Batched", "Scenario", "cells_of", "uplink_rows"]

BATCH, LOOP = "uplink RBs, batched", "uplink RBs, NumPy loop"
CONSTANTS = ("rate_long_bps", "rate_short_bps", "error_probability", "max_power_w", "rb_bandwidth_hz", "slot_s")


class Scenario(NamedTuple):
    """A configuration of the system ``uplink-qos``, our method for it and the NumPy one."""

    label: str
    config: dict[str, Any]
    ours: Callable[[UplinkQosProblem], Solution]
    numpy: Callable[[Cell], Found]


SCENARIOS = (
    Scenario(
        "one user, F = 8",
        {"num_users": 1, "num_rbs": 8, "num_antennas": 8, "distance_m": 50.0, "rate_long_bps": 6e6},
        uplink_single,
        prop_num_su,
    ),
    Scenario("K = 4, F = 24", {}, uplink_numerical, prop_num_mu),
    Scenario(
        "heavy load, K = 2, F = 24",
        {"num_users": 2, "num_antennas": 8, "distance_m": 60.0, "rate_long_bps": 8e6},
        uplink_numerical,
        prop_num_mu,
    ),
)


@dataclass(frozen=True)
class Batched:
    """A solver of one cell over a batch, in chunks; equal ones are compiled once."""

    solver: Callable[[UplinkQosProblem], Solution]

    def __call__(self, problems: UplinkQosProblem) -> Solution:
        """Solutions of the batch."""
        return map_chunks(self.solver, problems, CHUNK)


def cells_of(config: Any, gain: np.ndarray) -> list[Cell]:
    """Channels [channel, user, rb] of the system ``uplink-qos`` with the numbers of its configuration."""
    constants = {name: getattr(config, name) for name in CONSTANTS}
    return [cell_of(each, **constants) for each in gain]


def uplink_rows(*, channels: int, numpy_channels: int, repeats: int) -> list[Row]:
    """Two rows a scenario: our batched method, and NumPy on the first of its channels.

    Args:
        channels: in the batch.
        numpy_channels: of these, the ones that NumPy solves one after the other.
        repeats: timed runs of each.
    """
    return [each for scenario in SCENARIOS for each in _rows_of(scenario, channels, numpy_channels, repeats)]


def _rows_of(scenario: Scenario, channels: int, numpy_channels: int, repeats: int) -> list[Row]:
    system = get("uplink-qos", **scenario.config)
    drawn = sample_channels(system, channels, seed=0)
    cells = cells_of(system.config, drawn["gain"][:numpy_channels])
    call, compile_seconds = compile_call(Batched(scenario.ours), make_problems(system, drawn))
    timings = measure({BATCH: call, LOOP: lambda: [scenario.numpy(cell) for cell in cells]}, repeats)
    found, loop = timings[BATCH].result, timings[LOOP].result
    feasible = np.asarray(found.feasible)
    occupied = np.where(feasible, system.config.num_rbs - np.asarray(found.utility), -1).round().astype(int)
    wanted = np.array([each.occupied if each.feasible else -1 for each in loop])
    own = row(
        f"{BATCH}, {scenario.label}",
        timings[BATCH],
        channels,
        compile_seconds=compile_seconds,
        notes="float32, all cores",
        mean_occupied=float(occupied[feasible].mean()) if feasible.any() else None,
        infeasible=float(1 - feasible.mean()),
        compared_channels=len(cells),
        different_counts=int((occupied[: len(cells)] != wanted).sum()),
    )
    theirs = _loop_row(scenario, timings[LOOP], wanted)
    add_ratios(own, [("numpy_loop", theirs)])
    return [own, theirs]


def _loop_row(scenario: Scenario, timing: Timing, occupied: np.ndarray) -> Row:
    served = occupied[occupied >= 0]
    return row(
        f"{LOOP}, {scenario.label}",
        timing,
        len(occupied),
        notes="float64, one channel after the other on one core",
        mean_occupied=float(served.mean()) if served.size else None,
        infeasible=float((occupied < 0).mean()),
    )
