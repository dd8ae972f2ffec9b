"""The problems that wirelax ships, by name, and the registry that a user's own joins.

Names load on first use, so that listing the systems takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from wirelax.systems.registry import add_recipe, get, listing, load_plugin, load_plugins, names, register

if TYPE_CHECKING:
    from wirelax.systems.base import ArraySpec, System
    from wirelax.systems.channels import check_channels, load_channels
    from wirelax.systems.config import bounded
    from wirelax.systems.methods import function_method, method_of
    from wirelax.systems.paper import Curves, PaperFigure, Reproduction, Study, Sweep
    from wirelax.systems.recipe import Labels, Recipe, Stage, fresh_problems, labelled_rows
    from wirelax.systems.run import BatchResult, make_problems, sample_channels, solve_batch
    from wirelax.systems.train import train_policy
    from wirelax.types import Method

_LATER = {
    "ArraySpec": "base",
    "BatchResult": "run",
    "Curves": "paper",
    "Labels": "recipe",
    "PaperFigure": "paper",
    "Recipe": "recipe",
    "Reproduction": "paper",
    "Stage": "recipe",
    "Study": "paper",
    "Sweep": "paper",
    "System": "base",
    "bounded": "config",
    "check_channels": "channels",
    "fresh_problems": "recipe",
    "function_method": "methods",
    "labelled_rows": "recipe",
    "load_channels": "channels",
    "make_problems": "run",
    "method_of": "methods",
    "sample_channels": "run",
    "solve_batch": "run",
    "train_policy": "train",
}

__all__ = [
    "ArraySpec",
    "BatchResult",
    "Curves",
    "Labels",
    "Method",
    "PaperFigure",
    "Recipe",
    "Reproduction",
    "Stage",
    "Study",
    "Sweep",
    "System",
    "add_recipe",
    "bounded",
    "check_channels",
    "fresh_problems",
    "function_method",
    "get",
    "labelled_rows",
    "listing",
    "load_channels",
    "load_plugin",
    "load_plugins",
    "make_problems",
    "method_of",
    "names",
    "register",
    "sample_channels",
    "solve_batch",
    "train_policy",
]


def __getattr__(name: str):
    if name == "Method":
        return importlib.import_module("wirelax.types").Method
    if name in _LATER:
        return getattr(importlib.import_module(f"wirelax.systems.{_LATER[name]}"), name)
    raise AttributeError(f"module 'wirelax.systems' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
