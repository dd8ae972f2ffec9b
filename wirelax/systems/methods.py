"""What can be run on a system: a method by name, a trained policy, a function of the user."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import PRNGKeyArray

from wirelax.errors import InputError, unknown_name
from wirelax.io import RunFolder
from wirelax.policies import Policy
from wirelax.problems import evaluate
from wirelax.systems.policies import trained_method
from wirelax.types import Method, Solution

__all__ = ["function_method", "method_of"]

POLICY = "policy:"
"""Before the folder of a training run in the name of a method."""


def method_of(system: Any, method: Any) -> Method:
    """The method that is meant.

    Args:
        system: to be solved.
        method: a name of ``system.methods``, ``policy:RUN_DIR``, a `Method`, a trained `Policy`, or a function
            ``problem -> allocation`` or ``(problem, key) -> allocation`` (a `Solution` will do as well).

    Raises:
        InputError: an unknown name (the message lists the valid ones), or a policy of another system.
    """
    if isinstance(method, Method):
        return method
    if isinstance(method, Policy):
        return trained_method(system, method)
    if isinstance(method, str) and method.startswith(POLICY):
        folder = Path(method.removeprefix(POLICY))
        return trained_method(system, RunFolder(folder).load_policy(), method)
    if isinstance(method, str):
        if method not in system.methods:
            raise unknown_name("method", method, [*system.methods, f"{POLICY}RUN_DIR"], f" for {system.name}")
        return system.methods[method]
    if callable(method):
        return function_method(method)
    raise InputError(f"a method is a name, a Method, a Policy or a function, not a {type(method).__name__}")


def function_method(function: Callable[..., Any], name: str | None = None) -> Method:
    """A method that calls a function of a problem, or of a problem and a key; its docstring is the summary."""
    name = name or getattr(function, "__name__", type(function).__name__).strip("_").replace("_", "-")
    summary = (getattr(function, "__doc__", None) or f"the function {name}").strip().splitlines()[0]
    return Method(name, summary, _Call(function, _takes_key(function)))


@dataclass(frozen=True)
class _Call:
    function: Callable[..., Any]
    with_key: bool

    def __call__(self, state: Any, problem: Any, key: PRNGKeyArray) -> Solution:
        found = self.function(problem, key) if self.with_key else self.function(problem)
        if isinstance(found, Solution):
            return found
        if not isinstance(found, Mapping):
            raise InputError(
                f"{self.function!r} returns a {type(found).__name__}; wanted is an allocation, a mapping of arrays by "
                "name, or a Solution"
            )
        return evaluate(problem, dict(found))


def _takes_key(function: Callable[..., Any]) -> bool:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return sum(p.kind in kinds and p.default is inspect.Parameter.empty for p in parameters) > 1
