"""The problems that wirelax ships, by name, and the registry that a user's own joins. Imports nothing heavy."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from wirelax.errors import InputError, unknown_name
from wirelax.systems.catalogue import summary_of

__all__ = ["Listing", "get", "listing", "load_plugin", "load_plugins", "names", "register"]

_SHIPPED = {
    "hetnet-ee": ("wirelax.systems.hetnet_ee", "HetNetEE"),
    "noma": ("wirelax.systems.noma", "Noma"),
}
"""Name -> package, whose module ``catalogue`` lists what there is, and the class in its module ``system``."""
_registered: dict[str, Callable[..., Any]] = {}

ENTRY_POINTS = "wirelax.systems"
"""Group of entry points that installed packages put their systems in: ``name = "module:SystemClass"``."""


class Listing(NamedTuple):
    """A system in short: one line on it, on its methods and on the policies that can be trained."""

    summary: str
    methods: Mapping[str, str]
    policies: Mapping[str, str]


def names() -> list[str]:
    """Names of all systems, shipped and registered."""
    return [*_SHIPPED, *_registered]


def register(name: str, factory: Callable[..., Any]) -> None:
    """Add a system of your own: ``factory(**config)`` must return a `System`, as its class does.

    Raises:
        InputError: the name is taken, or something is missing or wrong; the message names the member and what is
            wanted.
    """
    if name in names():
        raise InputError(f"a system called {name!r} exists already; choose another name")
    from wirelax.systems.check import check_system

    check_system(name, factory)
    _registered[name] = factory


def get(name: str, **config: Any) -> Any:
    """The system of that name, with fields of its configuration replaced.

    Raises:
        InputError: unknown name, unknown field, or a value out of range; the message lists the valid ones.
    """
    if name in _registered:
        return _registered[name](**config)
    if name not in _SHIPPED:
        raise unknown_name("system", name, names())
    module, attribute = _SHIPPED[name]
    return getattr(importlib.import_module(f"{module}.system"), attribute)(**config)


def listing(name: str) -> Listing:
    """What a system offers. Of the shipped ones only their catalogues are read."""
    if name in _SHIPPED:
        catalogue = importlib.import_module(f"{_SHIPPED[name][0]}.catalogue")
        lines = ({key: entry.summary for key, entry in of.items()} for of in (catalogue.METHODS, catalogue.RECIPES))
        return Listing(catalogue.SUMMARY, *lines)
    system = get(name)
    methods, recipes = ({key: summary_of(of, key) for key in of} for of in (system.methods, system.recipes))
    return Listing(system.summary, methods, recipes)


def load_plugin(module: str) -> None:
    """Import a module, which registers its systems; modules of the current folder are found too.

    Raises:
        InputError: it does not import.
    """
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"plugin {module!r} does not import ({error}); give the name of a module, such as 'mypackage.mysystem'"
        ) from error


def load_plugins() -> None:
    """Register the systems that installed packages announce as entry points of the group `ENTRY_POINTS`."""
    for point in entry_points(group=ENTRY_POINTS):
        if point.name not in names():
            register(point.name, point.load())
