"""Measured speed of wirelax on a machine: what ``wirelax bench`` runs, with the references that only it needs.

Every time is over several runs after a warm-up, with compilation apart; rows that are compared run in turns, so that
a change of the machine's load meets all of them. Arrays are arguments of the compiled functions: a captured constant
would be folded at compile time and fake the timing.

In a wheel this package is called ``wirelax_benchmarks``, so that it takes no common name: imports inside of it are
relative.
"""

from __future__ import annotations

from .engine import FULL, PARTS, QUICK, Sizes, run
from .table import to_table
from .work import Work, search_work

__all__ = ["FULL", "PARTS", "QUICK", "Sizes", "Work", "run", "search_work", "to_table"]
