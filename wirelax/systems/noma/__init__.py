"""Power allocation and user scheduling in downlink NOMA."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wirelax.systems.noma.config import NomaConfig
    from wirelax.systems.noma.system import Noma

__all__ = ["Noma", "NomaConfig"]


def __getattr__(name: str):
    from importlib import import_module

    if name in __all__:
        module = {"NomaConfig": "config", "Noma": "system"}[name]
        return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
