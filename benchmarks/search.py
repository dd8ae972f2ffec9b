"""Exhaustive search and continuous solvers on synthetic HetNet channels, timed against NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from wirelax.problems import EnergyEfficiencyProblem
from wirelax.solvers.energy_efficiency import (
    dinkelbach,
    exhaustive_polish,
    exhaustive_search,
    exhaustive_search_reference,
    make_power_grid,
    power_levels,
)
from wirelax.systems import get
from wirelax.systems.run import make_problems, sample_channels
from wirelax.types import Solution

from .numpy_search import Candidates, Network, all_candidates, loop_search, network_of, same_decision, vectorised_search
from .timing import Row, Timing, add_ratios, compile_call, measure, row
from .work import search_work

__all__ = ["LABELS", "Mapped", "PlainSearch", "head", "sample", "search_rows", "solver_rows"]

LABELS = 20_000
"""Size of the largest training set of Xu et al. (2019)."""

NOTES = "float32, one channel after the other on each core"
LOOP, VECTORISED = "exhaustive search, NumPy loop", "exhaustive search, NumPy vectorised"
PLAIN, FAST = "exhaustive search, plain (vmap)", "exhaustive search, tabulated"


def sample(count: int, seed: int = 0, **config: Any) -> tuple[EnergyEfficiencyProblem, Callable[[int], Network]]:
    """A batch of synthetic problems of the system ``hetnet-ee``, and a function that gives one of them to NumPy."""
    system = get("hetnet-ee", **config)
    channels = sample_channels(system, count, seed)
    return make_problems(system, channels), lambda index: network_of(system.config, channels["gain"][index])


@dataclass(frozen=True)
class Mapped:
    """A solver of ``(problem, *shared)``, problem by problem over a batch; equal solvers are compiled once."""

    solver: Callable[..., Solution]

    def __call__(self, problems: EnergyEfficiencyProblem, *shared: Any) -> Solution:
        """Solutions of the batch."""
        return jax.lax.map(lambda problem: self.solver(problem, *shared), problems)


@dataclass(frozen=True)
class PlainSearch:
    """The plain search, whose levels are no argument that is traced."""

    levels: int

    def __call__(self, problem: EnergyEfficiencyProblem) -> Solution:
        """The optimum of one channel."""
        return exhaustive_search_reference(problem, power_levels(self.levels))


def head(tree: Any, count: int) -> Any:
    """The first `count` instances of a batch."""
    return jax.tree.map(lambda leaf: leaf[:count], tree)


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
        rates: measured operations per second, from `benchmarks.bound.machine_rates`.
    """
    problems, network = sample(channels)
    in_numpy = [network(index) for index in range(numpy_channels)]
    candidates = all_candidates(in_numpy[0], levels)
    subset = candidates.thinned(loop_candidates)
    plain, plain_compile = compile_call(Mapped(PlainSearch(levels)), head(problems, plain_channels))
    fast, fast_compile = compile_call(Mapped(exhaustive_search), problems, _grid(levels))
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


def _grid(levels: int) -> Any:
    return make_power_grid(get("hetnet-ee").config.num_subchannels, levels)


def _loop_row(timing: Timing, network: Network, subset: Candidates, candidates: Candidates) -> Row:
    expected = vectorised_search(network, subset)
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
    labels = {"numpy_loop": LOOP, "numpy_vectorised": VECTORISED, "plain": PLAIN}
    add_ratios(by_name[FAST], [(label, by_name[name]) for label, name in labels.items()])


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
    problems, _ = sample(channels)
    solvers = {
        "exhaustive search and polish": (exhaustive_polish, (_grid(levels),)),
        "dinkelbach, multi-start": (dinkelbach, ()),
    }
    rows = []
    for name, (solver, shared) in solvers.items():
        call, compile_seconds = compile_call(Mapped(solver), problems, *shared)
        timing = measure({name: call}, repeats)[name]
        utility = float(np.mean(timing.result.utility))
        more = {"compile_seconds": compile_seconds, "mean_energy_efficiency": utility}
        rows.append(row(name, timing, channels, notes=NOTES, **more))
    return rows
