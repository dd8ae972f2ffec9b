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
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from wirelax.kernels.rate import rate
from wirelax.kernels.sinr import link_sinr
from wirelax.solvers.ee_problem import EnergyEfficiencyProblem, assignments
from wirelax.solvers.power_levels import (
    budget_corners,
    budget_mask,
    power_candidates,
    power_levels,
    power_vectors,
)
from wirelax.types import Solution, Status

__all__ = ["exhaustive_search", "exhaustive_search_reference", "search_with_assignments"]

DENSE_LIMIT = 2**24
"""Most combinations of one channel that the search over whole rate tables is used for."""

MAX_ASSIGNMENTS_EACH = 64
"""Up to here the search keeps the optimum of every assignment, which costs no more than the overall one."""

MAX_ITERATIONS = 64
HULL_BISECTIONS = 40


class _Grid(NamedTuple):
    """What the search needs to know of sizes and levels; concrete NumPy, made once per trace."""

    vectors: np.ndarray  # [vector, bs] fractions of the budgets
    level: np.ndarray  # [vector, bs] their level indices
    caps: np.ndarray  # [subchannel, combination, bs] boxes that cover the budget set
    corners: np.ndarray  # [corner, subchannel]
    levels: np.ndarray

    @property
    def num_bs(self) -> int:
        return self.vectors.shape[1]


class _Tables(NamedTuple):
    """Rates and powers of one channel over the grid; columns are joint choices of users, or assignments."""

    rate_bps: list[Float[Array, "vector column"]]  # one per subchannel
    consumed_w: Float[Array, " vector"]  # radiated power of a power vector over the amplifier efficiency
    circuit_w: Float[Array, ""]
    column: Int[Array, "assignment subchannel"]  # the column that an assignment reads on each subchannel


class _Point(NamedTuple):
    assignment: Int[Array, " point"]  # index into the list of assignments
    vector: Int[Array, "subchannel point"]  # index of the power vector on each subchannel


def _make_grid(problem: EnergyEfficiencyProblem, levels: np.ndarray) -> _Grid:
    num_bs, num_subchannels = problem.num_bs, problem.num_subchannels
    corners = budget_corners(levels, num_subchannels)
    combination = np.array(list(itertools.product(range(len(corners)), repeat=num_bs)))
    return _Grid(
        vectors=power_vectors(levels, num_bs),
        level=np.array(list(itertools.product(range(len(levels)), repeat=num_bs))),
        caps=np.moveaxis(corners[combination], -1, 0),
        corners=corners,
        levels=levels,
    )


def _tables(problem: EnergyEfficiencyProblem, grid: _Grid, candidates: np.ndarray) -> _Tables:
    """Sum rate in bit/s of each subchannel, for every joint choice of users and every power vector."""
    num_bs, users = problem.num_bs, problem.users_per_bs
    links = problem.gain.reshape(problem.num_subchannels, num_bs, users, num_bs)
    power = jnp.asarray(grid.vectors, links.dtype) * problem.max_power_w
    # The j-th users of all cells form one square system: a user's SINR does not depend on whom others serve.
    over_powers = jax.vmap(link_sinr, in_axes=(None, 0, None), out_axes=1)
    over_users = jax.vmap(over_powers, in_axes=(1, None, None))
    sinr = jax.vmap(over_users, in_axes=(0, None, None))(links, power, problem.noise_w)
    table = problem.bandwidth_per_subchannel_hz * rate(sinr)  # [subchannel, user of the cell, bs, vector]
    choice = np.array(list(itertools.product(range(users), repeat=num_bs)))
    rate_bps = [
        jnp.stack([sum((own[j, n] for n, j in enumerate(js)), jnp.zeros((), own.dtype)) for js in choice], -1)
        for own in table
    ]
    local = candidates - (users * np.arange(num_bs))[None, :, None]
    column = np.einsum("ank,n->ak", local, users ** np.arange(num_bs - 1, -1, -1))
    if len(candidates) <= MAX_ASSIGNMENTS_EACH:  # then every assignment has columns of its own
        rate_bps = [r[:, column[:, k]] for k, r in enumerate(rate_bps)]
        column = np.broadcast_to(np.arange(len(candidates))[:, None], column.shape)
    return _Tables(rate_bps, power.sum(-1) / problem.amplifier_efficiency, problem.circuit_power_w, jnp.asarray(column))


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
    """Maximiser of rate - price * power within the budgets, exact: for each assignment, or over them all."""
    value = [rate_bps - price * tables.consumed_w[:, None] for rate_bps in tables.rate_bps]
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
    column = tables.column[point.assignment]
    rate_bps = sum(r[point.vector[k], column[:, k]] for k, r in enumerate(tables.rate_bps))
    return jnp.asarray(rate_bps), tables.consumed_w[point.vector].sum(0) + tables.circuit_w


