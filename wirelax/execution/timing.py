"""Timing of compiled programs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

__all__ = ["timed", "timed_warm"]

TIMED_RUNS = 5
WARM_UP_BELOW_S = 5.0
"""First runs faster than this run again, up to `TIMED_RUNS` times or this long in all; the median counts."""


def timed(run: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """Result of one run and its seconds, until it is ready."""
    began = time.perf_counter()
    found = jax.block_until_ready(run(*arguments))
    return found, time.perf_counter() - began


def timed_warm(run: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """`timed`, of the median of several runs where they are short.

    The first run pays for touching new memory, and any run may be held up by the machine.
    """
    found, first = timed(run, *arguments)
    elapsed: list[float] = []
    while len(elapsed) < TIMED_RUNS and first + sum(elapsed) < WARM_UP_BELOW_S:
        elapsed.append(timed(run, *arguments)[1])
    return found, float(np.median(elapsed or [first]))
