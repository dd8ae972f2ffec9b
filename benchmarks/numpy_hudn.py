"""The classical methods of the ultra-dense network as one would write them in NumPy, one event after the other.

The baseline of the benchmarks, and an independent check of the compiled methods: it shares no code with them and works
in float64. Arrays over UEs and BSs, Python loops over iterations. Constants are those of `wirelax.solvers.association`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = [
    "Event",
    "Found",
    "evaluate",
    "juapcmwser",
    "maramp",
    "msuamp",
    "power_polish",
    "scale_powers",
    "sum_of_ratios",
    "switching_moves",
    "uamwser",
]

LEAST_POWER = 1e-8
LEAST_START, LEAST_SEEN = 1e-3, 1e-4
SMALLEST_GAIN = 1e-9


class Event(NamedTuple):
    """SNRs of all links at full power [ue, bs], 0 where out of reach; every UE is within reach of some BS."""

    snr: np.ndarray

    def efficiencies(self, power: np.ndarray) -> np.ndarray:
        """log2(1 + SINR) of all links [ue, bs], bit/s/Hz."""
        received = self.snr * power
        return np.log2(1 + received / (1 + received.sum(1, keepdims=True) - received))

    def out_of_reach(self, score: np.ndarray) -> np.ndarray:
        """A score with -inf where a BS does not reach a UE."""
        return np.where(self.snr > 0, score, -np.inf)


class Found(NamedTuple):
    """The BS of every UE, and the powers as shares of the budgets."""

    association: np.ndarray
    power: np.ndarray


def _rates(efficiency: np.ndarray, association: np.ndarray) -> np.ndarray:
    load = np.bincount(association, minlength=efficiency.shape[1])
    return efficiency[np.arange(len(association)), association] / load[association]


def evaluate(event: Event, found: Found) -> dict[str, float]:
    """Sum rate in bit/s/Hz, Jain's index, 5th percentile, median and serving BSs."""
    rates = _rates(event.efficiencies(found.power), found.association)
    return {
        "sum_rate": float(rates.sum()),
        "jain_index": float(rates.sum() ** 2 / (len(rates) * (rates**2).sum())),
        "rate_p5": float(np.percentile(rates, 5)),
        "rate_median": float(np.median(rates)),
        "serving_bss": float(len(np.unique(found.association))),
    }


def maramp(event: Event) -> Found:
    """Every UE at its strongest BS, all at full power."""
    return Found(event.snr.argmax(1), np.ones(event.snr.shape[1]))


def msuamp(event: Event, steps: int = 40) -> Found:
    """The association of the highest sum of log rates at full power: prices of the BSs, then single moves of UEs."""
    ues, bss = event.snr.shape
    power = np.ones(bss)
    with np.errstate(divide="ignore"):
        log_eff = event.out_of_reach(np.log(event.efficiencies(power)))

    def value(association: np.ndarray) -> float:
        load = np.bincount(association, minlength=bss)
        shared = load[load > 0]
        return float(log_eff[np.arange(ues), association].sum() - (shared * np.log(shared)).sum())

    best = log_eff.argmax(1)
    price = 1 + np.log(np.maximum(np.bincount(best, minlength=bss), 0.5))
    for t in range(steps):
        association = (log_eff - price).argmax(1)
        load = np.bincount(association, minlength=bss)
        if value(association) > value(best):
            best = association
        wanted = np.minimum(np.exp(price - 1), ues)
        price -= 0.3 / np.sqrt(1 + t) * (wanted - load) / np.maximum(np.maximum(wanted, load), 1)
    return Found(_moves(best, lambda a: _log_gains(log_eff, a), 2 * ues), power)


def _x_ln_x(count: np.ndarray) -> np.ndarray:
    return count * np.log(np.maximum(count, 1))


def _log_gains(log_eff: np.ndarray, association: np.ndarray) -> np.ndarray:
    """What the sum of log rates gains by each move of one UE [ue, bs]."""
    load = np.bincount(association, minlength=log_eff.shape[1])
    leaves = (_x_ln_x(load) - _x_ln_x(load - 1))[association]
    enters = _x_ln_x(load + 1) - _x_ln_x(load)
    own = log_eff[np.arange(len(log_eff)), association]
    return log_eff - own[:, None] + leaves[:, None] - enters


def _sum_rate_gains(efficiency: np.ndarray, association: np.ndarray) -> np.ndarray:
    """What the sum rate gains by each move of one UE at fixed powers [ue, bs]."""
    own = efficiency[np.arange(len(efficiency)), association]
    load = np.bincount(association, minlength=efficiency.shape[1])
    total = np.bincount(association, own, minlength=efficiency.shape[1])
    mean = total / np.maximum(load, 1)
    entering = (total + efficiency) / (load + 1) - mean
    others = load[association] - 1
    left = np.where(others > 0, (total[association] - own) / np.maximum(others, 1), 0.0)
    return entering + (left - mean[association])[:, None]


def _moves(association: np.ndarray, gains: Callable[[np.ndarray], np.ndarray], most: int) -> np.ndarray:
    """The best single move again and again, until none helps."""
    association = association.copy()
    for _ in range(most):
        gain = gains(association)
        gain[np.arange(len(association)), association] = 0.0
        ue, bs = np.unravel_index(gain.argmax(), gain.shape)
        if gain[ue, bs] <= SMALLEST_GAIN:
            break
        association[ue] = bs
    return association


