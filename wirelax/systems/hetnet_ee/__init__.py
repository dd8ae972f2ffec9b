"""Energy-efficient subchannel and power allocation in a HetNet: paper 1 and beyond."""

from wirelax.systems.hetnet_ee.config import HetNetConfig
from wirelax.systems.hetnet_ee.system import HetNetEE

__all__ = ["HetNetConfig", "HetNetEE"]
