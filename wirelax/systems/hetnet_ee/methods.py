"""Every way to solve the HetNet problem, by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from wirelax.policies import load_shipped
from wirelax.solvers.energy_efficiency import dinkelbach, exhaustive_polish
from wirelax.solvers.exhaustive import exhaustive_search
from wirelax.systems.hetnet_ee.policy_methods import Mode, policy_method, solution_of
from wirelax.systems.hetnet_ee.recipes import recipes
from wirelax.types import Channel, Method, Solution

if TYPE_CHECKING:
    from wirelax.systems.hetnet_ee.system import HetNetEE

__all__ = ["methods"]

# method: (weights file, mode, summary)
_SHIPPED: dict[str, tuple[str, Mode, str]] = {
    "dnn": ("dnn", "class", "paper 1's DNN, supervised on 20,000 labels"),
    "cnn": ("cnn", "class", "paper 1's CNN, supervised on 20,000 labels"),
    "dnn+ee": ("dnn+ee", "class", "that DNN fine-tuned on the energy efficiency of the same channels"),
    "cnn+ee": ("cnn+ee", "class", "that CNN fine-tuned on the energy efficiency of the same channels"),
    "dnn+ee+best-of-8": ("dnn+ee", "best", "dnn+ee, all assignments scored by the kernels"),
    "cnn+ee+best-of-8": ("cnn+ee", "best", "cnn+ee, all assignments scored by the kernels"),
    "equivariant": ("equivariant", "best", "permutation-equivariant network, all assignments scored"),
    "equivariant+refine": ("equivariant", "refine", "equivariant, then 8 closed-form power steps"),
}


def _random_assignment(system: HetNetEE, key: PRNGKeyArray) -> Array:
    """One of the valid assignments, uniformly."""
    candidates = jnp.asarray(system.assignments)
    return candidates[jax.random.randint(key, (), 0, len(candidates))]


def _max_power(system: HetNetEE):
    def solve(state: Any, channel: Channel, key: PRNGKeyArray) -> Solution:
        shape = (system.config.num_bs, system.config.num_subchannels)
        power_w = jnp.broadcast_to(jnp.asarray(system.max_power_w)[:, None] / shape[1], shape)
        return solution_of(system, channel, _random_assignment(system, key), power_w)

    return solve


def _random_power(system: HetNetEE):
    def solve(state: Any, channel: Channel, key: PRNGKeyArray) -> Solution:
        assignment_key, power_key = jax.random.split(key)
        shape = (system.config.num_bs, system.config.num_subchannels)
        fraction = jax.random.uniform(power_key, shape)
        fraction = fraction / jnp.maximum(fraction.sum(1, keepdims=True), 1.0)
        power_w = fraction * jnp.asarray(system.max_power_w)[:, None]
        return solution_of(system, channel, _random_assignment(system, assignment_key), power_w)

    return solve


def methods(system: HetNetEE) -> Mapping[str, Method]:
    """Solvers, heuristics and the shipped policies that fit the sizes of `system`."""
    config = system.config
    grid = {"levels": config.power_levels, "range_db": config.level_range_db, "spacing": config.level_spacing}
    solver = lambda function, **kw: lambda state, channel, key: function(system.problem(channel), **kw)  # noqa: E731
    found = [
        Method(
            "exhaustive",
            "every assignment and every power vector of the grid",
            solver(exhaustive_search, **grid),
            over="map",
        ),
        Method(
            "exhaustive+polish",
            "then continuous ascent: the benchmark",
            solver(exhaustive_polish, **grid),
            over="map",
        ),
        Method(
            "dinkelbach",
            "continuous ascent from flat powers, every assignment",
            solver(dinkelbach),
            over="map",
        ),
        Method("max-power", "full budgets, even split, random assignment", _max_power(system)),
        Method("random-power", "uniform powers within the budgets, random assignment", _random_power(system)),
    ]
    table = {method.name: method for method in found}
    known = recipes(system)
    for name, (weights, mode, summary) in _SHIPPED.items():
        load = partial(load_shipped, system.name, weights)
        table[name] = policy_method(system, name, summary, known[weights].network, load, mode)
    return table
