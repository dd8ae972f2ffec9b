"""Uplink QoS instances with a proven least number of RBs, by mixed-integer linear programs.

A second route to the optimum that shares nothing with the solvers: ln(1 + x) is replaced by tangents, which admit more
than it (a relaxation), or by secants, which admit less. HiGHS minimises the RBs of both; where the counts are equal,
theirs is that of problem (2) of Yin et al. (2025). ``python -m benchmarks.uplink_milp --out FILE.json`` writes such
instances.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from .numpy_uplink import LONG, NONE, SHORT, Cell, Found, cell_of, prop_num_mu
from .uplink_cases import MOST_CASES, SEED, draw_case

__all__ = ["MARGIN", "Proof", "fewest_rbs", "holds", "prove"]

MARGIN = 1e-4
"""Needs are taken this share too low in the relaxation and too high in the restriction: a proven count does not hang on
rounding, nor on the tolerances of HiGHS or of single precision."""
STEPS = (0.5, 0.2, 0.08)
"""Distances in ln(1 + x) between the points of tangents and secants, tried in turn; errors are a square over 8."""
NODES = 20_000
"""Of the search tree, after which an instance stays unproven: the same on every machine, unlike a time."""
UNPROVEN = "unproven"
LIMITS = {UNPROVEN: 0, "infeasible": 15, "two RBs each": 12, "turn taking optimal": 83}
"""How many of the less telling instances a file holds at most; the rest of it are those where turn taking is beaten."""


class Proof(NamedTuple):
    """The least number of RBs (None: no allocation serves all users), and an allocation that has it."""

    proven: bool
    count: int | None
    found: Found | None


def _points(snr: float, step: float) -> np.ndarray:
    """SNRs from 0 to that of full power, evenly spaced in ln(1 + SNR)."""
    return np.expm1(np.linspace(0.0, np.log1p(snr), max(2, int(np.ceil(np.log1p(snr) / step)) + 1)))


def _lines(snr: float, step: float, relaxed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Slopes, and values at 0, of lines whose least is above (tangents) or below (secants) ln(1 + SNR)."""
    points = _points(snr, step)
    if relaxed:
        slopes = 1 / (1 + points)
    else:
        slopes = np.diff(np.log1p(points)) / np.diff(points)
        points = points[:-1]
    return slopes, np.log1p(points) - slopes * points


