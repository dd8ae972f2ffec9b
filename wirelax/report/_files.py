"""Moved to `wirelax.io`; here until every import is."""

from wirelax.io.atomic import write_atomic

__all__ = ["write_atomic"]
