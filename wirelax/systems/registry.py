"""The problems that wirelax ships, by name, and the registry that a user's own joins. Imports nothing heavy."""

from __future__ import annotations

import importlib
import os
import sys
from collections import ChainMap
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from wirelax.errors import InputError, unknown_name
from wirelax.systems.catalogue import Catalogue, Entry, summary_of

__all__ = [
    "Listing",
    "add_recipe",
    "get",
    "listing",
    "load_plugin",
    "load_plugins",
    "names",
    "recipes_of",
    "register",
]

_SHIPPED = {
    "hetnet-ee": ("wirelax.systems.hetnet_ee", "HetNetEE"),
    "noma": ("wirelax.systems.noma", "Noma"),
    "uplink-qos": ("wirelax.systems.uplink_qos", "UplinkQos"),
    "hudn": ("wirelax.systems.hudn", "Hudn"),
}
"""Name -> package, whose module ``catalogue`` lists what there is, and the class in its module ``system``."""
_registered: dict[str, Callable[..., Any]] = {}
_added: dict[str, dict[str, Entry]] = {}
"""System -> recipes of users."""

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


def add_recipe(system: str, name: str, build: Callable[[Any], Any], summary: str = "") -> None:
    """Add a policy of your own to a system: ``wirelax train`` then trains it, and ``policy:RUN_DIR`` runs it.

    Args:
        system: name of a system, shipped or registered.
        name: of the recipe; adding it again replaces it.
        build: ``system -> Recipe``, called when the recipe is asked for; the configuration of the system has the
            sizes.
        summary: one line for listings.

    Raises:
        InputError: there is no such system, or it has a recipe of that name itself.
    """
    if system not in names():
        raise unknown_name("system", system, names())
    added = _added.setdefault(system, {})
    if name in listing(system).policies and name not in added:
        raise InputError(f"{system} has a policy called {name!r} already; choose another name")
    added[name] = Entry(summary, lambda fitted, _: build(fitted))


def recipes_of(system: Any) -> Mapping[str, Any]:
    """Policies of a system that can be trained, by name: its own and those that were added."""
    added: Any = Catalogue(_added.get(system.name, {}), system)
    return ChainMap(added, system.recipes)


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
    added = {key: entry.summary for key, entry in _added.get(name, {}).items()}
    if name in _SHIPPED:
        catalogue = importlib.import_module(f"{_SHIPPED[name][0]}.catalogue")
        methods, recipes = (
            {key: entry.summary for key, entry in of.items()} for of in (catalogue.METHODS, catalogue.RECIPES)
        )
        return Listing(catalogue.SUMMARY, methods, {**recipes, **added})
    system = get(name)
    methods, recipes = ({key: summary_of(of, key) for key in of} for of in (system.methods, system.recipes))
    return Listing(system.summary, methods, {**recipes, **added})


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
