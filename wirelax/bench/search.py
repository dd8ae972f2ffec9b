"""Exhaustive search and continuous solvers on synthetic HetNet channels, timed against NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from wirelax.bench.numpy_search import (
    Candidates,
    all_candidates,
    loop_search,
    same_decision,
    vectorised_search,
)
from wirelax.bench.timing import Row, Timing, compile_over_cores, measure, row
from wirelax.bench.work import search_work
from wirelax.solvers.ee_problem import EnergyEfficiencyProblem
from wirelax.solvers.energy_efficiency import dinkelbach, exhaustive_polish
from wirelax.solvers.exhaustive import exhaustive_search, exhaustive_search_reference
from wirelax.systems import get
from wirelax.types import Solution

__all__ = ["LABELS", "head", "map_over", "one_in_numpy", "sample_problems", "search_rows", "solver_rows"]

LABELS = 20_000
"""Size of paper 1's largest training set."""

NOTES = "float32, one channel after the other on each core"
LOOP, VECTORISED = "exhaustive search, NumPy loop", "exhaustive search, NumPy vectorised"
PLAIN, FAST = "exhaustive search, plain (vmap)", "exhaustive search, tabulated"


def sample_problems(count: int, seed: int = 0) -> EnergyEfficiencyProblem:
    """A batch of synthetic problems of the system ``hetnet-ee``, on the device."""
    system = get("hetnet-ee")
    build = jax.jit(jax.vmap(lambda key: system.problem(system.sample(key))))
    return jax.block_until_ready(build(jax.random.split(jax.random.key(seed), count)))


def map_over(solver: Callable[..., Solution], **options: Any) -> Callable[[EnergyEfficiencyProblem], Solution]:
    """The solver, channel by channel over a batch."""
    solve = partial(solver, **options)
    return lambda problems: jax.lax.map(solve, problems)


def head(tree: Any, count: int) -> Any:
    """The first `count` instances of a batch."""
    return jax.tree.map(lambda leaf: leaf[:count], tree)


def one_in_numpy(problems: EnergyEfficiencyProblem, index: int) -> EnergyEfficiencyProblem:
    """One problem of the batch with float64 NumPy leaves."""
    return jax.tree.map(lambda leaf: np.asarray(leaf[index], np.float64), problems)


