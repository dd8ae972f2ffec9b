"""The problems that wirelax ships, by name, and the registry that a user's own joins."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from wirelax.systems.base import (
    ArraySpec,
    Curves,
    Method,
    PaperFigure,
    Reproduction,
    Sweep,
    System,
    bounded,
    check_config,
    override_config,
)

__all__ = [
    "ArraySpec",
    "Curves",
    "Method",
    "PaperFigure",
    "Reproduction",
    "Sweep",
    "System",
    "bounded",
    "check_config",
    "get",
    "names",
    "override_config",
    "register",
]

_SHIPPED = {"hetnet-ee": "wirelax.systems.hetnet_ee:HetNetEE", "noma": "wirelax.systems.noma:Noma"}
_registered: dict[str, Callable[..., System]] = {}


def names() -> list[str]:
    """Names of all systems, shipped and registered."""
    return [*_SHIPPED, *_registered]


def register(name: str, factory: Callable[..., System]) -> None:
    """Add a system of your own: ``factory(**config)`` must return a `System`.

    Raises:
        ValueError: the name is taken.
    """
    if name in names():
        raise ValueError(f"a system called {name!r} exists already; choose another name")
    _registered[name] = factory


def get(name: str, **config: Any) -> System:
    """The system of that name, with fields of its configuration replaced.

    Raises:
        ValueError: unknown name, unknown field, or a value out of range; the message lists the valid ones.
    """
    if name in _registered:
        return _registered[name](**config)
    if name not in _SHIPPED:
        raise ValueError(f"unknown system {name!r}; valid systems: {', '.join(names())}")
    module, attribute = _SHIPPED[name].split(":")
    return getattr(importlib.import_module(module), attribute)(**config)
