"""Continuous power control for energy efficiency: Dinkelbach outside, successive lower bounds inside.

At the current powers each rate is bounded from below by ``alpha log(SINR) + const`` with
``alpha = SINR / (1 + SINR)`` (Papandriopoulos and Evans, "SCALE", 2009). Setting the derivative of the bound
less ``lambda`` times the consumed power to zero gives every power in closed form,

    p[n, k] = alpha[n, k] / (lambda / rho + sum_m alpha[m, k] g[m, n] / I[m, k] + mu[n]),

with ``mu[n]`` the multiplier of BS n's budget and ``lambda = R / P`` (Dinkelbach, 1967), refreshed at every
step. The iteration rises to a stationary point; several starts guard against poor ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from wirelax.kernels.ofdma import assigned_link_gain
from wirelax.kernels.sinr import link_powers as _link_powers
from wirelax.problems import EnergyEfficiencyProblem, assignments, evaluate
from wirelax.solvers.energy_efficiency.exhaustive import search_with_assignments
from wirelax.solvers.energy_efficiency.grid import PowerGrid
from wirelax.types import FEASIBILITY_TOLERANCE, Solution, Status

__all__ = ["dinkelbach", "efficiency_steps", "energy_efficient_power", "exhaustive_polish"]

BUDGET_NEWTON_STEPS = 4
TARGET_BISECTIONS = 16
TARGET_INNER_STEPS = 30
TINY_PRICE = 1e-12
START_FLOORS = (1e-5, 1e-3)
"""Fractions of the budget that zero powers are lifted to: at zero the iteration would stay there."""
FLAT_STARTS = (1e-3, 1e-2, 1e-1)
BINDING = 1e-4
"""Relative excess over the SE target within which it counts as binding: where bisection on its price ends."""


link_powers = jax.vmap(_link_powers)  # over subchannels


class _Links(NamedTuple):
    """One assignment's interference system in fractions of the budgets and units of the noise."""

    gain: Float[Array, "subchannel bs bs"]
    consumed_w: Float[Array, " bs"]  # power drawn at full budget
    circuit_w: Float[Array, ""]


def _links(problem: EnergyEfficiencyProblem, assignment: Int[Array, "bs subchannel"]) -> _Links:
    gain = assigned_link_gain(problem.snr, assignment)
    return _Links(gain, problem.max_power_w / problem.amplifier_efficiency, problem.circuit_power_w)


def _rate_nats(links: _Links, power: Array) -> Array:
    own, others = link_powers(links.gain, power)
    return jnp.log1p(own / (1.0 + others)).sum()


def _consumed_w(links: _Links, power: Array) -> Array:
    return (power * links.consumed_w).sum() + links.circuit_w


def _budget_multiplier(weight: Array, price: Array) -> Array:
    """Mu >= 0 with sum_k weight / (price + mu) <= 1 for every BS, by Newton's method on the inverse of the sum."""

    def newton(mu, _):
        share = weight / (price + mu)
        total, slope = share.sum(0), (share / (price + mu)).sum(0)
        return jnp.maximum(mu + total * (total - 1) / jnp.maximum(slope, TINY_PRICE), 0.0), None

    return jax.lax.scan(newton, jnp.zeros_like(weight[0]), None, length=BUDGET_NEWTON_STEPS)[0]


def _power_step(links: _Links, power: Float[Array, "subchannel bs"], discount: Array | float = 1.0):
    """One closed-form step, and the ratio in nat/J before it; `discount` < 1 cheapens power to reach a rate."""
    own, others = link_powers(links.gain, power)
    others = 1.0 + others
    ratio = jnp.log1p(own / others).sum() / jnp.maximum(_consumed_w(links, power), jnp.finfo(power.dtype).tiny)
    alpha = own / (own + others)
    # What one more watt of a BS costs the others: the same sum of cross links, seen from the transmitter.
    _, leak = link_powers(jnp.swapaxes(links.gain, 1, 2), alpha / others)
    price = leak + discount * ratio * links.consumed_w + TINY_PRICE
    power = alpha / (price + _budget_multiplier(alpha, price))
    return power / jnp.maximum(power.sum(0), 1.0), ratio


