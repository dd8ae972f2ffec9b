"""Joint user selection and power allocation in NOMA: dynamic programming over users and over subchannels.

With perfect SIC and interference through the receiver's gain, the weighted sum rate of a subchannel separates in the
cumulative powers x_j = p_1 + ... + p_j of its users, strongest first (L. Salauen, M. Coupechoux, C. S. Chen, "Joint
subcarrier and power allocation in NOMA: optimal and approximate algorithms", IEEE Trans. Signal Process., 2020):

    sum_j w_j log2((x_j + eta_j) / (x_{j-1} + eta_j)),    eta_j = noise / G_j.

So the best users and powers for every budget b of a subchannel follow user by user from cumulative maxima over x.
Where two users meet inside, x is a stationary point (x + eta_j) / w_j = (x + eta_k) / w_k of that pair: those points
are put on the grid, which makes the values at the budgets exact. Only the budgets are discrete, b = 0, 1, ..., levels
of P_c / levels; a multiple-choice knapsack (max-plus convolution) splits P_c over the subchannels.

Powers are shares of P_c here and gains are SNRs at P_c.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from wirelax.kernels import rate, sic_order
from wirelax.problems.noma import NomaProblem, greedy_schedule, trim_schedule
from wirelax.solvers.noma.decision import at_fixed_shares, decided, even_shares
from wirelax.solvers.noma.power import SlotPower, slot_power
from wirelax.types import Solution

__all__ = ["joint_schedule", "noma_joint"]

PRICE_ROUNDS = 8
"""Subgradient steps on the prices of users who exceed their quota of subchannels."""
PRICE_COARSENING = 4
"""How many times coarser than the last one the grid of those steps is."""


class _Users(NamedTuple):
    """One user of every subchannel, in SIC order; stacked [user, ...] for the scans.

    `utility` is what it gains by a cumulative power without interference, w log2(1 + SNR x), at every grid point;
    `cost` is its price, inf where it may not be taken.
    """

    utility: Float[Array, "*user subchannel point"]
    cost: Float[Array, "*user subchannel"]


class _Tables(NamedTuple):
    """Grid of cumulative powers, and the values before every user.

    Attributes:
        point: shares of P_c in rising order.
        budget: index of every budget among the points.
        users: in SIC order.
        before: best value of h of the users so far, with exactly that cumulative power.
        value: of every budget, with all users and any h.
        count: the h of that value.
    """

    point: Float[Array, "subchannel point"]
    budget: Int[Array, "subchannel level"]
    users: _Users
    before: Float[Array, "user subchannel count point"]
    value: Float[Array, "subchannel level"]
    count: Int[Array, "subchannel level"]


def _grid(
    snr: Float[Array, "subchannel user"], weight: Float[Array, " user"], levels: int
) -> tuple[Float[Array, "subchannel point"], Int[Array, "subchannel level"]]:
    """Budgets and the stationary points of all pairs of users, sorted; where the budgets went."""
    one, two = np.triu_indices(snr.shape[1], 1)
    eta = 1.0 / jnp.maximum(snr, 1e-30)
    slope = weight[one] - weight[two]
    crossing = (weight[two] * eta[:, one] - weight[one] * eta[:, two]) / jnp.where(slope == 0, 1.0, slope)
    crossing = jnp.where((slope != 0) & (crossing > 0) & (crossing < 1), crossing, 0.0)
    budget = jnp.broadcast_to(jnp.arange(levels + 1, dtype=snr.dtype) / levels, (snr.shape[0], levels + 1))
    point = jnp.concatenate([budget, crossing], 1)
    order = jnp.argsort(point, axis=1, stable=True)
    return jnp.take_along_axis(point, order, 1), jnp.argsort(order, axis=1)[:, : levels + 1]


def _tables(snr: Array, weight: Array, cost: Array, slots: int, levels: int) -> _Tables:
    """Forward recursion over the users of all subchannels."""
    point, budget = _grid(snr, weight, levels)
    order = sic_order(snr, jnp.ones(snr.shape, bool))
    utility = (weight[:, None] * rate(snr[..., None] * point[:, None, :])).astype(snr.dtype)
    users = _Users(jnp.take_along_axis(utility, order[..., None], 1), jnp.take_along_axis(cost, order, 1))
    users = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 1, 0), users)

    def take(before: Array, user: _Users) -> tuple[Array, Array]:
        utility = user.utility[:, None]
        taken = jax.lax.cummax(before[:, :-1] - utility, axis=2) + utility - user.cost[:, None, None]
        return before.at[:, 1:].max(taken), before

    nobody = jnp.where(point == 0, 0.0, -jnp.inf)[:, None]
    none = jnp.full((point.shape[0], slots, point.shape[1]), -jnp.inf, point.dtype)
    after, before = jax.lax.scan(take, jnp.concatenate([nobody, none], 1), users)
    at_budget = jnp.take_along_axis(after, budget[:, None, :], 2)
    return _Tables(point, budget, users, before, at_budget.max(1), at_budget.argmax(1))


def _selected(tables: _Tables, level: Int[Array, " subchannel"]) -> Float[Array, "user subchannel"]:
    """Shares of the users, in SIC order, that attain the value of a budget: backward recursion."""
    row = jnp.arange(level.shape[0])
    index = jnp.arange(tables.point.shape[1])

    def untake(state: tuple[Array, Array], given: tuple[_Users, Array]) -> tuple[tuple[Array, Array], Array]:
        (count, at), (user, before) = state, given
        value = before[row, jnp.maximum(count - 1, 0)] - user.utility
        value = jnp.where(index <= at[:, None], value, -jnp.inf)
        start = value.argmax(1)
        taken = value[row, start] + user.utility[row, at] - user.cost
        take = (count > 0) & (taken > before[row, count, at])
        share = jnp.where(take, tables.point[row, at] - tables.point[row, start], 0.0)
        return (count - take, jnp.where(take, start, at)), share

    state = tables.count[row, level], tables.budget[row, level]
    return jax.lax.scan(untake, state, (tables.users, tables.before), reverse=True)[1]


def _split(value: Float[Array, "subchannel level"]) -> tuple[Int[Array, " subchannel"], Float[Array, ""]]:
    """Levels of the subchannels that sum to the last one, of largest total value; and that value."""
    size = value.shape[1]
    period = 2 * size - 1

    def add(total: Array, own: Array) -> tuple[Array, Array]:
        padded = jnp.concatenate([jnp.full(size - 1, -jnp.inf, own.dtype), total])
        # Row b is padded[b : b + size], which pairs a total of b - c with own[c]: a skew needs no gather.
        skewed = jnp.tile(padded, size + 1)[: size * (period + 1)].reshape(size, period + 1)[:, :size]
        return (skewed + own[::-1]).max(1), total

    start = jnp.where(jnp.arange(size) == 0, 0.0, -jnp.inf).astype(value.dtype)
    total, before = jax.lax.scan(add, start, value)

    def leave(left: Array, given: tuple[Array, Array]) -> tuple[Array, Array]:
        total, own = given
        rest = left - jnp.arange(size)
        level = jnp.where(rest >= 0, total[jnp.maximum(rest, 0)] + own, -jnp.inf).argmax()
        return left - level, level

    _, level = jax.lax.scan(leave, jnp.asarray(size - 1), (before, value), reverse=True)
    return level, total[-1]


def _allocate(
    problem: NomaProblem, cost: Float[Array, "subchannel user"], levels: int
) -> tuple[Float[Array, "subchannel user"], Float[Array, ""]]:
    """Shares of P_c of the optimum with a price on every place (inf: closed), without V; its value less prices."""
    snr = problem.snr
    slots = min(problem.max_users_per_subchannel, problem.num_users)
    tables = _tables(snr, problem.weight, cost, slots, levels)
    level, value = _split(tables.value)
    share = jnp.moveaxis(_selected(tables, level), 0, 1)
    place = jnp.argsort(sic_order(snr, jnp.ones(snr.shape, bool)), axis=1)
    share = jnp.take_along_axis(share, place, 1)
    # Stationary points that differ by rounding alone would leave a user with next to nothing.
    share = jnp.where(share > 8 * jnp.finfo(share.dtype).eps, share, 0.0)
    # Power that nobody has a use for goes to anybody in the tables.
    return jnp.where(snr > 0, share, 0.0), value


def _open_places(problem: NomaProblem, share: Array) -> Bool[Array, "subchannel user"]:
    """V places of every user: those where it has power, by weighted rate, then its strongest others."""
    perfect = replace(problem, sic_residual=0.0, interference_gain="receiver")
    value = problem.weight * perfect.rates({"assignment": share > 0, "power_w": share * problem.total_power_w})
    taken = 1.0 + value / jnp.maximum(value.max(), 1e-30)
    other = 0.5 * problem.snr / jnp.maximum(problem.snr.max(), 1e-30)
    order = jnp.argsort(-jnp.where(share > 0, taken, other), axis=0)
    return jnp.argsort(order, axis=0) < problem.max_subchannels_per_user


class _Search(NamedTuple):
    """Prices of the users per place, the places to try next, and the best places so far with their value."""

    price: Float[Array, " user"]
    places: Bool[Array, "subchannel user"]
    best: Bool[Array, "subchannel user"]
    value: Float[Array, ""]


def _options(problem: NomaProblem, price: Array, places: Array, levels: int) -> tuple[Array, Array]:
    """Optimum on all places at those prices, and on some places for nothing: shares and values, stacked."""
    costs = jnp.stack([jnp.broadcast_to(price, places.shape), jnp.where(places, 0.0, jnp.inf)])
    return jax.vmap(lambda cost: _allocate(problem, cost, levels))(costs)


def _round(problem: NomaProblem, levels: int, search: _Search) -> _Search:
    """One of Polyak's steps on the prices; the optimum at the old ones names the places to try next."""
    quota = problem.max_subchannels_per_user
    shares, values = _options(problem, search.price, search.places, levels)
    best = jnp.where(values[1] > search.value, search.places, search.best)
    value = jnp.maximum(values[1], search.value)
    excess = ((shares[0] > 0).sum(0) - quota).astype(value.dtype)
    excess = jnp.where((search.price > 0) | (excess > 0), excess, 0.0)
    gap = jnp.maximum(values[0] + quota * search.price.sum() - value, 0.0)
    price = jnp.maximum(search.price + gap / jnp.maximum(jnp.square(excess).sum(), 1.0) * excess, 0.0)
    return _Search(price, _open_places(problem, shares[0]), best, value)


