"""Power allocation and user scheduling in downlink NOMA: paper 2 and beyond."""

from wirelax.systems.noma.config import NomaConfig
from wirelax.systems.noma.system import Noma

__all__ = ["Noma", "NomaConfig"]
