"""Interior-point powers of NOMA schedules, timed against a loop over SciPy's solvers on the same channels."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import jax
import numpy as np
from scipy.optimize import LinearConstraint, minimize

from wirelax.batching import map_chunks
from wirelax.bench.timing import Row, compile_over_cores, measure, row
from wirelax.solvers.noma_power import CHUNK, noma_power
from wirelax.solvers.noma_problem import NomaProblem, Slots
from wirelax.systems import get
from wirelax.types import Status

__all__ = ["interior_point_rows", "scipy_power"]

BATCH = "interior point, batched"


def _rate_and_gradient(power: np.ndarray, gain: np.ndarray, noise: float, eps: float) -> tuple[float, np.ndarray]:
    """Minus eq. (7) of paper 2 for ``interference_gain="receiver"`` and its gradient, users in SIC order."""
    p, eta = np.maximum(power, 0).reshape(gain.shape), noise / gain
    total, before = np.cumsum(p, 1), np.cumsum(p, 1) - p
    heard = eps * (total[:, -1:] - total) + before + eta
    own, other = 1 / (heard + p), 1 / (heard + p) - 1 / heard
    weaker = np.cumsum(other[:, ::-1], 1)[:, ::-1] - other
    stronger = np.cumsum(other, 1) - other
    slope = own + weaker + eps * stronger
    return -np.log2(1 + p / heard).sum(), -slope.ravel() / np.log(2)


def scipy_power(gain: np.ndarray, system: Any, method: str, *, gradient: bool = True) -> tuple[float, np.ndarray]:
    """Sum rate and powers of one full schedule by SciPy or cyipopt, from equal powers.

    Args:
        gain: of the users in SIC order [subchannel, slot], float64.
        system: the system ``noma``.
        method: "SLSQP", "trust-constr", or "Ipopt" where cyipopt is installed.
        gradient: analytic gradients, else SciPy's differences.
    """
    problem, slots, total = system.config, gain.shape[1], system.total_power_w
    gamma = 2**problem.min_rate - 1
    heard = np.tril(np.ones((slots, slots)), -1) + problem.sic_residual * np.triu(np.ones((slots, slots)), 1)
    rows = np.kron(np.eye(len(gain)), np.eye(slots) - gamma * heard)
    least, ones = (gamma * problem.noise_power_w / gain).ravel(), np.ones((1, gain.size))
    arguments = (gain, problem.noise_power_w, problem.sic_residual)
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


def _problems(count: int, **config: Any) -> tuple[Any, tuple[NomaProblem, Slots, jax.Array]]:
    system = get("noma", **config)

    def build(key: jax.Array) -> tuple[NomaProblem, Slots, jax.Array]:
        channel = system.sample(key)
        problem = system.problem(channel)
        return problem, problem.slots(system.schedule(channel)), key

    return system, jax.block_until_ready(jax.jit(jax.vmap(build))(jax.random.split(jax.random.key(0), count)))


def interior_point_rows(*, channels: int, scipy_channels: int, repeats: int) -> list[Row]:
    """Rows of the batched solver and of SciPy at the default size and at paper 2's largest.

    Args:
        channels: in the batch; SciPy takes the first of them, one after the other.
        scipy_channels: of SLSQP; SLSQP with differences and Ipopt take an eighth, trust-constr a fortieth.
        repeats: timed runs of each.
    """
    sizes: tuple[dict[str, int], ...] = ({}, {"num_subchannels": 25, "num_users": 20})
    return [each for size in sizes for each in _rows_of_size(size, channels, scipy_channels, repeats)]


def _rows_of_size(size: dict[str, int], channels: int, scipy_channels: int, repeats: int) -> list[Row]:
    system, batch = _problems(channels, **size)
    label = f"N = {system.config.num_subchannels}, M = {system.config.num_users}"
    few, least = max(1, scipy_channels // 8), max(1, scipy_channels // 40)
    gains = np.asarray(batch[1].gain, float)

    def solve(b: Any) -> Any:
        one = lambda each: noma_power(each[0], each[1], starts=1, key=each[2])  # noqa: E731
        return map_chunks(one, b, CHUNK)

    def loop(count: int, method: str, **options: Any) -> Callable[[], Any]:
        return lambda: [scipy_power(gain, system, method, **options) for gain in gains[:count]]

    loops = {
        "SLSQP": (scipy_channels, loop(scipy_channels, "SLSQP")),
        "SLSQP with differences": (few, loop(few, "SLSQP", gradient=False)),
        "trust-constr": (least, loop(least, "trust-constr")),
    }
    if find_spec("cyipopt"):
        loops["Ipopt"] = (few, loop(few, "Ipopt"))
    call, compile_seconds = compile_over_cores(solve, batch)
    timings = measure({BATCH: call, **{name: each for name, (_, each) in loops.items()}}, repeats)
    batch_time, found = timings[BATCH], timings[BATCH].result
    statistics = {
        "mean_sum_rate": float(np.mean(found.utility)),
        "mean_iterations": float(np.mean(found.iterations)),
        "converged": float(np.mean(np.asarray(found.status) == Status.CONVERGED)),
    }
    notes = "float32, one start, all cores"
    fast = row(
        f"{BATCH}, {label}",
        batch_time,
        channels,
        unit="label",
        compile_seconds=compile_seconds,
        notes=notes,
        **statistics,
    )
    rows = [fast]
    for name, (count, _) in loops.items():
        reference = np.array([value for value, _ in timings[name].result])
        gap = float((1 - np.asarray(found.utility, float)[:count] / reference).max())
        more = {"unit": "label", "largest_gap_of_batched": gap, "notes": "float64"}
        rows.append(row(f"{name}, {label}", timings[name], count, **more))
        # Of the runs that the machine disturbed least, and of ordinary ones.
        key, scale = f"ratio_to_{name.lower().replace(' ', '_')}", channels / count
        fast[key] = timings[name].minimum / batch_time.minimum * scale
        fast[f"median_{key}"] = timings[name].median / batch_time.median * scale
    return rows