def _ascend(links: _Links, power: Array, max_iterations: int, tolerance: float) -> tuple[Array, Array, Array]:
    """Steps from all starts at once; the starts are the last axis of every leaf, where the CPU vectorises."""
    step_all = jax.vmap(_power_step, in_axes=-1, out_axes=-1)

    tiny = jnp.finfo(power.dtype).tiny  # a ratio of zero, on a channel of zeros, has converged

    def step(state):
        power, ratio, _, iteration = state
        new, new_ratio = step_all(links, power)
        return new, new_ratio, (new_ratio - ratio) / jnp.maximum(new_ratio, tiny), iteration + 1

    going = lambda state: (state[2] > tolerance).any() & (state[3] < max_iterations)  # noqa: E731
    infinite = jnp.full(power.shape[-1:], jnp.inf, power.dtype)
    start = (power, jnp.zeros_like(infinite), infinite, jnp.zeros((), jnp.int32))
    power, _, residual, iteration = jax.lax.while_loop(going, step, start)
    return power, residual, iteration


def _meet_target(links: _Links, power: Array, min_rate_nats: Array) -> Array:
    """Lower the price of power until the rate target holds: bisection on the discount, warm-started."""

    def climb(power, discount):
        return jax.lax.scan(
            lambda p, _: (_power_step(links, p, discount)[0], None), power, None, length=TARGET_INNER_STEPS
        )[0]

    def halve(state, _):
        low, high, power = state
        discount = 0.5 * (low + high)
        trial = climb(power, discount)
        met = _rate_nats(links, trial) >= min_rate_nats
        return (
            jnp.where(met, discount, low),
            jnp.where(met, high, discount),
            jnp.where(met, trial, power),
        ), None

    zero, one = jnp.zeros((), power.dtype), jnp.ones((), power.dtype)
    # Climbing needs a foothold: a link at a vanishing power has no lower bound to rise along. But where links
    # are better off, lifting them can end in a lower rate, so both are tried.
    starts = jnp.stack([power, jnp.maximum(power, START_FLOORS[-1])])
    tops = jax.lax.map(lambda start: climb(start, zero), starts)
    power = tops[jnp.argmax(jax.vmap(lambda top: _rate_nats(links, top))(tops))]
    return jax.lax.scan(halve, (zero, one, power), None, length=TARGET_BISECTIONS)[0][2]


def efficiency_steps(
    problems: EnergyEfficiencyProblem,
    assignment: Int[Array, "batch bs subchannel"],
    power_w: Float[Array, "batch bs subchannel"],
    *,
    steps: int,
) -> Float[Array, "batch bs subchannel"]:
    """Powers in W after a fixed number of closed-form steps, without the SE target.

    The cheap refinement of a policy's output, for a whole batch at once: the batch becomes the last axis, where
    the CPU vectorises.

    Args:
        problems: a batch (leading axis on every field).
        assignment: global user index per BS and subchannel.
        power_w: starts in W; their zeros stay zero.
        steps: how many (static).
    """
    links = jax.vmap(_links, out_axes=-1)(problems, assignment)
    power = jnp.moveaxis(power_w / problems.max_power_w[..., None], (0, 1, 2), (2, 1, 0))
    step = jax.vmap(_power_step, in_axes=-1, out_axes=-1)
    power = jax.lax.fori_loop(0, steps, lambda _, p: step(links, p)[0], power)
    return jnp.moveaxis(power, (2, 1, 0), (0, 1, 2)) * problems.max_power_w[..., None]