def _dinkelbach(tables: _Tables, grid: _Grid, *, each: bool) -> tuple[_Point, Float[Array, " point"], Int[Array, ""]]:
    """Best ratio on the grid without the SE target: the points, their ratios and the iterations taken."""
    num_points = len(tables.column) if each else 1

    def step(state):
        _, ratio, _, iteration = state
        point = _best_weighted(tables, grid, ratio, each=each)
        rate_bps, power_w = _rate_and_power(tables, point)
        new = rate_bps / power_w
        return point, jnp.maximum(new, ratio), (new > ratio).any(), iteration + 1

    ratio = jnp.zeros(num_points, tables.consumed_w.dtype)
    index = jnp.arange(num_points)
    nowhere = _Point(index, jnp.zeros((len(tables.rate_bps), num_points), index.dtype))
    going = lambda state: state[2] & (state[3] < MAX_ITERATIONS)  # noqa: E731
    start = (nowhere, ratio, jnp.asarray(True), jnp.zeros((), jnp.int32))
    point, ratio, _, iteration = jax.lax.while_loop(going, step, start)
    return point, ratio, iteration


def _dense(tables: _Tables, grid: _Grid, min_rate_bps: Array) -> _Point:
    """Best ratio among the combinations that meet the SE target, over whole tables; else the largest rate."""
    num_subchannels, num_vectors = len(tables.rate_bps), len(tables.consumed_w)
    rows = np.array(list(itertools.product(range(num_vectors), repeat=num_subchannels - 1)), dtype=np.int32)
    rows = rows.reshape(num_vectors ** (num_subchannels - 1), num_subchannels - 1)
    within = budget_mask(grid.levels, grid.num_bs, num_subchannels).reshape(len(rows), num_vectors)
    *heads, last = (r[:, tables.column[:, k]] for k, r in enumerate(tables.rate_bps))

    def scan_row(state, row):
        score, best_row = state
        index, vector, ok = row
        total = sum((head[vector[k]] for k, head in enumerate(heads)), jnp.zeros((), last.dtype)) + last
        power_w = tables.consumed_w[vector].sum() + tables.consumed_w + tables.circuit_w
        # A combination that misses the target scores minus its shortfall: below every one that meets it.
        here = jnp.where(total >= min_rate_bps, total / power_w[:, None], total - min_rate_bps)
        better = ok[:, None] & (here > score)
        return (jnp.where(better, here, score), jnp.where(better, index, best_row)), None

    start = (jnp.full(last.shape, -jnp.inf, last.dtype), jnp.zeros(last.shape, jnp.int32))
    scanned = (jnp.arange(len(rows), dtype=jnp.int32), jnp.asarray(rows), jnp.asarray(within))
    (score, best_row), _ = jax.lax.scan(scan_row, start, scanned)
    flat = _first_argmax(score.T.reshape(-1))
    assignment, vector = flat // num_vectors, flat % num_vectors
    head_vectors = jnp.asarray(rows)[best_row[vector, assignment]]
    return _Point(assignment[None], jnp.append(head_vectors, vector)[:, None].astype(assignment.dtype))


def _hull(tables: _Tables, grid: _Grid, min_rate_bps: Array, ratio: Float[Array, " point"]) -> _Point:
    """Best point that a power price can reach while meeting the SE target: bisection on the price.

    Used where whole tables do not fit: optimal on the convex hull of (power, rate), maybe not on the grid.
    """

    def halve(state, _):
        low, high, best = state
        price = 0.5 * (low + high)
        point = _best_weighted(tables, grid, price, each=False)
        met = _rate_and_power(tables, point)[0] >= min_rate_bps
        best = jax.tree.map(lambda new, old: jnp.where(met, new, old), point, best)
        return (jnp.where(met, price, low), jnp.where(met, high, price), best), None

    low = jnp.zeros_like(ratio)
    start = (low, ratio, _best_weighted(tables, grid, low, each=False))
    (_, _, best), _ = jax.lax.scan(halve, start, None, length=HULL_BISECTIONS)
    return best


def _solution(problem: EnergyEfficiencyProblem, assignment: Array, power_w: Array, iterations: Array) -> Solution:
    met = problem.meets_target(assignment, power_w)
    return Solution(
        allocation={"assignment": assignment, "power_w": power_w},
        utility=problem.energy_efficiency(assignment, power_w),
        iterations=iterations,
        status=jnp.where(met, Status.CONVERGED, Status.INFEASIBLE).astype(jnp.int32),
    )


