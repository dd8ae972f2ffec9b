"""Schedules to start from: which users share which subchannel, within both quotas and within reach of R_min."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from wirelax.problems.noma.problem import NomaProblem
from wirelax.problems.noma.simplex import invert, least_powers, rate_rows, sinr_target

__all__ = ["greedy_schedule", "random_schedule", "trim_schedule"]

ROUNDING = 64
"""Machine epsilons that the least powers of a trimmed schedule stay below the total power."""


def _reachable(problem: NomaProblem) -> Bool[Array, "subchannel user"]:
    """Pairs that meet R_min alone on their subchannel with all the power there is."""
    return (problem.snr > 0) & (problem.snr >= sinr_target(problem.min_rate))


def _most_users(problem: NomaProblem) -> Array:
    """How many users one subchannel can give R_min to at whatever power, at most H: SIC leaves eps of everything."""
    rows = rate_rows(problem.sic_residual, problem.min_rate, problem.max_users_per_subchannel)
    return jnp.cumprod(rows.solvable[1:]).sum()


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
    size, target = slots.user.shape[1], sinr_target(problem.min_rate)
    rows = rate_rows(problem.sic_residual, problem.min_rate, size)
    full, limit = rows.matrix[-1], 1 - ROUNDING * jnp.finfo(problem.snr.dtype).eps
    eye = jnp.eye(size, dtype=full.dtype)

    def costs(used: Array) -> tuple[Array, Array]:
        """Least powers in all, and what every pair's leaving would save: least power times price over T_jj."""
        matrix = jnp.where(used[:, :, None] & used[:, None, :], full, eye)
        inverse = invert(matrix)[0]
        least, spread = least_powers(
            replace(slots, user=jnp.where(used, slots.user, -1)), inverse, target, problem.interference_gain
        )
        price = (spread * used[:, :, None]).sum(1) / jnp.diagonal(spread, axis1=1, axis2=2)
        return least.sum(), jnp.where(used, least * price, -1.0)

    def drop(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        used, _, saved = state
        dearest = jnp.arange(used.size).reshape(used.shape) == saved.argmax()
        used &= ~dearest
        return (used, *costs(used))

    used = slots.used & (jnp.arange(size) < _most_users(problem))
    used, _, _ = jax.lax.while_loop(lambda state: state[1] > limit, drop, (used, *costs(used)))
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
