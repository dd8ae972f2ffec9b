"""Energy-efficient subchannel and power allocation in a HetNet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wirelax.systems.hetnet_ee.config import HetNetConfig
    from wirelax.systems.hetnet_ee.system import HetNetEE

__all__ = ["HetNetConfig", "HetNetEE"]


def __getattr__(name: str):
    from importlib import import_module

    if name in __all__:
        module = {"HetNetConfig": "config", "HetNetEE": "system"}[name]
        return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
