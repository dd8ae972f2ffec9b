"""What is missing or wrong in a user's own system, said when it is registered and not from within JAX."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax

from wirelax.errors import InputError
from wirelax.systems.base import System
from wirelax.types import Method

__all__ = ["check_system"]

_WANTED = {
    "sample": "sample(self, key), which returns a mapping of arrays",
    "problem": "problem(self, channel), which returns a problem with utility(allocation) and violations(allocation)",
    "methods": "a property methods, which returns a mapping from names to wirelax.types.Method",
}


def check_system(name: str, factory: Callable[..., Any]) -> System:
    """The system that a factory makes, checked: channels, problems and methods are tried by their shapes.

    Raises:
        InputError: the message names the member that is missing or wrong, and what is wanted.
    """
    subject = f"system {name!r}"
    try:
        system = factory()
    except TypeError as error:
        raise InputError(f"{subject}: {factory!r} cannot be called without arguments ({error})") from error
    if not isinstance(system, System):
        raise InputError(f"{subject}: {type(system).__name__} is no subclass of wirelax.systems.System; make it one")
    if getattr(system, "name", None) != name:
        raise InputError(f"{subject}: its attribute 'name' is {getattr(system, 'name', None)!r}; set it to {name!r}")
    if not dataclasses.is_dataclass(getattr(system, "config", None)):
        raise InputError(f"{subject}: its attribute 'config' is no dataclass; set it to an instance of a frozen one")
    for member, wanted in _WANTED.items():
        if getattr(type(system), member) is getattr(System, member):
            raise InputError(f"{subject} has no {member!r}; add {wanted}")
    _try_shapes(subject, system)
    return system


def _try_shapes(subject: str, system: System) -> None:
    channel = _tried(subject, "sample", lambda: jax.eval_shape(system.sample, jax.random.key(0)))
    if not isinstance(channel, Mapping) or not channel:
        raise InputError(f"{subject}: sample returns {type(channel).__name__}; wanted is a mapping of arrays by name")
    unknown = [spec.name for spec in system.arrays if spec.required and spec.name not in channel]
    if unknown:
        raise InputError(f"{subject}: sample returns no array {unknown[0]!r}, which 'arrays' declares; return it")
    problem = _tried(subject, "problem", lambda: jax.eval_shape(system.problem, channel))
    for member in ("utility", "violations"):
        if not callable(getattr(problem, member, None)):
            raise InputError(f"{subject}: its problem has no {member}(allocation); add it")
    methods = system.methods
    if not isinstance(methods, Mapping) or not methods:
        raise InputError(
            f"{subject}: 'methods' is {type(methods).__name__}; wanted is a mapping with one method at least"
        )
    for key, method in methods.items():
        if not isinstance(method, Method):
            raise InputError(f"{subject}: method {key!r} is a {type(method).__name__}; wanted is wirelax.types.Method")


def _tried(subject: str, member: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"{subject}: {member} fails on traced arrays: {type(error).__name__}: {line}") from error
