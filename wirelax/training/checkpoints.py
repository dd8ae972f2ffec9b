"""Moved to `wirelax.io`; here until every import is."""

from wirelax.io.checkpoints import Checkpoints

__all__ = ["Checkpoints"]
