"""Methods of the NOMA system: solvers, heuristics, and its policies with the weights that come with the package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import PRNGKeyArray

from wirelax.policies import PolicySolve, PolicySpec
from wirelax.policies.noma import Powers
from wirelax.solvers import noma as solvers
from wirelax.systems.noma.catalogue import METHODS
from wirelax.systems.policies import shipped_method
from wirelax.types import Method, Solution

__all__ = ["method", "policy"]


@dataclass(frozen=True)
class _Starts:
    """A solver with its number of starts."""

    function: Callable[..., Solution]
    starts: int

    def __call__(self, state: None, problem: Any, key: PRNGKeyArray) -> Solution:
        return self.function(problem, key=key, starts=self.starts)


def _paus_ip(problem: Any, *, key: PRNGKeyArray, starts: int) -> Solution:
    # One start a round: more have not been seen to find better powers (tests/solvers/noma/test_power.py).
    return solvers.paus(problem, lambda scheduled: solvers.noma_power(scheduled, starts=1, key=key))


def _swap_matching(state: None, problem: Any, key: PRNGKeyArray) -> Solution:
    return solvers.swap_matching(problem)


def _max_power(state: None, problem: Any, key: PRNGKeyArray) -> Solution:
    return solvers.equal_power(problem)


def _random_power(state: None, problem: Any, key: PRNGKeyArray) -> Solution:
    return solvers.random_power(problem, key=key)


_WITH_STARTS = {
    "interior-point": solvers.noma_power,
    "gradient": solvers.noma_gradient,
    "paus-ip": _paus_ip,
    "joint": solvers.noma_joint,
}
_PLAIN = {"swap-matching": _swap_matching, "max-power": _max_power, "random-power": _random_power}


def method(system: Any, name: str) -> Method:
    """A solver or a heuristic."""
    if name in _WITH_STARTS:
        solve: Any = _Starts(_WITH_STARTS[name], system.config.starts)
    else:
        solve = _PLAIN[name]
    chunk = solvers.CHUNK if name in (*_WITH_STARTS, "swap-matching") else None
    return Method(name, METHODS[name].summary, solve, chunk=chunk)


@dataclass(frozen=True)
class _PolicyInTurns:
    """A policy and swap matching in turns."""

    spec: PolicySpec

    def __call__(self, state: Any, problem: Any, key: PRNGKeyArray) -> Solution:
        """Start from the schedule of the problem."""
        solve = PolicySolve(self.spec)
        return solvers.paus(problem, lambda scheduled: solve(state, scheduled, key))


_IN_TURNS = {"paus": "dnn", "paus-equivariant": "equivariant"}


def policy(system: Any, name: str) -> Method:
    """A policy with the weights that come with the package: as trained, without its repair, or with swap matching."""
    recipe = system.recipes[_IN_TURNS.get(name, name.removesuffix("-raw"))]
    summary = METHODS[name].summary
    if name in _IN_TURNS:
        method = shipped_method(system, name, summary, recipe, solve=_PolicyInTurns(recipe.spec))
        return replace(method, chunk=solvers.CHUNK)
    spec = replace(recipe.spec, head=Powers("raw")) if name.endswith("-raw") else recipe.spec
    return shipped_method(system, name, summary, recipe, spec=spec)