class _Rows:
    """Constraints ``low <= A x <= high``, row by row."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, int, float]] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def add(self, columns: Sequence[int], weights: Sequence[float], low: float, high: float) -> None:
        self.entries += [(len(self.low), int(c), float(w)) for c, w in zip(columns, weights, strict=True)]
        self.low.append(low)
        self.high.append(high)

    def constraint(self, width: int) -> LinearConstraint:
        row, column, weight = np.transpose(self.entries)
        matrix = coo_array((weight, (row.astype(int), column.astype(int))), (len(self.low), width)).tocsr()
        return LinearConstraint(matrix, self.low, self.high)


def _program(cell: Cell, step: float, relaxed: bool, least: Sequence[int]) -> tuple[_Rows, np.ndarray, np.ndarray]:
    """Rows, the columns of the binaries and of the powers [service, user, rb], and those of the numbers N_S.

    A power is 0 where its binary is, and so is what the lines, scaled by the binary, leave of its rate. The short
    service needs b(N_S), exactly, by a binary for every value of N_S.
    """
    users, rbs = cell.snr.shape
    size, factor = 2 * users * rbs, 1 - MARGIN if relaxed else 1 + MARGIN
    on, power, nats = np.arange(3 * size).reshape(3, 2, users, rbs)
    most = rbs - 2 * users + 1  # everybody else needs two RBs, and the long service one
    number = 3 * size + np.arange(users * most).reshape(users, most)
    rows, ones = _Rows(), np.ones(max(2 * users, 2 * rbs))
    for rb in range(rbs):
        rows.add(on[:, :, rb].ravel(), ones[: 2 * users], 0, 1)
    for user in range(users):
        rows.add(power[:, user].ravel(), ones[: 2 * rbs], 0, 1)
        rows.add(on[:, user].ravel(), ones[: 2 * rbs], least[user], rbs)
        rows.add(nats[0, user], ones[:rbs], factor * cell.long_need, np.inf)
        counts = np.arange(1, most + 1)
        needs = [factor * cell.short_need(count) for count in counts]
        rows.add(number[user], np.ones(most), 1, 1)
        rows.add([*on[1, user], *number[user]], [*ones[:rbs], *-counts], 0, 0)
        rows.add([*nats[1, user], *number[user]], [*ones[:rbs], *np.negative(needs)], 0, np.inf)
    for user, rb in itertools.product(range(users), range(rbs)):
        snr = cell.snr[user, rb]
        lines = list(zip(*_lines(snr, step, relaxed), strict=True))
        for service in (0, 1):
            at = service, user, rb
            rows.add([power[at], on[at]], [1, -1], -np.inf, 0)
            for slope, value in lines:
                rows.add([nats[at], power[at], on[at]], [1, -slope * snr, -value], -np.inf, 0)
    return rows, np.stack([on, power]), number


def fewest_rbs(cell: Cell, step: float, relaxed: bool, least: Sequence[int] | None = None) -> tuple[int, Found | None]:
    """The least RBs of the relaxation, or of the restriction with an allocation of it, by HiGHS.

    Args:
        cell: SNRs and needs.
        step: distance between the points where the lines touch, in ln(1 + SNR).
        relaxed: whether the lines are above ln(1 + SNR).
        least: RBs that every user is known to need, 2 by default.

    Returns:
        Count and allocation; one more than the RBs that there are and None where the program is infeasible, -1 and
        None where the search was cut off.
    """
    users, rbs = cell.snr.shape
    if rbs < 2 * users:
        return rbs + 1, None
    rows, (on, power), number = _program(cell, step, relaxed, least or [2] * users)
    width = number.max() + 1
    integral, high, cost = np.zeros(width), np.full(width, np.inf), np.zeros(width)
    for columns in (on.ravel(), number.ravel()):
        integral[columns], high[columns] = 1, 1
    high[power.ravel()] = 1
    cost[on.ravel()] = 1
    found = milp(
        cost,
        integrality=integral,
        bounds=Bounds(0, high),
        constraints=rows.constraint(width),
        options={"node_limit": NODES, "mip_rel_gap": 0.0},
    )
    if found.status == 2:
        return rbs + 1, None
    if found.status != 0:
        return -1, None
    service = np.select([found.x[on[0]] > 0.5, found.x[on[1]] > 0.5], [LONG, SHORT], NONE)
    shares = np.where(service == NONE, 0.0, found.x[power].sum(0))
    return round(found.fun), Found(service, np.maximum(shares, 0.0), True)


def holds(cell: Cell, found: Found) -> bool:
    """Whether an allocation serves all users: eqs. (2b) to (2g) as they stand."""
    nats = np.log1p(cell.snr * found.power)
    long = np.where(found.service == LONG, nats, 0).sum(1)
    short = np.where(found.service == SHORT, nats, 0).sum(1)
    needs = [cell.short_need(count) for count in (found.service == SHORT).sum(1)]
    alone = ((found.service != NONE).sum(0) <= 1).all()
    powers = (found.power >= 0).all() and (found.power.sum(1) <= 1 + 1e-6).all()
    return bool(alone and powers and (long >= cell.long_need).all() and (short >= needs).all())


def prove(cell: Cell) -> Proof:
    """The least number of RBs, by finer and finer lines until relaxation and restriction agree.

    What every user needs alone is found first, and given to the relaxation of all of them.
    """
    rbs = cell.snr.shape[1]
    for step in STEPS:
        alone = [max(2, fewest_rbs(cell._replace(snr=snr[None]), step, True)[0]) for snr in cell.snr]
        least = fewest_rbs(cell, step, True, alone)[0] if sum(alone) <= rbs else rbs + 1
        if least > rbs:
            return Proof(True, None, None)
        if least < 0:
            continue
        count, found = fewest_rbs(cell, step, False)
        if found is not None and count == least:
            return Proof(holds(cell, found), count, found)
    return Proof(False, None, None)


def _instances(most: int) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Proven instances with their counts, up to `most`, and how many of every class were drawn for them."""
    instances, drawn = [], {}
    for index in range(MOST_CASES):
        case = draw_case(index)
        cell = cell_of(np.array(case["gain"]), **case["constants"])
        proof, turns = prove(cell), prop_num_mu(cell)
        by_turns = turns.occupied if turns.feasible else None
        label = _label(proof, len(cell.snr), by_turns)
        drawn[label] = drawn.get(label, 0) + 1
        if drawn[label] > LIMITS.get(label, most):
            continue
        services = None if proof.found is None else ["".join(map(str, row)) for row in proof.found.service]
        instances.append({**case, "count": proof.count, "services": services, "prop_num_mu": by_turns})
        if len(instances) == most:
            break
    return instances, drawn


def _label(proof: Proof, users: int, by_turns: int | None) -> str:
    if not proof.proven:
        return UNPROVEN
    if proof.count != by_turns:
        return "turn taking beaten"
    return {None: "infeasible", 2 * users: "two RBs each"}.get(proof.count, "turn taking optimal")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write proven instances."""
    parser = argparse.ArgumentParser(description="Write uplink QoS instances with a proven least number of RBs.")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.json")
    parser.add_argument("--count", type=int, default=120, help="default 120")
    options = parser.parse_args(arguments)
    instances, drawn = _instances(options.count)
    head: dict[str, Any] = {
        "about": "Uplink QoS instances with a proven least number of occupied RBs (null: infeasible), an allocation of "
        "services that has it (0 none, 1 long, 2 short), and what turn taking finds (prop_num_mu). "
        "Made by python -m benchmarks.uplink_milp, which keeps only some of those drawn.",
        "versions": {"scipy": scipy.__version__, "highs": _highs_version(), "jax": jax.__version__},
        "seed": SEED,
        "margin": MARGIN,
        "drawn": drawn,
    }
    lines = ",\n".join(json.dumps(instance) for instance in instances)
    options.out.write_text(json.dumps(head, indent=1)[:-2] + f',\n "instances": [\n{lines}\n]}}\n')


def _highs_version() -> str | None:
    """Of the solver inside of SciPy, where SciPy tells it."""
    try:
        core = importlib.import_module("scipy.optimize._highspy._core")
    except ImportError:
        return None
    numbers = [getattr(core, f"HIGHS_VERSION_{part}", None) for part in ("MAJOR", "MINOR", "PATCH")]
    return None if None in numbers else ".".join(map(str, numbers))


if __name__ == "__main__":
    main()
