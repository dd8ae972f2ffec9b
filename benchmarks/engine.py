"""All benchmarks in one run."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from wirelax.errors import InputError
from wirelax.report.machine import machine_summary

from .bound import machine_rates
from .hudn import hudn_rows
from .interior_point import interior_point_rows
from .kernels import kernel_rows
from .search import LABELS, search_rows, solver_rows
from .uplink_qos import uplink_rows

__all__ = ["FULL", "PARTS", "QUICK", "Sizes", "run"]

PARTS = ("search", "solvers", "interior-point", "uplink", "hudn", "kernels")
"""What can be timed apart."""

BOUND_REPEATS = 4
"""Times the repeats of the rest, for the machine's bounds: they are short, and their best run counts."""
LOOP_ROUNDS = 2
"""The same for interior point against loops: short batches against long loops need many turns to be compared."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much to time.

    Attributes:
        levels: power levels of the exhaustive search, zero included.
        channels: channels of the fast search.
        plain_channels: channels of the plain search; at most `channels`.
        numpy_channels: channels of the vectorised NumPy search; at most `plain_channels`.
        loop_candidates: candidates of one channel that the NumPy loop is timed on.
        solver_channels: channels of the continuous solvers.
        noma_channels: channels of the batched interior point method.
        scipy_channels: of these, the ones that SciPy solves.
        uplink_channels: channels of the batched uplink QoS methods.
        uplink_numpy_channels: of these, the ones that NumPy solves.
        hudn_events: events of the batched methods of the ultra-dense network.
        hudn_numpy_events: of these, the ones that NumPy solves.
        hudn_training: whether to time a step of its training as well, which takes minutes to compile.
        networks: networks in the batch of the kernels.
        loop_networks: networks that the NumPy loop is timed on.
        bound_elements: length of the arrays that the bounds of the machine are measured with.
        repeats: timed runs of everything, after one that is not timed.
    """

    levels: int = 6
    channels: int = LABELS
    plain_channels: int = 64
    numpy_channels: int = 8
    loop_candidates: int = 8_000
    solver_channels: int = 512
    noma_channels: int = 2048
    scipy_channels: int = 40
    uplink_channels: int = 4096
    uplink_numpy_channels: int = 200
    hudn_events: int = 256
    hudn_numpy_events: int = 16
    hudn_training: bool = True
    networks: int = 1_000_000
    loop_networks: int = 20_000
    bound_elements: int = 2**20
    repeats: int = 7


FULL = Sizes()
QUICK = Sizes(
    channels=2_000,
    plain_channels=16,
    numpy_channels=2,
    loop_candidates=2_000,
    solver_channels=64,
    noma_channels=256,
    scipy_channels=4,
    uplink_channels=512,
    uplink_numpy_channels=20,
    hudn_events=32,
    hudn_numpy_events=4,
    hudn_training=False,
    loop_networks=4_000,
    bound_elements=2**18,
    repeats=3,
)


def run(
    quick: bool = False,
    progress: Callable[[str], None] | None = None,
    *,
    sizes: Sizes | None = None,
    only: Sequence[str] = PARTS,
) -> dict[str, Any]:
    """Time the searches, the solvers and the kernels on this machine.

    Args:
        quick: smaller batches and fewer repeats: under a minute in place of several.
        progress: called with a line of text before each part.
        sizes: how much to time, in place of what `quick` chooses.
        only: the parts wanted, some of `PARTS`.

    Returns:
        ``machine`` (`wirelax.report.machine_summary`), ``quick``, ``load_average`` (over one minute, before
        and after, or None; well above 0 before means that something else ran) and ``results``: rows with
        ``name``, ``unit``, ``count``, ``seconds`` (median) and further fields, ready for JSON.

    Raises:
        InputError: an unknown part.
    """
    if unknown := [part for part in only if part not in PARTS]:
        raise InputError(f"unknown part {unknown[0]!r} of the benchmark; choose from {', '.join(PARTS)}")
    sizes = sizes or (QUICK if quick else FULL)
    say = progress or (lambda text: None)
    load_before, rates, results = _load(), {}, []
    if "search" in only or "kernels" in only:
        say("machine bounds: logarithms, divisions, multiply-adds, comparisons, memory")
        rates, results = machine_rates(sizes.bound_elements, BOUND_REPEATS * sizes.repeats)
    if "search" in only:
        say(f"exhaustive search, {sizes.levels} levels: NumPy, plain, tabulated ({sizes.channels} channels)")
        results += search_rows(
            levels=sizes.levels,
            channels=sizes.channels,
            plain_channels=sizes.plain_channels,
            numpy_channels=sizes.numpy_channels,
            loop_candidates=sizes.loop_candidates,
            repeats=sizes.repeats,
            rates=rates,
        )
    if "solvers" in only:
        say(f"continuous solvers ({sizes.solver_channels} channels)")
        results += solver_rows(levels=sizes.levels, channels=sizes.solver_channels, repeats=sizes.repeats)
    if "interior-point" in only:
        say(f"interior point against SciPy ({sizes.noma_channels} channels)")
        results += interior_point_rows(
            channels=sizes.noma_channels,
            scipy_channels=sizes.scipy_channels,
            repeats=LOOP_ROUNDS * sizes.repeats,
        )
    if "uplink" in only:
        say(f"uplink QoS against NumPy ({sizes.uplink_channels} channels)")
        results += uplink_rows(
            channels=sizes.uplink_channels, numpy_channels=sizes.uplink_numpy_channels, repeats=sizes.repeats
        )
    if "hudn" in only:
        say(f"ultra-dense network against NumPy ({sizes.hudn_events} events)")
        results += hudn_rows(
            events=sizes.hudn_events,
            numpy_events=sizes.hudn_numpy_events,
            repeats=sizes.repeats,
            training=sizes.hudn_training,
        )
    if "kernels" in only:
        say(f"kernels: SINR and rate of {sizes.networks} networks")
        results += kernel_rows(
            networks=sizes.networks, loop_networks=sizes.loop_networks, repeats=sizes.repeats, rates=rates
        )
    return {
        "machine": machine_summary(),
        "quick": quick,
        "load_average": None if load_before is None else [load_before, _load()],
        "results": results,
    }


def _load() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
