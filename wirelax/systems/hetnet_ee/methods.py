"""Methods of the HetNet system: solvers, heuristics, and its policies with the weights that come with the package."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from wirelax.policies import PolicySpec, PolicyState
from wirelax.policies.energy_efficiency import BestAssignment
from wirelax.problems import evaluate
from wirelax.solvers import energy_efficiency as solvers
from wirelax.systems.hetnet_ee.catalogue import METHODS
from wirelax.systems.policies import shipped_method
from wirelax.types import Method, Solution

__all__ = ["SearchSolve", "method", "policy"]

REFINE_STEPS = 8


def _exhaustive(grid: solvers.PowerGrid, problem: Any, key: PRNGKeyArray) -> Solution:
    return solvers.exhaustive_search(problem, grid)


def _polish(grid: solvers.PowerGrid, problem: Any, key: PRNGKeyArray) -> Solution:
    return solvers.exhaustive_polish(problem, grid)


def _dinkelbach(state: None, problem: Any, key: PRNGKeyArray) -> Solution:
    return solvers.dinkelbach(problem)


def _gradient(state: None, problem: Any, key: PRNGKeyArray) -> Solution:
    return solvers.energy_efficiency_gradient(problem, key=key)


def _max_power(state: None, problem: Any, key: PRNGKeyArray) -> Solution:
    return solvers.max_power(problem, key=key)


def _random_power(state: None, problem: Any, key: PRNGKeyArray) -> Solution:
    return solvers.random_power(problem, key=key)


@dataclass(frozen=True)
class SearchSolve:
    """An `AssignmentSearch` over a whole batch, which becomes the last axis, where a CPU vectorises.

    Attributes:
        spec: network, features and head.
        refine: closed-form power steps after it, kept where they help.
    """

    spec: PolicySpec
    refine: int = 0

    def __call__(self, state: PolicyState, problems: Any, keys: PRNGKeyArray) -> Solution:
        """Decide on a batch of problems."""
        features = jax.vmap(lambda problem: self.spec.inputs(state, problem), out_axes=-1)(problems)
        outputs = jax.vmap(self.spec.network.apply, in_axes=(None, -1))(state.params, features)
        found = jax.vmap(evaluate)(problems, jax.vmap(self.spec.head)(outputs, problems))
        if not self.refine:
            return found
        assignment, power_w = found.allocation["assignment"], found.allocation["power_w"]
        power_w = solvers.efficiency_steps(problems, assignment, power_w, steps=self.refine)
        refined = jax.vmap(evaluate)(problems, {"assignment": assignment, "power_w": power_w})
        better = refined.feasible & (~found.feasible | (refined.utility > found.utility))
        choose = lambda new, old: jnp.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)  # noqa: E731
        return jax.tree.map(choose, refined, found)


_SOLVERS: dict[str, tuple[Any, Any]] = {
    "exhaustive": (_exhaustive, "map"),
    "exhaustive+polish": (_polish, "map"),
    "dinkelbach": (_dinkelbach, "map"),
    "gradient": (_gradient, "vmap"),
    "max-power": (_max_power, "vmap"),
    "random-power": (_random_power, "vmap"),
}
GRADIENT_CHUNK = 64


def method(system: Any, name: str) -> Method:
    """A solver or a heuristic; the power grid is the state of those that search one."""
    solve, over = _SOLVERS[name]
    config = system.config

    def grid() -> solvers.PowerGrid:
        return solvers.make_power_grid(
            config.num_subchannels, config.power_levels, config.level_range_db, config.level_spacing
        )

    load = grid if solve in (_exhaustive, _polish) else lambda: None
    chunk = GRADIENT_CHUNK if name == "gradient" else None
    return Method(name, METHODS[name].summary, solve, load=load, over=over, chunk=chunk, exact=name == "exhaustive")


def policy(system: Any, name: str) -> Method:
    """A policy with the weights that come with the package, perhaps with all assignments scored, or refined."""
    recipe = system.recipes[name.removesuffix("+best-of-8").removesuffix("+refine")]
    spec = recipe.spec
    if name.endswith("+refine"):
        return shipped_method(system, name, METHODS[name].summary, recipe, solve=SearchSolve(spec, REFINE_STEPS))
    if name.endswith("+best-of-8"):
        spec = replace(spec, head=BestAssignment(spec.head.bounds))
    return shipped_method(system, name, METHODS[name].summary, recipe, spec=spec)
