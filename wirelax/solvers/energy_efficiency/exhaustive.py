"""Exhaustive search for the energy-efficiency problem: the plain one and one that is exact and fast.

The plain search evaluates every assignment with every power vector of a grid through the kernels. The fast
one returns the same optimum from far less work, by three facts:

1. On one subchannel the rates depend only on that subchannel's powers, so they are tabulated once.
2. Dinkelbach: the best ratio R/P on a finite set is found by a few maximisations of R - lambda P, which is a
   sum over subchannels (Dinkelbach, "On nonlinear fractional programming", 1967).
3. The budgets couple subchannels only through the corners of the budget set, so that maximum is a maximum
   over corners of box maxima.

A grid maximum is no upper bound of the continuous problem: see `wirelax.solvers.exhaustive_polish`.
"""

from __future__ import annotations

import itertools
from typing import Literal, NamedTuple, overload

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from wirelax.errors import InputError
from wirelax.kernels.rate import rate
from wirelax.kernels.sinr import link_sinr
from wirelax.problems import EnergyEfficiencyProblem, assignments, evaluate
from wirelax.solvers.energy_efficiency.grid import (
    PowerGrid,
    budget_mask,
    make_power_grid,
    power_candidates,
    power_levels,
)
from wirelax.types import Solution, Status

__all__ = ["exhaustive_search", "exhaustive_search_reference", "search_with_assignments"]

DENSE_LIMIT = 2**24
"""Most combinations of one channel that the search over whole rate tables is used for."""

MAX_ASSIGNMENTS_EACH = 64
"""Up to here the search keeps the optimum of every assignment, which costs no more than the overall one."""

MAX_TABLE = 2**27
"""Most rates that are tabulated for one channel."""

MAX_ITERATIONS = 64
HULL_BISECTIONS = 40


class _Grid(NamedTuple):
    """What the search needs to know of sizes and levels; all but the levels is concrete NumPy."""

    level: np.ndarray  # [vector, bs] level indices
    caps: np.ndarray  # [subchannel, combination, bs] boxes that cover the budget set
    corners: np.ndarray  # [corner, subchannel]
    levels: Float[Array, " level"]

    @property
    def num_bs(self) -> int:
        return self.level.shape[1]

    @property
    def vectors(self) -> Float[Array, "vector bs"]:
        """Fractions of the budgets, last BS fastest."""
        return self.levels[self.level]


class _Tables(NamedTuple):
    """Rates and powers of one channel over the grid; columns are joint choices of users, or assignments."""

    rate_bps: list[Float[Array, "vector column"]]  # one per subchannel
    radiated_w: Float[Array, " vector"]
    column: Int[Array, "assignment subchannel"]  # the column that an assignment reads on each subchannel


class _Point(NamedTuple):
    assignment: Int[Array, " point"]  # index into the list of assignments
    vector: Int[Array, "subchannel point"]  # index of the power vector on each subchannel


def _make_grid(problem: EnergyEfficiencyProblem, grid: PowerGrid | None) -> _Grid:
    num_bs, num_subchannels = problem.num_bs, problem.num_subchannels
    grid = make_power_grid(num_subchannels) if grid is None else grid
    if grid.num_subchannels != num_subchannels:
        raise ValueError(
            f"the power grid was made for {grid.num_subchannels} subchannels, the problem has {num_subchannels}; "
            "make it with make_power_grid(problem.num_subchannels, ...)"
        )
    corners, count = np.array(grid.corners), grid.levels.shape[0]
    if num_subchannels * (count * problem.users_per_bs) ** num_bs > MAX_TABLE:  # before any of it is made
        raise InputError(
            f"{num_bs} BSs with {count} power levels and {problem.users_per_bs} users each on {num_subchannels} "
            f"subchannels have more than the {MAX_TABLE:,} rates that can be tabulated; use a method that enumerates "
            "none, such as 'gradient' or 'equivariant', or fewer BSs or levels"
        )
    combination = np.array(list(itertools.product(range(len(corners)), repeat=num_bs)))
    return _Grid(
        level=np.array(list(itertools.product(range(count), repeat=num_bs))),
        caps=np.moveaxis(corners[combination], -1, 0),
        corners=corners,
        levels=grid.levels.astype(problem.snr.dtype),
    )