def _decisions(solution: Solution, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    allocation = {name: np.asarray(value) for name, value in solution.allocation.items()}
    return [(allocation["assignment"][i], allocation["power_w"][i]) for i in range(count)]


def _share_equal(first: Sequence[Any], second: Sequence[Any]) -> float:
    return float(np.mean([same_decision(a, b) for a, b in zip(first, second)]))


def search_rows(
    *,
    levels: int,
    channels: int,
    plain_channels: int,
    numpy_channels: int,
    loop_candidates: int,
    repeats: int,
    rates: dict[str, float],
) -> list[Row]:
    """Rows of the four versions of the exhaustive search on the same channels.

    Args:
        levels: power levels per BS and subchannel.
        channels: channels of the fast search; the others take the first of them.
        plain_channels: channels of the plain search.
        numpy_channels: channels of the vectorised NumPy version.
        loop_candidates: candidates of one channel that the NumPy loop is timed on.
        repeats: timed runs of each.
        rates: measured operations per second, from `wirelax.bench.bound.machine_rates`.
    """
    problems = sample_problems(channels)
    in_numpy = [one_in_numpy(problems, i) for i in range(numpy_channels)]
    candidates = all_candidates(in_numpy[0], levels)
    subset = candidates.thinned(loop_candidates)
    plain, plain_compile = compile_over_cores(
        map_over(exhaustive_search_reference, levels=levels), head(problems, plain_channels)
    )
    fast, fast_compile = compile_over_cores(map_over(exhaustive_search, levels=levels), problems)
    timings = measure(
        {
            LOOP: lambda: loop_search(in_numpy[0], subset),
            VECTORISED: lambda: [vectorised_search(p, candidates) for p in in_numpy],
            PLAIN: plain,
            FAST: fast,
        },
        repeats,
    )
    rows = [
        _loop_row(timings[LOOP], in_numpy[0], subset, candidates),
        row(VECTORISED, timings[VECTORISED], numpy_channels, notes="float64, all candidates at once"),
        row(PLAIN, timings[PLAIN], plain_channels, compile_seconds=plain_compile, notes=NOTES),
        row(FAST, timings[FAST], channels, compile_seconds=fast_compile, notes=NOTES),
    ]
    _compare(rows, timings, plain_channels, numpy_channels)
    iterations = float(np.mean(timings[FAST].result.iterations))
    _bound(rows, levels, iterations, rates)
    for each in rows:
        each["candidates_per_channel"] = candidates.count
        each[f"seconds_{LABELS}_labels"] = each["seconds_per_channel"] * LABELS
    return rows


def _loop_row(timing: Timing, problem: Any, subset: Candidates, candidates: Candidates) -> Row:
    expected = vectorised_search(problem, subset)
    return row(
        LOOP,
        timing,
        1,
        scale=candidates.count / subset.count,
        extrapolated_from=subset.count,
        same_argmax_as_numpy=float(same_decision(timing.result[1:], expected[1:])),
        notes=f"float64; timed on {subset.count} of {candidates.count} candidates of one channel and "
        "scaled up; argmax compared with NumPy vectorised on those",
    )


def _compare(rows: list[Row], timings: dict[str, Timing], plain_channels: int, numpy_channels: int) -> None:
    """Add the ratios of times, and the share of channels on which two versions pick the same candidate."""
    plain = _decisions(timings[PLAIN].result, plain_channels)
    fast = _decisions(timings[FAST].result, plain_channels)
    numpy = [found[1:] for found in timings[VECTORISED].result]
    by_name = {each["name"]: each for each in rows}
    by_name[VECTORISED].update(same_argmax_as_plain=_share_equal(numpy, plain), compared_channels=numpy_channels)
    utility = [np.asarray(timings[name].result.utility)[:plain_channels] for name in (PLAIN, FAST)]
    by_name[FAST].update(
        same_argmax_as_plain=_share_equal(fast, plain),
        same_argmax_as_numpy=_share_equal(fast, numpy),
        largest_utility_difference=float(np.max(np.abs(utility[1] / utility[0] - 1))),
        compared_channels=plain_channels,
    )
    best = {name: each["seconds_min"] / each["count"] for name, each in by_name.items()}
    for name, label in ((LOOP, "numpy_loop"), (VECTORISED, "numpy_vectorised"), (PLAIN, "plain")):
        by_name[FAST][f"ratio_to_{label}"] = best[name] / best[FAST]  # of the runs that the machine disturbed least


def _bound(rows: list[Row], levels: int, iterations: float, rates: dict[str, float]) -> None:
    config = get("hetnet-ee").config
    work = search_work(config.num_bs, config.users_per_bs, config.num_subchannels, levels, iterations)
    for each in rows:
        kind = {PLAIN: "plain", FAST: "fast"}.get(each["name"])
        if kind is not None:
            bound = work[kind].bound_seconds(rates, cached=True)
            each["work_per_channel"] = {name: float(count) for name, count in work[kind]._asdict().items()}
            each["bound_seconds_per_channel"] = bound
            each["fraction_of_bound"] = bound / each["seconds_per_channel"]
    rows[-1]["mean_iterations"] = iterations


def solver_rows(*, levels: int, channels: int, repeats: int) -> list[Row]:
    """Rows of the grid search with polish and of the multi-start Dinkelbach solver, channel by channel."""
    problems = sample_problems(channels)
    rows = []
    for name, solver, options in (
        ("exhaustive search and polish", exhaustive_polish, {"levels": levels}),
        ("dinkelbach, multi-start", dinkelbach, {}),
    ):
        call, compile_seconds = compile_over_cores(map_over(solver, **options), problems)
        timing = measure({name: call}, repeats)[name]
        utility = float(np.mean(timing.result.utility))
        more = {"compile_seconds": compile_seconds, "mean_energy_efficiency": utility}
        rows.append(row(name, timing, channels, notes=NOTES, **more))
    return rows