def energy_efficient_power(
    problem: EnergyEfficiencyProblem,
    assignment: Int[Array, "start bs subchannel"],
    power_w: Float[Array, "start bs subchannel"],
    *,
    max_iterations: int = 100,
    tolerance: float = 1e-6,
) -> Solution:
    """Stationary points of the energy efficiency over the powers of given assignments, one from each start.

    Where a stationary point misses the SE target, the price of power is lowered until the target holds.

    Args:
        problem: one channel and the constants.
        assignment: global user index per BS and subchannel, for every start.
        power_w: starts in W; their zeros stay zero.
        max_iterations: cap on the steps (static).
        tolerance: relative gain in energy efficiency of one step at which a start counts as converged.

    Returns:
        `Solution` with a leading axis over starts, its utility the energy efficiency in bit/J; none is worse
        than its start where the start meets the SE target.
    """
    given, problem = problem, jax.lax.stop_gradient(problem)
    links = jax.vmap(lambda a: _links(problem, a), out_axes=-1)(assignment)
    given_fraction = jax.lax.stop_gradient(power_w) / problem.max_power_w[:, None]
    start = jnp.moveaxis(given_fraction, (0, 1, 2), (2, 1, 0))
    power, residual, iterations = _ascend(links, start, max_iterations, tolerance)
    min_rate_nats = problem.min_sum_rate_bps / problem.bandwidth_per_subchannel_hz * jnp.log(2.0)
    met = jax.vmap(_rate_nats, in_axes=-1)(links, power) >= min_rate_nats
    meet = jax.vmap(_meet_target, in_axes=(-1, -1, None), out_axes=-1)
    power = jax.lax.cond(
        met.all(),
        lambda: power,
        lambda: jnp.where(met, power, meet(links, power, min_rate_nats * (1 + 1e-6))),
    )
    climbed = jnp.moveaxis(power, (2, 1, 0), (0, 1, 2))
    better = jax.vmap(lambda a, new, old: _score(problem, a, new) >= _score(problem, a, old))(
        assignment, climbed, given_fraction
    )
    final = jnp.where(better[:, None, None], climbed, given_fraction)
    ended = jnp.where(residual <= tolerance, Status.CONVERGED, Status.ITERATION_LIMIT)
    report = jax.vmap(lambda a, f, status: _report(given, a, f, status, iterations))
    return report(assignment, final, ended)


def _score(problem: EnergyEfficiencyProblem, assignment: Array, fraction: Array) -> Array:
    power_w = fraction * problem.max_power_w[:, None]
    return problem.score(problem.sum_rate_bps(assignment, power_w), power_w.sum())


def _report(
    problem: EnergyEfficiencyProblem, assignment: Array, fraction: Array, status: Array, iterations: Array
) -> Solution:
    """Judged with the problem as given. Derivatives of the utility are those of the optimum (envelope theorem).

    Powers are held, but where a budget binds its fractions are; a binding SE target adds its multiplier times its
    own derivative.
    """
    power_w = (
        fraction * jnp.where(_full(fraction), problem.max_power_w, jax.lax.stop_gradient(problem.max_power_w))[:, None]
    )
    met = problem.meets_target(problem.sum_rate_bps(assignment, power_w))
    solution = evaluate(
        problem,
        {"assignment": assignment, "power_w": power_w},
        status=jnp.where(met, status, Status.INFEASIBLE),
        iterations=iterations,
    )
    slack = problem.sum_rate_bps(assignment, power_w) - problem.min_sum_rate_bps
    priced = _target_multiplier(jax.lax.stop_gradient(problem), assignment, fraction) * slack
    return replace(solution, utility=solution.utility + priced - jax.lax.stop_gradient(priced))


def _full(fraction: Float[Array, "bs subchannel"]) -> Bool[Array, " bs"]:
    """Whose budgets bind."""
    return fraction.sum(1) >= 1 - FEASIBILITY_TOLERANCE


