"""Methods of the HetNet system: solvers, heuristics, and its policies with the weights that come with the package."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jaxtyping import PRNGKeyArray

from wirelax.policies.energy_efficiency import BestAssignment
from wirelax.solvers import energy_efficiency as solvers
from wirelax.systems.hetnet_ee.catalogue import METHODS
from wirelax.systems.policies import shipped_method
from wirelax.types import Method, Solution

__all__ = ["method", "policy"]


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
    """A policy with the weights that come with the package, perhaps with all assignments scored."""
    recipe = system.recipes[name.removesuffix("+best-of-8")]
    spec = recipe.spec
    if name.endswith("+best-of-8"):
        spec = replace(spec, head=BestAssignment(spec.head.bounds))
    return shipped_method(system, name, METHODS[name].summary, recipe, spec=spec)
