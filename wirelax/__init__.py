"""wirelax: differentiable radio-resource allocation in JAX.

The physics is written once, as pure functions of one network (`wirelax.kernels`); exhaustive search,
classical solvers, learned policies and evaluation all run through it. Submodules load on first use, so
``import wirelax`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from wirelax._version import __version__

if TYPE_CHECKING:
    from wirelax import (
        channels,
        execution,
        io,
        kernels,
        policies,
        problems,
        report,
        smoothing,
        solvers,
        systems,
        training,
        types,
        units,
    )
    from wirelax.api import compare, sample, solve

_FUNCTIONS = ("compare", "sample", "solve")
_SUBMODULES = (
    "channels",
    "execution",
    "io",
    "kernels",
    "policies",
    "problems",
    "report",
    "smoothing",
    "solvers",
    "systems",
    "training",
    "types",
    "units",
)

__all__ = [
    "__version__",
    "channels",
    "compare",
    "execution",
    "io",
    "kernels",
    "policies",
    "problems",
    "report",
    "sample",
    "smoothing",
    "solve",
    "solvers",
    "systems",
    "training",
    "types",
    "units",
]


def __getattr__(name: str):
    if name in _FUNCTIONS:
        return getattr(importlib.import_module("wirelax.api"), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"wirelax.{name}")
    raise AttributeError(f"module 'wirelax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