def sum_of_ratios(event: Event, power: np.ndarray, start: np.ndarray, steps: int) -> np.ndarray:
    """The association of the highest sum rate at fixed powers, as a sum of ratios."""
    bss = event.snr.shape[1]
    efficiency = event.efficiencies(power)

    def ratios(association: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        load = np.maximum(np.bincount(association, minlength=bss), 1)
        own = efficiency[np.arange(len(association)), association]
        return 1 / load, np.bincount(association, own, minlength=bss) / load

    best = start
    scale, mean = ratios(start)
    value = mean.sum()
    for t in range(steps):
        association = event.out_of_reach(scale * (efficiency - mean)).argmax(1)
        new_scale, new_mean = ratios(association)
        if new_mean.sum() > value:
            best, value = association, new_mean.sum()
        damping = 1 / np.sqrt(1 + t)
        scale = scale + damping * (new_scale - scale)
        mean = mean + damping * (new_mean - mean)
    return best


def uamwser(event: Event) -> Found:
    """The association of the highest sum rate as a sum of ratios, all at full power."""
    association, power = maramp(event)
    return Found(sum_of_ratios(event, power, association, 60), power)


def scale_powers(event: Event, association: np.ndarray, power: np.ndarray, steps: int) -> np.ndarray:
    """The fixed point of the powers of an association, for the sum rate; BSs without UEs are silent."""
    ues, bss = event.snr.shape
    rows = np.arange(ues)
    load = np.bincount(association, minlength=bss)
    cross = event.snr.copy()
    cross[rows, association] = 0.0
    direct = event.snr[rows, association]
    power = np.where(load > 0, np.clip(power, LEAST_POWER, 1.0), 0.0)
    for _ in range(steps):
        others = 1 + cross @ power
        signal = direct * power[association]
        weight = signal / (others + signal) / load[association]
        gained = np.bincount(association, weight, minlength=bss)
        lost = (weight / others) @ cross
        power = np.minimum(gained / np.maximum(lost, 1e-300), 1.0)
        power = np.where(load > 0, np.maximum(power, LEAST_POWER), 0.0)
    return power


def _value(event: Event, found: Found) -> float:
    return float(_rates(event.efficiencies(found.power), found.association).sum())


def juapcmwser(event: Event, turns: int = 8) -> Found:
    """Powers and association in turns; the best pair on the way."""
    association, power = uamwser(event)
    best = Found(association, np.where(np.bincount(association, minlength=len(power)) > 0, power, 0.0))
    for _ in range(turns):
        power = scale_powers(event, association, np.maximum(power, LEAST_START), 40)
        best = max(best, Found(association, power), key=lambda found: _value(event, found))
        association = sum_of_ratios(event, np.maximum(power, LEAST_SEEN), association, 30)
    return best


def _switching_gains(event: Event, association: np.ndarray, power: np.ndarray) -> np.ndarray:
    """What the sum rate gains by each move of one UE [ue, bs], with the BSs that it switches on (at 1) and off."""
    rows = np.arange(len(association))
    load = np.bincount(association, minlength=len(power))
    received = event.snr * power
    own = received[rows, association]
    others = 1 + received.sum(1) - own
    empty, alone = load == 0, load[association] == 1
    rest = np.where(empty, others[:, None], np.maximum(others[:, None] - received, 1.0))
    flipped = np.where(empty, others[:, None] + event.snr, rest)
    felt = (np.log2(1 + own[:, None] / flipped) - np.log2(1 + own / others)[:, None]) / load[association][:, None]
    felt[rows, association] = 0.0
    effect = felt.sum(0)
    # At its new BS a UE hears its old one, unless it leaves that empty.
    seen = np.where(empty, event.snr, received) / (rest + np.where(alone, 0.0, own)[:, None])
    seen[rows, association] = own / others
    gains = _sum_rate_gains(np.log2(1 + seen), association)
    off = np.where(load == 1, effect, 0.0)[association]
    return gains + np.where(empty, effect - felt, 0.0) + off[:, None]


def switching_moves(event: Event, found: Found, most: int) -> Found:
    """The best single move again and again, until none helps; a BS without UEs is silent, a new one at full power."""
    association, power = found.association.copy(), found.power.copy()
    rows, unreached = np.arange(len(association)), event.out_of_reach(np.zeros(event.snr.shape))
    power[np.bincount(association, minlength=len(power)) == 0] = 0.0
    for _ in range(most):
        gain = _switching_gains(event, association, power) + unreached
        gain[rows, association] = 0.0
        ue, bs = np.unravel_index(gain.argmax(), gain.shape)
        if gain[ue, bs] <= SMALLEST_GAIN:
            break
        if bs not in association:
            power[bs] = 1.0
        left, association[ue] = association[ue], bs
        if left not in association:
            power[left] = 0.0
    return Found(association, power)


def power_polish(event: Event, start: Found, rounds: int = 6, moves: int = 10, updates: int = 10) -> Found:
    """Moves and powers in turns after another method; the best pair on the way."""
    silent = np.where(np.bincount(start.association, minlength=len(start.power)) > 0, start.power, 0.0)
    candidates = [Found(start.association, silent)]

    def update(found: Found) -> Found:
        return found._replace(
            power=scale_powers(event, found.association, np.maximum(found.power, LEAST_START), updates)
        )

    candidates.append(update(candidates[0]))
    found = max(candidates, key=lambda found: _value(event, found))
    for _ in range(rounds):
        found = update(switching_moves(event, found, moves))
        candidates.append(found)
    return max(candidates, key=lambda found: _value(event, found))
