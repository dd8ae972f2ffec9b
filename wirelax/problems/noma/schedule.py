"""Schedules to start from: which users share which subchannel, within both quotas and within reach of R_min."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from wirelax.problems.noma.problem import NomaProblem
from wirelax.problems.noma.simplex import sinr_target

__all__ = ["greedy_schedule", "random_schedule", "trim_schedule"]

ROUNDING = 64
"""Machine epsilons that the least powers of a trimmed schedule stay below the total power."""


def _reachable(problem: NomaProblem) -> Bool[Array, "subchannel user"]:
    """Pairs that meet R_min alone on their subchannel with all the power there is."""
    return (problem.snr > 0) & (problem.snr >= sinr_target(problem.min_rate))


def _heard_ratio(problem: NomaProblem) -> tuple[Array, Array, Array]:
    """Constants of the recursion of least powers, see `_least_total`."""
    target = sinr_target(problem.min_rate)
    own = 1 + target * problem.sic_residual
    return target / own, target * (1 - problem.sic_residual) / own, target * problem.sic_residual / own


def _most_users(problem: NomaProblem) -> Array:
    """How many users one subchannel can give R_min to at whatever power, at most H: SIC leaves eps of everything.

    As many as keep the last slope of `_least_total` below 1.
    """
    _, grow, echo = _heard_ratio(problem)
    slope = echo * jnp.cumsum((1 + grow) ** jnp.arange(problem.max_users_per_subchannel))
    return (slope < 1 - jnp.finfo(slope.dtype).eps ** 0.5).sum()


def _least_total(
    problem: NomaProblem, snr: Float[Array, "*batch slot"], used: Bool[Array, "*batch slot"]
) -> Float[Array, "*batch"]:
    """Least power, over the total, that gives R_min to the used slots of a subchannel, by recursion over its users.

    With c_j the power received from the users up to j and c the one from all of them, R_min of user j reads
    (1 + gamma eps) c_j = (1 + gamma) c_{j-1} + gamma v_j + gamma eps c: c_j is linear in c, and so is the power.
    """
    weight, grow, echo = _heard_ratio(problem)
    need, carried = (1 / snr, jnp.ones_like(snr)) if problem.interference_gain == "receiver" else (1.0 + 0 * snr, snr)
    level = slope = power = power_slope = jnp.zeros(used.shape[:-1], snr.dtype)
    for j in range(used.shape[-1]):
        more = jnp.where(used[..., j], grow * level + weight * need[..., j], 0.0)
        steeper = jnp.where(used[..., j], grow * slope + echo, 0.0)
        level, slope = level + more, slope + steeper
        power, power_slope = power + more / carried[..., j], power_slope + steeper / carried[..., j]
    return power + power_slope * level / (1 - slope)


def _fill(problem: NomaProblem, score: Callable[[Array, Array], Array]) -> Bool[Array, "subchannel user"]:
    """Subchannel by subchannel, the users within reach of highest ``score(index, count)`` with quota left."""
    num_users, most = problem.num_users, _most_users(problem)
    first = jnp.arange(num_users) < jnp.arange(num_users)[:, None]

    def pick(count: Array, each: tuple[Array, Array]) -> tuple[Array, Array]:
        index, reachable = each
        value = jnp.where(reachable & (count < problem.max_subchannels_per_user), score(index, count), -jnp.inf)
        # By comparisons: vectorised, where XLA sorts a batch row by row.
        rank = ((value > value[:, None]) | ((value == value[:, None]) & first)).sum(1)
        chosen = (rank < most) & (value > -jnp.inf)
        return count + chosen, chosen

    each = jnp.arange(problem.num_subchannels), _reachable(problem)
    return trim_schedule(problem, jax.lax.scan(pick, jnp.zeros(num_users, jnp.int32), each)[1])


def trim_schedule(problem: NomaProblem, assignment: Bool[Array, "subchannel user"]) -> Bool[Array, "subchannel user"]:
    """The schedule without the pairs that put R_min out of reach: all that are left can meet it together.

    Out go pairs that could not meet R_min alone with all the power, then the weakest users of subchannels with more
    than can share one, then, as long as the least powers that meet R_min exceed the budget, the pair whose leaving
    lowers their sum most. A schedule that is within reach stays as it is.

    Args:
        problem: one network; its own schedule is not looked at.
        assignment: at most H users on every subchannel.
    """
    problem = jax.lax.stop_gradient(problem)
    slots = problem.slots(assignment & _reachable(problem))
    size, limit = slots.user.shape[1], 1 - ROUNDING * jnp.finfo(problem.snr.dtype).eps
    without = ~jnp.concatenate([jnp.zeros((1, size), bool), jnp.eye(size, dtype=bool)])[:, None]

    def drop(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        used, dearest, _ = state
        used &= ~dearest
        total, *fewer = _least_total(problem, slots.snr, used & without)
        saved = jnp.where(used, total[:, None] - jnp.stack(fewer, -1), -1.0)
        dearest = jnp.arange(used.size).reshape(used.shape) == saved.argmax()
        return used, dearest, total.sum() > limit

    used = slots.used & (jnp.arange(size) < _most_users(problem))
    used, _, _ = jax.lax.while_loop(lambda state: state[2], drop, (used, jnp.zeros_like(used), jnp.bool_(True)))
    return replace(slots, user=jnp.where(used, slots.user, -1)).assignment(problem.num_users)


def random_schedule(problem: NomaProblem, *, key: PRNGKeyArray) -> Bool[Array, "subchannel user"]:
    """As many users on every subchannel as quotas and R_min allow, at random, users with fewest subchannels first.

    Args:
        problem: one network; its own schedule is not looked at.
        key: random key.
    """
    noise = jax.random.uniform(key, problem.snr.shape)
    return _fill(problem, lambda index, count: -(count + noise[index]))


def greedy_schedule(
    problem: NomaProblem, score: Float[Array, "subchannel user"] | None = None
) -> Bool[Array, "subchannel user"]:
    """Subchannel by subchannel the users of highest score with quota left, within reach of R_min; deterministic.

    Places stay empty where nobody can fill them: see `trim_schedule`.

    Args:
        problem: one network; its own schedule is not looked at.
        score: what to choose by, the SNR by default.
    """
    score = problem.snr if score is None else score
    return _fill(jax.lax.stop_gradient(problem), lambda index, count: score[index])