def _tables(problem: EnergyEfficiencyProblem, grid: _Grid, candidates: np.ndarray, *, own_columns: bool) -> _Tables:
    """Sum rate in bit/s of each subchannel, for every joint choice of users and every power vector."""
    num_bs, users = problem.num_bs, problem.users_per_bs
    links = problem.snr.reshape(problem.num_subchannels, num_bs, users, num_bs)
    fraction = grid.vectors
    # The j-th users of all cells form one square system: a user's SINR does not depend on whom others serve.
    over_powers = jax.vmap(link_sinr, in_axes=(None, 0, None), out_axes=1)
    over_users = jax.vmap(over_powers, in_axes=(1, None, None))
    sinr = jax.vmap(over_users, in_axes=(0, None, None))(links, fraction, 1.0)
    table = problem.bandwidth_per_subchannel_hz * rate(sinr)  # [subchannel, user of the cell, bs, vector]
    choice = np.array(list(itertools.product(range(users), repeat=num_bs)))
    rate_bps = [
        jnp.stack([sum((own[j, n] for n, j in enumerate(js)), jnp.zeros((), own.dtype)) for js in choice], -1)
        for own in table
    ]
    local = candidates - (users * np.arange(num_bs))[None, :, None]
    column = np.einsum("ank,n->ak", local, users ** np.arange(num_bs - 1, -1, -1))
    if own_columns:  # a column for every assignment
        rate_bps = [r[:, column[:, k]] for k, r in enumerate(rate_bps)]
        column = np.broadcast_to(np.arange(len(candidates))[:, None], column.shape)
    return _Tables(rate_bps, (fraction * problem.max_power_w).sum(-1), jnp.asarray(column))


def _first_argmax(value: Float[Array, "n *axes"]) -> Int[Array, "*axes"]:
    """Argmax over the first axis through max and min: XLA's CPU argmax does not vectorise, these do."""
    index = jnp.arange(len(value)).reshape(-1, *(1,) * (value.ndim - 1))
    return jnp.where(value == value.max(0), index, len(value) - 1).min(0)


def _box_maxima(value: Float[Array, "vector column"], grid: _Grid, subchannel: int) -> Float[Array, "box column"]:
    """Maximum over each box of the budget cover, one BS axis after the other, columns innermost."""
    num_levels, num_bs = len(grid.levels), grid.num_bs
    value = value.reshape(*(num_levels,) * num_bs, -1)
    for axis in range(num_bs):
        boxes = [jax.lax.slice_in_dim(value, 0, cap + 1, axis=axis).max(axis) for cap in grid.corners[:, subchannel]]
        value = jnp.stack(boxes, axis)
    return value.reshape(-1, value.shape[-1])


def _best_weighted(tables: _Tables, grid: _Grid, price: Float[Array, " point"], *, each: bool) -> _Point:
    """Maximiser of rate - price * radiated power within the budgets: for each assignment, or over them all."""
    value = [rate_bps - price * tables.radiated_w[:, None] for rate_bps in tables.rate_bps]
    boxes = jnp.stack([_box_maxima(v, grid, k)[:, tables.column[:, k]] for k, v in enumerate(value)]).sum(0)
    best_box = _first_argmax(boxes)
    assignment = jnp.arange(len(best_box)) if each else _first_argmax(boxes.max(0))[None]
    box, column = best_box[assignment], tables.column[assignment]
    vectors = []
    for k, v in enumerate(value):
        caps = jnp.asarray(grid.caps[k])[box]
        inside = (jnp.asarray(grid.level)[:, None] <= caps).all(-1)
        vectors.append(_first_argmax(jnp.where(inside, v[:, column[:, k]], -jnp.inf)))
    return _Point(assignment, jnp.stack(vectors))


def _rate_and_power(tables: _Tables, point: _Point) -> tuple[Float[Array, " point"], Float[Array, " point"]]:
    """Sum rate in bit/s and radiated power in W."""
    column = tables.column[point.assignment]
    rate_bps = sum(r[point.vector[k], column[:, k]] for k, r in enumerate(tables.rate_bps))
    return jnp.asarray(rate_bps), tables.radiated_w[point.vector].sum(0)


class _Found(NamedTuple):
    """The best points without the SE target, their ratios in bit/J, and how the search for them went."""

    point: _Point
    ratio: Float[Array, " point"]
    rising: Bool[Array, ""]
    iterations: Int[Array, ""]