def _within_quota(problem: NomaProblem, levels: int) -> Float[Array, "subchannel user"]:
    """The optimum where it keeps V, else that on the best places found by prices on a coarser grid."""
    free = jnp.zeros_like(problem.weight)
    places = _open_places(problem, jnp.zeros_like(problem.snr))
    search = _Search(free, places, places, jnp.asarray(-jnp.inf, problem.snr.dtype))
    coarse = max(levels // PRICE_COARSENING, 1)
    search = jax.lax.fori_loop(0, PRICE_ROUNDS, lambda _, search: _round(problem, coarse, search), search)
    shares, _ = _options(problem, free, search.best, levels)
    fits = ((shares[0] > 0).sum(0) <= problem.max_subchannels_per_user).all()
    return jnp.where(fits, shares[0], shares[1])


def joint_schedule(
    problem: NomaProblem, *, levels: int = 200
) -> tuple[Bool[Array, "subchannel user"], Float[Array, "subchannel user"]]:
    """Users and powers of the largest weighted sum rate under perfect SIC, budgets of subchannels on a grid.

    Exact at its budgets for ``sic_residual=0``, ``interference_gain="receiver"``, ``min_rate=0`` where V does not
    bind; it ignores what these fields hold, so elsewhere it is a start for other methods. Where V binds it is a
    heuristic: Lagrange prices on the users' places for `PRICE_ROUNDS` subgradient steps, after each of which every
    user keeps only V places (those of largest weighted rate, filled up with its strongest others) and the dynamic
    programme runs on these; the best places of all steps count.

    Time O(N M H (levels + M^2) + N levels^2), and about eight times that where V < N.

    Args:
        problem: one network; its own schedule is not looked at.
        levels: steps of the power grid of the budgets (static).

    Returns:
        The schedule, and its powers in W, above 0 for every scheduled user, P_c in all (0 where no user has an SNR
        above 0); no derivatives.

    Raises:
        ValueError: `levels` is below 1.
    """
    if levels < 1:
        raise ValueError(f"levels is {levels}, wanted at least 1: the steps of the power grid")
    problem = jax.lax.stop_gradient(problem)
    if problem.max_subchannels_per_user >= problem.num_subchannels:
        share, _ = _allocate(problem, jnp.zeros_like(problem.snr), levels)
    else:
        share = _within_quota(problem, levels)
    return share > 0, share * (problem.total_power_w / jnp.where(share.any(), share.sum(), 1.0))


def noma_joint(problem: NomaProblem, *, key: PRNGKeyArray, levels: int = 200, starts: int = 2) -> Solution:
    """Schedule and powers: `joint_schedule` and `greedy_schedule`, each with its powers optimised, the better one.

    Powers are those of `noma_power`, which also sees imperfect SIC, either form of interference and R_min. Those of
    the dynamic programme, repaired where they miss R_min, count too: interior point from its own starts may end in
    a lower local optimum. Users without power there are not scheduled, as R_min would be asked of them, nor are
    those that put it out of reach (`wirelax.problems.noma.trim_schedule`).

    Derivatives of the utility are those at the schedule found and at fixed shares of what R_min leaves over: of the
    optimum where the powers are.

    Args:
        problem: one network; its own schedule is not looked at.
        key: of the random starts of `noma_power`.
        levels: of `joint_schedule` (static).
        starts: of `noma_power` for either schedule (static).

    Returns:
        `Solution` with ``assignment`` and ``power_w``, W [subchannel, user]. INFEASIBLE where nobody can meet R_min;
        else the status of the interior point method for the schedule chosen.

    Raises:
        ValueError: `levels` is below 1.
    """
    still = jax.lax.stop_gradient(problem)
    planned, power_w = joint_schedule(still, levels=levels)
    schedules = jnp.stack([trim_schedule(still, planned), greedy_schedule(still)])
    powers = jnp.stack([power_w / still.total_power_w, jnp.zeros_like(power_w)])

    def polish(schedule: Array, guess: Array, key: PRNGKeyArray) -> tuple[Array, SlotPower]:
        slots = still.slots(schedule)
        found = slot_power(still, slots, starts=starts, key=key)
        guess = jnp.where(guess.any(), slots.gather(guess), even_shares(slots))
        kept = still.simplex(slots).repair(guess)
        value = still.slot_utility(slots, kept)
        power = jnp.where(value > found.utility, kept, found.power)
        return slots.user, replace(found, power=power, utility=jnp.maximum(value, found.utility))

    users, found = jax.vmap(polish)(schedules, powers, jax.random.split(key))
    best = jnp.argmax(jnp.where(found.feasible, found.utility, -jnp.inf))
    user, chosen = jax.tree.map(lambda leaf: leaf[best], (users, found))
    slots = problem.fill(user)
    return decided(
        problem,
        slots,
        at_fixed_shares(problem, slots, chosen.power),
        feasible=chosen.feasible,
        status=chosen.status,
        iterations=found.iterations.sum(),
        residuals=chosen.residuals,
    )
