"""Methods of the uplink QoS system: solvers, and its policies with the weights that come with the package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import PRNGKeyArray

from wirelax.errors import InputError
from wirelax.policies import PolicySolve, PolicyState
from wirelax.solvers import uplink_qos as solvers
from wirelax.systems.policies import shipped_method
from wirelax.systems.uplink_qos.catalogue import METHODS
from wirelax.types import Method, Solution

__all__ = ["Repaired", "method", "policy"]

REPAIR = "+repair"


def _optimal(state: None, problem: Any, key: PRNGKeyArray) -> Solution:
    return solvers.uplink_single(problem)


def _numerical(state: None, problem: Any, key: PRNGKeyArray) -> Solution:
    return solvers.uplink_numerical(problem)


def _exhaustive(state: None, problem: Any, key: PRNGKeyArray) -> Solution:
    return solvers.uplink_exhaustive(problem)


@dataclass(frozen=True)
class _Search:
    starts: int

    def __call__(self, state: None, problem: Any, key: PRNGKeyArray) -> Solution:
        return solvers.uplink_search(problem, key=key, starts=self.starts)


_PLAIN: dict[str, Callable[..., Solution]] = {"optimal": _optimal, "numerical": _numerical, "exhaustive": _exhaustive}


def method(system: Any, name: str) -> Method:
    """A solver; one that does not take the sizes says so when it is run."""
    config = system.config

    def check() -> None:
        if name == "optimal" and config.num_users > 1:
            raise InputError(
                f"method 'optimal' is for one user, the channels have {config.num_users}; use search or numerical"
            )
        if name == "exhaustive" and config.num_rbs > solvers.MOST_RBS:
            raise InputError(
                f"method 'exhaustive' takes up to {solvers.MOST_RBS} RBs, the channels have {config.num_rbs}; "
                "use search"
            )

    solve = _PLAIN.get(name) or _Search(config.starts)
    exact = name in ("optimal", "exhaustive")
    return Method(name, METHODS[name].summary, solve, load=check, chunk=solvers.CHUNK, exact=exact)


@dataclass(frozen=True)
class Repaired:
    """A policy whose choice of RBs is made to serve every user, see `wirelax.solvers.uplink_qos.uplink_repair`."""

    solve: Callable[..., Solution]

    def __call__(self, state: PolicyState, problem: Any, key: PRNGKeyArray) -> Solution:
        """Decide one problem, then repair."""
        service = self.solve(state, problem, key).allocation["service"]
        return solvers.uplink_repair(problem, service, compare=False)


def policy(system: Any, name: str) -> Method:
    """A policy with the weights that come with the package: as trained, or repaired."""
    recipe = system.recipes[name.removesuffix(REPAIR)]
    solve = recipe.solve or PolicySolve(recipe.spec)
    solve = Repaired(solve) if name.endswith(REPAIR) else solve
    return shipped_method(system, name, METHODS[name].summary, recipe, solve=solve, chunk=solvers.CHUNK)
