"""Methods for energy efficiency that enumerate nothing: heuristics, and gradient ascent from several assignments."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from wirelax.problems import EnergyEfficiencyProblem, evaluate, random_assignment
from wirelax.solvers.gradient import gradient_ascent
from wirelax.types import Allocation, Solution

__all__ = ["energy_efficiency_gradient", "max_power", "random_power", "strongest_assignment"]

FIRST_LOG_POWERS = (-2.0, -1.0)
"""log10 fractions of the budget that starts of the gradient ascent lie between: powers for efficiency are low."""


def max_power(problem: EnergyEfficiencyProblem, *, key: PRNGKeyArray) -> Solution:
    """Full budgets, split evenly over the subchannels, and a random assignment."""
    shape = (problem.num_bs, problem.num_subchannels)
    power_w = jnp.broadcast_to(problem.max_power_w[:, None] / shape[1], shape)
    return evaluate(problem, {"assignment": random_assignment(problem, key=key), "power_w": power_w})


def random_power(problem: EnergyEfficiencyProblem, *, key: PRNGKeyArray) -> Solution:
    """Uniform powers scaled into the budgets, and a random assignment."""
    assignment_key, power_key = jax.random.split(key)
    fraction = jax.random.uniform(power_key, (problem.num_bs, problem.num_subchannels), problem.snr.dtype)
    fraction = fraction / jnp.maximum(fraction.sum(1, keepdims=True), 1.0)
    assignment = random_assignment(problem, key=assignment_key)
    return evaluate(problem, {"assignment": assignment, "power_w": fraction * problem.max_power_w[:, None]})


def strongest_assignment(problem: EnergyEfficiencyProblem) -> Int[Array, "bs subchannel"]:
    """Every user of a cell its strongest subchannel that is still free, the other subchannels their strongest user."""
    users, cells = problem.users_per_bs, jnp.arange(problem.num_bs)
    own = problem.snr.reshape(problem.num_subchannels, problem.num_bs, users, problem.num_bs)
    own = jnp.moveaxis(own[:, cells, :, cells], 1, 2)  # [bs, user, subchannel]

    def of_cell(snr: Array) -> Array:
        def give(user: Array, chosen: Array) -> Array:
            free = jnp.where(chosen < 0, snr[user], -1.0)
            return chosen.at[jnp.argmax(free)].set(user)

        chosen = jax.lax.fori_loop(0, users, give, jnp.full(snr.shape[1], -1))
        return jnp.where(chosen < 0, snr.argmax(0), chosen)

    return (jax.vmap(of_cell)(own) + users * cells[:, None]).astype(jnp.int32)


def _budgeted(variables: Any, problem: Any) -> Allocation:
    fraction = jnp.power(10.0, variables["log_power"])
    fraction = fraction / jnp.maximum(fraction.sum(1, keepdims=True), 1.0)
    return {"assignment": variables["assignment"], "power_w": fraction * problem.max_power_w[:, None]}


def energy_efficiency_gradient(
    problem: EnergyEfficiencyProblem, *, key: PRNGKeyArray, starts: int = 16, steps: int = 300
) -> Solution:
    """Gradient ascent in log powers, from the strongest assignment and from random ones, at any size.

    Args:
        problem: one channel and the constants.
        key: of the random assignments and powers.
        starts: how many (static).
        steps: of every start (static).
    """
    assignment_key, power_key = jax.random.split(key)
    drawn = jax.vmap(lambda key: random_assignment(problem, key=key))(jax.random.split(assignment_key, starts))
    assignment = drawn.at[0].set(strongest_assignment(problem))
    low, high = FIRST_LOG_POWERS
    log_power = jax.random.uniform(power_key, assignment.shape, problem.snr.dtype, low, high)
    return gradient_ascent(problem, {"assignment": assignment, "log_power": log_power}, _budgeted, steps=steps)
