"""The numerical methods of Yin et al. (2025) as one would write them in NumPy, from the equations, without wirelax.

The baseline of the benchmarks, and an independent check of the compiled methods: it shares no code with them, works in
float64, and takes gains and constants in physical units.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

__all__ = ["LONG", "NONE", "SHORT", "Cell", "Found", "cell_of", "prop_num_mu", "prop_num_su", "split", "two_levels"]

NONE, LONG, SHORT = 0, 1, 2
ROUNDING = 1e-12
"""Absolute, of sums of logarithms."""
TOLERANCE = 1e-10
"""Nats by which a rate may miss its target."""


class Cell(NamedTuple):
    """SNRs of all users at full power, and what ln(1 + SNR) must sum to over the RBs of a service, in nats."""

    snr: np.ndarray  # [user, rb], above 0
    long_need: float  # a
    short_base: float  # R_S ln 2 / W
    short_penalty: float  # Q^-1(eps) / sqrt(n)

    def short_need(self, count: float) -> float:
        """b(N_S): the short service over `count` RBs, with V = 1 in eq. (1)."""
        return self.short_base + self.short_penalty * math.sqrt(count)


class Found(NamedTuple):
    """Services [user, rb], shares of the budgets [user, rb], and whether every user is served."""

    service: np.ndarray
    power: np.ndarray
    feasible: bool

    @property
    def occupied(self) -> int:
        """RBs that carry a service, the objective (2a)."""
        return int((self.service != NONE).sum())


def cell_of(
    gain: np.ndarray,
    *,
    rate_long_bps: float,
    rate_short_bps: float,
    error_probability: float,
    max_power_w: float,
    rb_bandwidth_hz: float,
    slot_s: float,
) -> Cell:
    """A cell from gains over the noise of an RB [user, rb], 1/W, and constants; both rates above 0."""
    return Cell(
        snr=np.asarray(gain, np.float64) * max_power_w,
        long_need=rate_long_bps * math.log(2) / rb_bandwidth_hz,
        short_base=rate_short_bps * math.log(2) / rb_bandwidth_hz,
        short_penalty=float(-ndtri(error_probability)) / math.sqrt(rb_bandwidth_hz * slot_s),
    )


@functools.cache
def _subsets(size: int, count: int) -> np.ndarray:
    """All choices of `count` of `size` RBs, bool [subset, rb]."""
    chosen = np.array(list(itertools.combinations(range(size), count)))
    masks = np.zeros((len(chosen), size), bool)
    masks[np.arange(len(chosen))[:, None], chosen] = True
    return masks


def _capacity(snr: np.ndarray) -> float:
    """Nats that water-filling of the whole budget reaches over RBs in descending order of SNR."""
    count = np.arange(1, len(snr) + 1)
    level = (1 + np.cumsum(1 / snr)) / count
    active = np.flatnonzero(level * snr > 1)[-1]
    return float(np.log(level[active] * snr[: active + 1]).sum())


def _best_choice(snr: np.ndarray, count: int, need: float) -> tuple[float, np.ndarray | None]:
    """Problem (10): the `count` RBs of the short service that leave the long one most nats, all RBs with power."""
    others, short = len(snr) - count, _subsets(len(snr), count)
    budget = 1 + (1 / snr).sum()  # Q
    sums = short @ np.log(snr)  # x
    weakest_short = np.where(short, snr, np.inf).min(1)
    room = budget - others / np.where(short, np.inf, snr).min(1)
    lowest = np.where(room > 0, need - count * np.log(np.maximum(room, 1e-300) / count), np.inf)  # (10b)
    admissible = (sums >= lowest - ROUNDING) & (sums <= need + count * np.log(weakest_short) + ROUNDING)  # (10c)
    if not admissible.any():
        return -np.inf, None
    # Property 2: the long rate is concave in x, so the neighbours of its peak are enough.
    peak = need - count * np.log(budget / len(snr))  # (11)
    above = np.argmin(np.where(admissible & (sums >= peak), sums, np.inf))
    below = np.argmax(np.where(admissible & (sums <= peak), sums, -np.inf))
    near = np.array([i for i in (above, below) if admissible[i]])
    left = budget - count * np.exp((need - sums[near]) / count)  # N_L times the level of the long service, (8b)
    with np.errstate(invalid="ignore", divide="ignore"):
        nats = others * np.log(left / others) + np.log(snr).sum() - sums[near]  # (9)
    nats = np.where(left > 0, nats, -np.inf)
    best = int(np.argmax(nats))
    return float(nats[best]), short[near[best]]


def split(snr: np.ndarray, cell: Cell) -> np.ndarray | None:
    """Problem (3): which of a user's RBs carry its short service, if all of them carry one; None if they cannot.

    The first number of RBs with which both rates are met is taken. What (9) is at its peak, whatever the subset, rules
    out the numbers that leave too little.
    """
    budget = 1 + (1 / snr).sum()
    peak = len(snr) * np.log(budget / len(snr)) + np.log(snr).sum()
    for count in range(1, len(snr)):
        need = cell.short_need(count)
        if peak - need < cell.long_need - TOLERANCE:
            return None
        nats, short = _best_choice(snr, count, need)
        if nats >= cell.long_need - TOLERANCE:
            return short
    return None


def two_levels(snr: np.ndarray, short: np.ndarray, cell: Cell) -> np.ndarray:
    """Eqs. (5) and (8): shares of the budget on a user's RBs, which it uses up."""
    count = int(short.sum())
    level_short = np.exp((cell.short_need(count) - np.log(snr[short]).sum()) / count)
    level_long = (1 + (1 / snr).sum() - count * level_short) / (len(snr) - count)
    return np.where(short, level_short, level_long) - 1 / snr


def _served(snr: np.ndarray, cell: Cell) -> tuple[np.ndarray, np.ndarray] | None:
    """Services and shares on a user's RBs, or None."""
    if len(snr) < 2 or _capacity(np.sort(snr)[::-1]) < cell.long_need + cell.short_base:
        return None
    short = split(snr, cell)
    return None if short is None else (np.where(short, SHORT, LONG), two_levels(snr, short, cell))


def prop_num_su(cell: Cell) -> Found:
    """Prop-Num-SU, the optimum of one user: one RB more, in descending order of SNR, until the user is served."""
    snr = cell.snr[0]
    order = np.argsort(-snr, kind="stable")
    service, power = np.zeros(cell.snr.shape, int), np.zeros(cell.snr.shape)
    for count in range(2, len(snr) + 1):
        chosen = order[:count]
        found = _served(snr[chosen], cell)
        if found is not None:
            service[0, chosen], power[0, chosen] = found
            return Found(service, power, True)
    return Found(service, power, False)


def prop_num_mu(cell: Cell) -> Found:
    """Prop-Num-MU: users take their best free RB in turns, and leave with what they have when it serves them."""
    users, rbs = cell.snr.shape
    free, own = np.ones(rbs, bool), [[] for _ in range(users)]
    service, power = np.zeros((users, rbs), int), np.zeros((users, rbs))
    waiting = list(range(users))
    while waiting and free.any():
        for user in waiting:
            if free.any():
                taken = int(np.argmax(np.where(free, cell.snr[user], -np.inf)))
                free[taken] = False
                own[user].append(taken)
        for user in tuple(waiting):
            found = _served(cell.snr[user, own[user]], cell)
            if found is not None:
                service[user, own[user]], power[user, own[user]] = found
                waiting.remove(user)
    return Found(service, power, not waiting)
