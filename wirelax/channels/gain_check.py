"""Moved to `wirelax.io`; here until every import is."""

from wirelax.io.checks import check_flag, check_gain

__all__ = ["check_flag", "check_gain"]
