"""Methods of the ultra-dense network: solvers, alone, with BSs without UEs silent, or polished."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from wirelax.kernels import association_load
from wirelax.problems import AssociationProblem, evaluate
from wirelax.solvers import association as solvers
from wirelax.systems.hudn.catalogue import METHODS
from wirelax.types import Method, Solution

__all__ = ["POLISH", "SILENT", "Polished", "Silenced", "method"]

SILENT, POLISH = "+silent", "+polish"
CHUNK = 8
"""Channels at once: the gains of one are 50 kB, so that the arrays of so many stay in the cache."""


@dataclass(frozen=True)
class _Plain:
    """A solver that needs no key."""

    function: Callable[[Any], Solution]

    def __call__(self, state: Any, problem: Any, key: PRNGKeyArray) -> Solution:
        return self.function(problem)


@dataclass(frozen=True)
class _Starts:
    """A solver with its number of starts."""

    function: Callable[..., Solution]
    starts: int

    def __call__(self, state: Any, problem: Any, key: PRNGKeyArray) -> Solution:
        return self.function(problem, key=key, starts=self.starts)


@dataclass(frozen=True)
class Silenced:
    """A method whose BSs without UEs transmit nothing."""

    solve: Callable[..., Solution]

    def __call__(self, state: Any, problem: AssociationProblem, key: PRNGKeyArray) -> Solution:
        """Decide one problem, then silence."""
        found = self.solve(state, problem, key)
        association = found.allocation["association"]
        serving = association_load(association, problem.num_bss) > 0
        power_w = jnp.where(serving, found.allocation["power_w"], 0.0)
        allocation = {"association": association, "power_w": power_w}
        return evaluate(problem, allocation, status=found.status, iterations=found.iterations)


@dataclass(frozen=True)
class Polished:
    """A method, and powers and single moves of UEs in turns after it; a policy, say."""

    solve: Callable[..., Solution]

    def __call__(self, state: Any, problem: AssociationProblem, key: PRNGKeyArray) -> Solution:
        """Decide one problem, then polish."""
        allocation = jax.lax.stop_gradient(self.solve(state, problem, key).allocation)
        return solvers.association_polish(problem, allocation)


_PLAIN: dict[str, Callable[[Any], Solution]] = {
    "maramp": solvers.association_maramp,
    "msuamp": solvers.association_msuamp,
    "msuapc": solvers.association_msuapc,
    "uamwser": solvers.association_uamwser,
    "juapcmwser": solvers.association_juapcmwser,
    "greedy": solvers.association_greedy,
    "uamwser-published": solvers.association_uamwser_published,
    "juapcmwser-published": solvers.association_juapcmwser_published,
}
_WITH_STARTS: dict[str, tuple[Callable[..., Solution], str]] = {
    "local-search": (solvers.association_local_search, "starts"),
    "direct": (solvers.association_direct, "starts"),
}


def method(system: Any, name: str) -> Method:
    """A solver, with what its suffixes say done after it."""
    base, *suffixes = name.split("+")
    if base in _PLAIN:
        solve: Any = _Plain(_PLAIN[base])
    else:
        function, field = _WITH_STARTS[base]
        solve = _Starts(function, getattr(system.config, field))
    for suffix in suffixes:
        solve = {SILENT: Silenced, POLISH: Polished}["+" + suffix](solve)
    return Method(name, METHODS[name].summary, solve, chunk=CHUNK)