def search_with_assignments(
    problem: EnergyEfficiencyProblem,
    *,
    levels: int = 6,
    range_db: float = 40.0,
    spacing: Literal["db", "linear"] = "db",
) -> tuple[Solution, Solution | None]:
    """`exhaustive_search`, and beside it the best grid powers of every assignment.

    The latter are the labels of policies that condition powers on the assignment and the starting points of
    `wirelax.solvers.exhaustive_polish`; in them the SE target is only reported, in `status`.

    Returns:
        The optimum, and a `Solution` with a leading axis over assignments, in the order of
        `wirelax.solvers.assignments`; None where there are more than `MAX_ASSIGNMENTS_EACH`.
    """
    grid = _make_grid(problem, power_levels(levels, range_db, spacing))
    candidates = assignments(problem.num_bs, problem.users_per_bs, problem.num_subchannels)
    tables = _tables(problem, grid, candidates)
    each = len(candidates) <= MAX_ASSIGNMENTS_EACH
    points, ratio, iterations = _dinkelbach(tables, grid, each=each)

    def at(points: _Point) -> Solution:
        fraction = jnp.asarray(grid.vectors, problem.gain.dtype)[points.vector]  # [subchannel, point, bs]
        power_w = jnp.moveaxis(fraction * problem.max_power_w, 0, -1)
        evaluate = jax.vmap(_solution, in_axes=(None, 0, 0, None))
        return evaluate(problem, jnp.asarray(candidates)[points.assignment], power_w, iterations)

    best = jax.tree.map(lambda leaf: leaf[..., jnp.argmax(ratio)[None]], points)
    min_rate_bps = problem.min_sum_rate_bps
    dense = len(candidates) * len(grid.vectors) ** problem.num_subchannels <= DENSE_LIMIT
    best = jax.lax.cond(
        _rate_and_power(tables, best)[0][0] >= min_rate_bps,
        lambda: best,
        lambda: _dense(tables, grid, min_rate_bps) if dense else _hull(tables, grid, min_rate_bps, ratio.max()[None]),
    )
    return jax.tree.map(lambda leaf: leaf[0], at(best)), at(points) if each else None


def exhaustive_search(
    problem: EnergyEfficiencyProblem,
    *,
    levels: int = 6,
    range_db: float = 40.0,
    spacing: Literal["db", "linear"] = "db",
) -> Solution:
    """Best assignment and grid powers of one channel: the optimum of `exhaustive_search_reference`, fast.

    The SE target is met exactly where whole rate tables fit (up to `DENSE_LIMIT` combinations, 3 BSs with 2
    subchannels among them); on larger networks a binding target is met by a price on power, which can miss
    grid points inside the convex hull of power and rate. Where no grid point meets it, the point of largest
    sum rate is returned with status INFEASIBLE. Map it over a batch with ``jax.lax.map``: under ``vmap`` the
    rare branch for a binding target runs for every channel.

    Args:
        problem: one channel and the constants.
        levels: power levels per BS and subchannel, zero included (static).
        range_db: span of the positive levels below the budget in dB (static).
        spacing: "db" or "linear" (static).

    Returns:
        `Solution` with ``assignment`` [bs, subchannel] (global user index) and ``power_w`` [bs, subchannel];
        the utility is the energy efficiency in bit/J.

    Raises:
        ValueError: too many assignments to enumerate, or bad levels.
    """
    return search_with_assignments(problem, levels=levels, range_db=range_db, spacing=spacing)[0]


def exhaustive_search_reference(
    problem: EnergyEfficiencyProblem,
    *,
    levels: int = 6,
    range_db: float = 40.0,
    spacing: Literal["db", "linear"] = "db",
) -> Solution:
    """The plain search: every assignment times every power vector through the rate kernel.

    Same arguments and result as `exhaustive_search`; 8 x 19,683 evaluations a channel at the defaults. It is
    the definition that the fast search is tested against.
    """
    candidates = jnp.asarray(assignments(problem.num_bs, problem.users_per_bs, problem.num_subchannels))
    fractions = power_candidates(power_levels(levels, range_db, spacing), problem.num_bs, problem.num_subchannels)
    powers_w = jnp.asarray(fractions, problem.gain.dtype) * problem.max_power_w[:, None]

    def score(assignment: Array, power_w: Array) -> Array:
        rate_bps = problem.sum_rate_bps(assignment, power_w)
        ratio = rate_bps / problem.total_power_w(power_w.sum())
        met: Bool[Array, ""] = rate_bps >= problem.min_sum_rate_bps
        return jnp.where(met, ratio, rate_bps - problem.min_sum_rate_bps)

    scores = jax.vmap(jax.vmap(score, in_axes=(None, 0)), in_axes=(0, None))(candidates, powers_w)
    flat = jnp.argmax(scores)
    assignment, power_w = candidates[flat // len(powers_w)], powers_w[flat % len(powers_w)]
    met = problem.meets_target(assignment, power_w)
    return Solution(
        allocation={"assignment": assignment, "power_w": power_w},
        utility=problem.energy_efficiency(assignment, power_w),
        iterations=jnp.asarray(scores.size, jnp.int32),
        status=jnp.where(met, Status.CONVERGED, Status.INFEASIBLE).astype(jnp.int32),
    )
