"""Interior-point powers of NOMA schedules, timed against a loop over SciPy's solvers on the same channels."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.optimize import LinearConstraint, minimize

from wirelax.execution import map_chunks
from wirelax.problems import NomaProblem, Slots, evaluate
from wirelax.solvers.noma import CHUNK
from wirelax.solvers.noma.power import SlotPower, slot_power
from wirelax.systems import get
from wirelax.systems.run import instance_keys, make_problems, sample_channels
from wirelax.types import Solution, Status

from .timing import Row, add_ratios, compile_call, measure, row

__all__ = ["Cell", "cell_of", "interior_point_rows", "scheduled_gains", "scipy_power"]

BATCH, JUDGE = "interior point, batched", "utility and constraints of a label, batched"


class Cell(NamedTuple):
    """Constants of the problem in physical units."""

    noise_w: float
    sic_residual: float
    min_rate: float
    total_power_w: float


def cell_of(config: Any) -> Cell:
    """The numbers of a configuration of the system ``noma``."""
    total_w = 10 ** ((config.total_power_dbm - 30) / 10)
    return Cell(config.noise_power_w, config.sic_residual, config.min_rate, total_w)


def scheduled_gains(gain: np.ndarray, assignment: np.ndarray) -> dict[int, np.ndarray]:
    """Gains of the scheduled users in SIC order [subchannel, slot], float64, by the index of the network.

    Networks with empty places are left out: they are no rectangle.

    Args:
        gain: [network, subchannel, user].
        assignment: bool of the same shape.
    """
    full = (assignment.sum(2) == assignment.sum(2).max()).all(1)
    return {
        int(index): np.array([sorted(g[a], reverse=True) for g, a in zip(gain[index], assignment[index])], np.float64)
        for index in np.flatnonzero(full)
    }


def _rate_and_gradient(power: np.ndarray, gain: np.ndarray, noise: float, eps: float) -> tuple[float, np.ndarray]:
    """Minus eq. (7) of the NOMA DNN paper for ``interference_gain="receiver"`` and its gradient, users in SIC order."""
    p, eta = np.maximum(power, 0).reshape(gain.shape), noise / gain
    total, before = np.cumsum(p, 1), np.cumsum(p, 1) - p
    heard = eps * (total[:, -1:] - total) + before + eta
    own, other = 1 / (heard + p), 1 / (heard + p) - 1 / heard
    weaker = np.cumsum(other[:, ::-1], 1)[:, ::-1] - other
    stronger = np.cumsum(other, 1) - other
    slope = own + weaker + eps * stronger
    return -np.log2(1 + p / heard).sum(), -slope.ravel() / np.log(2)


def scipy_power(gain: np.ndarray, cell: Cell, method: str, *, gradient: bool = True) -> tuple[float, np.ndarray]:
    """Sum rate and powers of one full schedule by SciPy or cyipopt, from equal powers.

    Args:
        gain: of the users in SIC order [subchannel, slot], float64.
        cell: constants.
        method: "SLSQP", "trust-constr", or "Ipopt" where cyipopt is installed.
        gradient: analytic gradients, else SciPy's differences.
    """
    slots, total, gamma = gain.shape[1], cell.total_power_w, 2**cell.min_rate - 1
    heard = np.tril(np.ones((slots, slots)), -1) + cell.sic_residual * np.triu(np.ones((slots, slots)), 1)
    rows = np.kron(np.eye(len(gain)), np.eye(slots) - gamma * heard)
    least, ones = (gamma * cell.noise_w / gain).ravel(), np.ones((1, gain.size))
    arguments = (gain, cell.noise_w, cell.sic_residual)
    cost = _rate_and_gradient if gradient else lambda *a: _rate_and_gradient(*a)[0]
    start = np.full(gain.size, total / gain.size)
    if method == "trust-constr":
        linear = [LinearConstraint(ones, total, total), LinearConstraint(rows, least, np.inf)]
        options = {"maxiter": 1000}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "delta_grad == 0.0")  # at its end, where steps are rounding
            found = minimize(cost, start, arguments, method, jac=gradient, constraints=linear, options=options)
    else:
        constraints: Any = [
            {"type": "eq", "fun": lambda p: p.sum(keepdims=True) - total, "jac": lambda p: ones},
            {"type": "ineq", "fun": lambda p: rows @ p - least, "jac": lambda p: rows},
        ]
        if method == "SLSQP":
            options = {"maxiter": 1000, "ftol": 1e-9}
            found = minimize(cost, start, arguments, method, jac=gradient, constraints=constraints, options=options)
        else:
            from cyipopt import minimize_ipopt

            options = {"max_iter": 1000, "print_level": 0, "sb": "yes"}
            found = minimize_ipopt(
                cost, start, arguments, jac=gradient, constraints=constraints, tol=1e-9, options=options
            )
    return -found.fun, found.x


def batched_power(batch: tuple[NomaProblem, Slots, jax.Array]) -> SlotPower:
    """One start for every network of a batch, as labels are made; as SciPy, from users in SIC order and unjudged."""
    return map_chunks(lambda one: slot_power(one[0], one[1], starts=1, key=one[2]), batch, CHUNK)


def batched_judgement(batch: tuple[NomaProblem, dict[str, jax.Array]]) -> Solution:
    """What a solution costs beside its powers."""
    return map_chunks(lambda one: evaluate(*one), batch, CHUNK)


@jax.jit
@jax.vmap
def _slots(problem: NomaProblem) -> Slots:
    return problem.slots()


def interior_point_rows(*, channels: int, scipy_channels: int, repeats: int) -> list[Row]:
    """Rows of the batched solver and of SciPy at the default size and at the paper's largest.

    Args:
        channels: in the batch; SciPy takes the first of them, one after the other.
        scipy_channels: of SLSQP; SLSQP with differences and Ipopt take an eighth, trust-constr a fortieth.
        repeats: timed runs of each.
    """
    sizes: tuple[dict[str, int], ...] = ({}, {"num_subchannels": 25, "num_users": 20})
    return [each for size in sizes for each in _rows_of_size(size, channels, scipy_channels, repeats)]


def _rows_of_size(size: dict[str, int], channels: int, scipy_channels: int, repeats: int) -> list[Row]:
    system = get("noma", **size)
    drawn = sample_channels(system, channels, seed=0)
    gains = scheduled_gains(drawn["gain"], drawn["assignment"])
    loops = _loops(list(gains.values()), cell_of(system.config), scipy_channels)
    problems = make_problems(system, drawn)
    even = problems.schedule / problems.schedule.sum((1, 2), keepdims=True) * problems.total_power_w[:, None, None]
    call, compile_seconds = compile_call(batched_power, (problems, _slots(problems), instance_keys(0, 0, channels)))
    judge, judge_seconds = compile_call(
        batched_judgement, (problems, {"assignment": problems.schedule, "power_w": even})
    )
    timings = measure({BATCH: call, JUDGE: judge, **{name: each for name, (_, each) in loops.items()}}, repeats)
    label, found = f"N = {system.config.num_subchannels}, M = {system.config.num_users}", timings[BATCH].result
    statistics = {
        "mean_sum_rate": float(np.mean(found.utility)),
        "mean_iterations": float(np.mean(found.iterations)),
        "converged": float(np.mean(np.asarray(found.status) == Status.CONVERGED)),
    }
    how = {"unit": "label", "compile_seconds": compile_seconds, "notes": "float32, one start, all cores"}
    rows = [row(f"{BATCH}, {label}", timings[BATCH], channels, **how, **statistics)]
    for name, (count, _) in loops.items():
        reference = np.array([value for value, _ in timings[name].result])
        utility = np.asarray(found.utility, float)[list(gains)[:count]]
        more = {"unit": "label", "largest_gap_of_batched": float((1 - utility / reference).max()), "notes": "float64"}
        rows.append(row(f"{name}, {label}", timings[name], count, **more))
    ratios = [(name.lower().replace(" ", "_"), each) for name, each in zip(loops, rows[1:])]
    add_ratios(rows[0], ratios)
    how = {"unit": "label", "compile_seconds": judge_seconds, "notes": "float32, all cores; comes on top of the powers"}
    return [*rows, row(f"{JUDGE}, {label}", timings[JUDGE], channels, **how)]


def _loops(gains: list[np.ndarray], cell: Cell, most: int) -> dict[str, tuple[int, Callable[[], Any]]]:
    """SciPy's solvers by name: how many networks each takes, and a call that solves them."""

    def loop(share: int, method: str, **options: Any) -> tuple[int, Callable[[], Any]]:
        some = gains[: max(1, most // share)]
        return len(some), lambda: [scipy_power(gain, cell, method, **options) for gain in some]

    loops = {
        "SLSQP": loop(1, "SLSQP"),
        "SLSQP with differences": loop(8, "SLSQP", gradient=False),
        "trust-constr": loop(40, "trust-constr"),
    }
    return {**loops, "Ipopt": loop(8, "Ipopt")} if find_spec("cyipopt") else loops