def _target_multiplier(problem: EnergyEfficiencyProblem, assignment: Array, fraction: Array) -> Array:
    """Multiplier of the SE target at a stationary point, 0 where it does not bind: least squares over log powers."""
    full = _full(fraction)[:, None]

    def slope(function) -> Array:
        of_power = jax.grad(lambda f: function(assignment, f * problem.max_power_w[:, None]))(fraction)
        along = of_power * fraction
        spent = jnp.maximum(jnp.square(fraction).sum(1, keepdims=True), 1e-30)
        # Where a budget binds, only what shifts power between its subchannels is free.
        return along - full * (along * fraction).sum(1, keepdims=True) / spent * fraction

    efficiency, rate_bps = slope(problem.energy_efficiency), slope(problem.sum_rate_bps)
    size = jnp.square(rate_bps).sum()
    multiplier = -(efficiency * rate_bps).sum() / jnp.where(size > 0, size, 1.0)
    target, reached = (
        problem.min_sum_rate_bps,
        problem.sum_rate_bps(assignment, fraction * problem.max_power_w[:, None]),
    )
    binds = (target > 0) & problem.meets_target(reached) & (reached <= target * (1 + BINDING)) & (size > 0)
    return jnp.where(binds, jnp.maximum(multiplier, 0.0), 0.0)


def _best(problem: EnergyEfficiencyProblem, solutions: Solution) -> Solution:
    """The best of a batch of solutions of one problem: the most efficient that meets the target."""
    fixed = jax.lax.stop_gradient(problem)

    def score(allocation) -> Array:
        power_w = jax.lax.stop_gradient(allocation["power_w"])
        return fixed.score(fixed.sum_rate_bps(allocation["assignment"], power_w), power_w.sum())

    scores = jax.vmap(score)(solutions.allocation)
    best = jax.tree.map(lambda leaf: leaf[jnp.argmax(scores)], solutions)
    return replace(best, iterations=solutions.iterations.max())


def _flat_starts(problem: EnergyEfficiencyProblem, candidates: Array) -> tuple[Array, Array]:
    """Every assignment with every BS at the same few fractions of its budget."""
    shape = (len(FLAT_STARTS), *candidates.shape)
    level = jnp.asarray(FLAT_STARTS, problem.snr.dtype)[:, None, None, None]
    power_w = jnp.broadcast_to(level * problem.max_power_w[:, None], shape) / problem.num_subchannels
    assignment = jnp.broadcast_to(candidates, shape)
    return assignment.reshape(-1, *shape[2:]), power_w.reshape(-1, *shape[2:])


def exhaustive_polish(
    problem: EnergyEfficiencyProblem, grid: PowerGrid | None = None, *, max_iterations: int = 100
) -> Solution:
    """Exhaustive grid search, then continuous ascent from the best grid point of every assignment.

    Zero powers start from small values (`START_FLOORS`), and every assignment also starts from flat powers
    (`FLAT_STARTS`). With more than `MAX_ASSIGNMENTS_EACH` assignments only the best one is polished. The
    result is never below the grid optimum; it is the benchmark that policies are measured against, a lower
    bound of the global optimum. Its utility has derivatives with respect to the problem (envelope theorem).

    Args:
        problem: one channel and the constants.
        grid: power levels; those of `make_power_grid` by default.
        max_iterations: cap on the steps of the ascent (static).
    """
    best, each = search_with_assignments(problem, grid)
    found = jax.tree.map(lambda leaf: leaf[None], best) if each is None else each
    held = jax.lax.stop_gradient(found.allocation["power_w"])
    floors = [jnp.maximum(held, f * problem.max_power_w[:, None]) for f in START_FLOORS]
    flat_assignment, flat_power_w = _flat_starts(problem, found.allocation["assignment"])
    assignment = jnp.concatenate([found.allocation["assignment"]] * len(floors) + [flat_assignment])
    power_w = jnp.concatenate([*floors, flat_power_w])
    polished = energy_efficient_power(problem, assignment, power_w, max_iterations=max_iterations)
    candidates = replace(best, proven=jnp.zeros_like(best.proven))
    return _best(problem, jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), polished, candidates))


def dinkelbach(problem: EnergyEfficiencyProblem, *, max_iterations: int = 100) -> Solution:
    """Multi-start power control without a grid: every assignment from a few flat powers, the best one kept.

    Raises:
        InputError: the network has more assignments than can be enumerated.
    """
    candidates = jnp.asarray(assignments(problem.num_bs, problem.users_per_bs, problem.num_subchannels))
    starts = _flat_starts(problem, candidates)
    return _best(problem, energy_efficient_power(problem, *starts, max_iterations=max_iterations))
