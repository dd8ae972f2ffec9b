"""Measured speed of wirelax on this machine: the engine behind ``wirelax bench`` and `benchmarks/`.

Every time is a median over repeats after a warm-up, with compilation apart; rows that are compared run in
turns, so that a change of the machine's load meets all of them. Arrays are arguments of the compiled
functions: a captured constant would be folded at compile time and fake the timing.
"""

from __future__ import annotations

from wirelax.bench.engine import FULL, PARTS, QUICK, Sizes, run
from wirelax.bench.work import Work, search_work

__all__ = ["FULL", "PARTS", "QUICK", "Sizes", "Work", "run", "search_work"]