def _dinkelbach(problem: EnergyEfficiencyProblem, tables: _Tables, grid: _Grid, *, each: bool) -> _Found:
    """Best ratio on the grid without the SE target; `rising` where the iterations ran out."""
    num_points = len(tables.column) if each else 1

    def step(state: _Found) -> _Found:
        point = _best_weighted(tables, grid, state.ratio / problem.amplifier_efficiency, each=each)
        ratio = problem.ratio(*_rate_and_power(tables, point))
        better = ratio > state.ratio
        # At the end a silent network is as good as the best one where nothing else draws power: keep the latter.
        kept = jax.tree.map(lambda new, old: jnp.where(better, new, old), point, state.point)
        return _Found(kept, jnp.maximum(ratio, state.ratio), better.any(), state.iterations + 1)

    index = jnp.arange(num_points)
    nowhere = _Point(index, jnp.zeros((len(tables.rate_bps), num_points), index.dtype))
    ratio = jnp.zeros(num_points, tables.radiated_w.dtype)
    start = _Found(nowhere, ratio, jnp.asarray(True), jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(lambda state: state.rising & (state.iterations < MAX_ITERATIONS), step, start)


def _dense(problem: EnergyEfficiencyProblem, tables: _Tables, grid: _Grid) -> tuple[_Point, Bool[Array, ""]]:
    """Best ratio among all combinations that meet the SE target, over whole tables; else the largest rate."""
    num_subchannels, num_vectors = len(tables.rate_bps), len(tables.radiated_w)
    rows = np.array(list(itertools.product(range(num_vectors), repeat=num_subchannels - 1)), dtype=np.int32)
    rows = rows.reshape(num_vectors ** (num_subchannels - 1), num_subchannels - 1)
    within = budget_mask(grid.levels, grid.num_bs, num_subchannels)
    *heads, last = (r[:, tables.column[:, k]] for k, r in enumerate(tables.rate_bps))

    def scan_row(state, row):
        score, best_row = state
        index, vector, ok = row
        total = sum((head[vector[k]] for k, head in enumerate(heads)), jnp.zeros((), last.dtype)) + last
        radiated_w = tables.radiated_w[vector].sum() + tables.radiated_w
        here = problem.score(total, radiated_w[:, None])
        better = ok[:, None] & (here > score)
        return (jnp.where(better, here, score), jnp.where(better, index, best_row)), None

    start = (jnp.full(last.shape, -jnp.inf, last.dtype), jnp.zeros(last.shape, jnp.int32))
    scanned = (jnp.arange(len(rows), dtype=jnp.int32), jnp.asarray(rows), within)
    (score, best_row), _ = jax.lax.scan(scan_row, start, scanned)
    flat = _first_argmax(score.T.reshape(-1))
    assignment, vector = flat // num_vectors, flat % num_vectors
    head_vectors = jnp.asarray(rows)[best_row[vector, assignment]]
    point = _Point(assignment[None], jnp.append(head_vectors, vector)[:, None].astype(assignment.dtype))
    return point, jnp.ones((), bool)


def _hull(
    problem: EnergyEfficiencyProblem, tables: _Tables, grid: _Grid, ratio: Float[Array, " point"]
) -> tuple[_Point, Bool[Array, ""]]:
    """Best point that a power price can reach while meeting the SE target: bisection on the price.

    Used where whole tables do not fit: optimal on the convex hull of (power, rate), maybe not on the grid. It is
    proven only where even the largest rate, which is exact, misses the target.
    """

    def halve(state, _):
        low, high, best = state
        price = 0.5 * (low + high)
        point = _best_weighted(tables, grid, price, each=False)
        met = problem.meets_target(_rate_and_power(tables, point)[0])
        best = jax.tree.map(lambda new, old: jnp.where(met, new, old), point, best)
        return (jnp.where(met, price, low), jnp.where(met, high, price), best), None

    low = jnp.zeros_like(ratio)
    fastest = _best_weighted(tables, grid, low, each=False)
    start = (low, ratio / problem.amplifier_efficiency, fastest)
    (_, _, best), _ = jax.lax.scan(halve, start, None, length=HULL_BISECTIONS)
    return best, ~problem.meets_target(_rate_and_power(tables, fastest)[0][0])


def _solution(
    problem: EnergyEfficiencyProblem, assignment: Array, fraction: Array, *, iterations: Array, rising: Array | bool,
    proven: Array | bool,
) -> Solution:  # fmt: skip
    """Judged with the problem as given, so that its utility has derivatives; the decision is a constant for them."""
    power_w = jax.lax.stop_gradient(fraction) * problem.max_power_w[:, None]
    found = problem.meets_target(problem.sum_rate_bps(assignment, power_w))
    ended = jnp.where(rising, Status.ITERATION_LIMIT, Status.CONVERGED)
    return evaluate(
        problem,
        {"assignment": assignment, "power_w": power_w},
        status=jnp.where(found, ended, Status.INFEASIBLE),
        iterations=iterations,
        proven=proven & ~jnp.asarray(rising),
    )


@overload
def search_with_assignments(
    problem: EnergyEfficiencyProblem, grid: PowerGrid | None = None, *, each: Literal[True]
) -> tuple[Solution, Solution]: ...
@overload
def search_with_assignments(
    problem: EnergyEfficiencyProblem, grid: PowerGrid | None = None, *, each: None = None
) -> tuple[Solution, Solution | None]: ...
def search_with_assignments(
    problem: EnergyEfficiencyProblem, grid: PowerGrid | None = None, *, each: bool | None = None
) -> tuple[Solution, Solution | None]:
    """`exhaustive_search`, and beside it the best grid powers of every assignment.

    The latter are the labels of policies that condition powers on the assignment and the starting points of
    `wirelax.solvers.exhaustive_polish`; in them the SE target is only reported.

    Args:
        problem: one channel and the constants.
        grid: power levels; those of `make_power_grid` by default.
        each: keep the optimum of every assignment; by default where there are at most `MAX_ASSIGNMENTS_EACH`, up to
            where that costs no more than the overall one.

    Returns:
        The optimum, and a `Solution` with a leading axis over assignments, in the order of
        `wirelax.problems.assignments`; None where these are not kept.
    """
    given, problem = problem, jax.lax.stop_gradient(problem)
    candidates = assignments(problem.num_bs, problem.users_per_bs, problem.num_subchannels)
    of_grid = _make_grid(problem, grid)
    each = len(candidates) <= MAX_ASSIGNMENTS_EACH if each is None else each
    tables = _tables(problem, of_grid, candidates, own_columns=each)
    found = _dinkelbach(problem, tables, of_grid, each=each)

    def at(points: _Point, proven: Array) -> Solution:
        fraction = jnp.moveaxis(of_grid.vectors[points.vector], 0, -1)  # [point, bs, subchannel]
        chosen = jnp.asarray(candidates)[points.assignment]
        how = {"iterations": found.iterations, "rising": found.rising, "proven": proven}
        return jax.vmap(lambda a, f: _solution(given, a, f, **how))(chosen, fraction)

    best = jax.tree.map(lambda leaf: leaf[..., jnp.argmax(found.ratio)[None]], found.point)
    dense = len(candidates) * len(tables.radiated_w) ** problem.num_subchannels <= DENSE_LIMIT
    best, proven = jax.lax.cond(
        problem.meets_target(_rate_and_power(tables, best)[0][0]),
        lambda: (best, jnp.ones((), bool)),
        lambda: _dense(problem, tables, of_grid) if dense else _hull(problem, tables, of_grid, found.ratio.max()[None]),
    )
    optimum = jax.tree.map(lambda leaf: leaf[0], at(best, proven))
    return optimum, at(found.point, jnp.ones((), bool)) if each else None


def exhaustive_search(problem: EnergyEfficiencyProblem, grid: PowerGrid | None = None) -> Solution:
    """Best assignment and grid powers of one channel: the optimum of `exhaustive_search_reference`, fast.

    The SE target is met exactly where whole rate tables fit (up to `DENSE_LIMIT` combinations, 3 BSs with 2
    subchannels among them); on larger networks a binding target is met by a price on power, which can miss
    grid points inside the convex hull of power and rate: `Solution.proven` is false there. Where no grid point meets
    it, the point of largest sum rate is returned with status INFEASIBLE. Map it over a batch with ``jax.lax.map``:
    under ``vmap`` the rare branch for a binding target runs for every channel.

    Args:
        problem: one channel and the constants.
        grid: power levels; those of `make_power_grid` by default.

    Returns:
        `Solution` with ``assignment`` [bs, subchannel] (global user index) and ``power_w`` [bs, subchannel];
        the utility is the energy efficiency in bit/J, ``proven`` says whether it is the best of the grid. The
        utility has derivatives with respect to the problem, the decision held (it changes in steps).

    Raises:
        InputError: too many assignments to enumerate, or too many rates to tabulate.
        ValueError: the grid is of another number of subchannels.
    """
    return search_with_assignments(problem, grid)[0]


def exhaustive_search_reference(
    problem: EnergyEfficiencyProblem, levels: Float[np.ndarray, " level"] | None = None
) -> Solution:
    """The plain search: every assignment times every power vector through the rate kernel.

    The same result as `exhaustive_search`; 8 x 19,683 evaluations a channel at the defaults. It is the definition
    that the fast search is tested against.

    Args:
        problem: one channel and the constants.
        levels: concrete fractions of the budget; `power_levels(6)` by default.
    """
    levels = power_levels(6) if levels is None else levels
    candidates = jnp.asarray(assignments(problem.num_bs, problem.users_per_bs, problem.num_subchannels))
    fractions = power_candidates(levels, problem.num_bs, problem.num_subchannels)
    powers_w = jnp.asarray(fractions, problem.snr.dtype) * problem.max_power_w[:, None]

    def score(assignment: Array, power_w: Array) -> Array:
        return problem.score(problem.sum_rate_bps(assignment, power_w), power_w.sum())

    scores = jax.vmap(jax.vmap(score, in_axes=(None, 0)), in_axes=(0, None))(candidates, powers_w)
    flat = jnp.argmax(scores)
    assignment, power_w = candidates[flat // len(powers_w)], powers_w[flat % len(powers_w)]
    fraction = power_w / problem.max_power_w[:, None]
    return _solution(problem, assignment, fraction, iterations=jnp.asarray(scores.size), rising=False, proven=True)
