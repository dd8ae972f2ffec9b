"""How much arithmetic the searches need, counted from their algorithms, and the time that it must take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from wirelax.problems import assignments
from wirelax.solvers.energy_efficiency import budget_corners, power_candidates, power_levels
from wirelax.solvers.energy_efficiency.exhaustive import MAX_ASSIGNMENTS_EACH

__all__ = ["Work", "link_work", "search_work"]

WORD = 4
"""Bytes of a float32."""


class Work(NamedTuple):
    """Operations of one channel, and bytes moved between the passes over its arrays."""

    logs: float
    divisions: float
    multiply_adds: float
    comparisons: float
    bytes: float

    def bound_seconds(self, rates: Mapping[str, float], *, cached: bool) -> float:
        """Least time at measured `rates` per second: all arithmetic in sequence, the traffic beside it.

        Args:
            rates: from `benchmarks.bound.machine_rates`.
            cached: whether the arrays stay in the cache between the passes.
        """
        operations = self._asdict()
        moved = operations.pop("bytes") / rates["cached_bytes" if cached else "memory_bytes"]
        return max(sum(count / rates[name] for name, count in operations.items()), moved)


def search_work(
    num_bs: int, users: int, subchannels: int, levels: int, iterations: float, *, range_db: float = 40.0
) -> dict[str, Work]:
    r"""Work of `exhaustive_search_reference` ("plain") and `exhaustive_search` ("fast") for one channel.

    With N BSs, M users each, K subchannels, L levels (in dB), I iterations, and

    - V = L^N power vectors of one subchannel, S ways to share K subchannels among M users with none left
      out, A = S^N assignments, T = M^N joint choices of users,
    - F level tuples of one BS within its budget, P = F^N power allocations, C corners of that set with
      per-subchannel level indices c,
    - R columns of the tables and Q points kept: R = A and Q = A up to `MAX_ASSIGNMENTS_EACH` assignments,
      R = T and Q = 1 above,

    the counts are, w = 4 being the bytes of a number:

    ===============  =====================  ==============================================================
    operation        plain                  fast
    ===============  =====================  ==============================================================
    logs             A P K N                K M N V
    divisions        A P (K N + 1)          K M N V + I Q
    multiply-adds    A P K N (N + 2)        K M N V (N + 1) + K T N V + I K (R V + A C^N + 2 Q)
    comparisons      2 A P                  I (R B + 3 A C^N + K Q V (N + 3))
    bytes            w A P (K N + 2)        2 w K M N V + w K R V (1 + 4 I) + 2 w I A C^N
    ===============  =====================  ==============================================================

    Plain, each of the A P candidates: K N links, each with N multiply-adds for signal, noise and
    interference, one for the sum rate, one for the total power; one division a link and one for the ratio;
    compared with the target and the best; powers read, score written and read.

    Fast: the tables once; in every iteration a price on power (R V), box maxima, their sum over subchannels
    (A C^N) and the look-up of the maximiser. Box maxima take B = sum_k sum_i C^i L^(N-1-i) sum_c (c_k + 1)
    comparisons a column, BS axes i = 0 .. N - 1; the first argmax over boxes is a maximum, an equality and a
    minimum; a look-up compares N levels with the box and finds the first argmax. The tables are written once
    and passed over four times an iteration. The rare search over whole tables, where the SE target binds, is
    not counted. Bytes are what the algorithm passes over; a compiler that stores intermediate arrays moves
    more.

    Args:
        num_bs: N.
        users: M, per BS.
        subchannels: K.
        levels: L, zero included.
        iterations: I, may be a mean over channels.
        range_db: span of the positive levels in dB.
    """
    grid = power_levels(levels, range_db)
    links = subchannels * num_bs
    shared = len(assignments(1, users, subchannels)) ** num_bs
    joint = users**num_bs
    candidates = shared * len(power_candidates(grid, 1, subchannels)) ** num_bs
    corners = budget_corners(grid, subchannels)
    vectors, boxes = levels**num_bs, len(corners) ** num_bs
    few = shared <= MAX_ASSIGNMENTS_EACH
    columns, points = (shared, shared) if few else (joint, 1)
    entries = links * users * vectors
    per_axis = sum(len(corners) ** i * levels ** (num_bs - 1 - i) for i in range(num_bs))
    maxima = per_axis * int((corners + 1).sum())
    table = subchannels * columns * vectors
    return {
        "plain": Work(
            logs=candidates * links,
            divisions=candidates * (links + 1),
            multiply_adds=candidates * links * (num_bs + 2),
            comparisons=2 * candidates,
            bytes=WORD * candidates * (links + 2),
        ),
        "fast": Work(
            logs=entries,
            divisions=entries + iterations * points,
            multiply_adds=entries * (num_bs + 1)
            + links * joint * vectors
            + iterations * (table + subchannels * (shared * boxes + 2 * points)),
            comparisons=iterations
            * (columns * maxima + 3 * shared * boxes + subchannels * points * vectors * (num_bs + 3)),
            bytes=WORD * (2 * entries + table * (1 + 4 * iterations) + 2 * iterations * shared * boxes),
        ),
    }


def link_work(links: int) -> Work:
    """Work of SINR and rate of one network: gains and powers read once, rates written once."""
    return Work(
        logs=links,
        divisions=links,
        multiply_adds=links * (links + 1),
        comparisons=0,
        bytes=WORD * (links * links + 2 * links),
    )
