"""Optima of small downlinks over associations and powers at once, with a proof: branch and bound in NumPy.

It shares nothing with the solvers.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

__all__ = ["GAP", "Certificate", "Downlink", "certify", "utility"]

GAP = 1e-4
"""By how much a bound is above an optimum at most: relative for the sum rate, nats a UE for the sum of logarithms."""
CHUNK = 50_000
MOST_BOXES = 20_000_000


class Downlink(NamedTuple):
    """SNRs of all links at full power [ue, bs], 0 where out of reach, every UE within reach of some BS."""

    snr: np.ndarray
    objective: str = "sum-rate"
    rate_floor: float = 1e-3

    def limit(self, value: float) -> float:
        """The bound that is close enough to a value."""
        return value * (1 + GAP) if self.objective == "sum-rate" else value + GAP * len(self.snr)


class Certificate(NamedTuple):
    """The best value that was found, one that none exceeds, and how it is reached."""

    value: float
    bound: float
    association: np.ndarray
    power: np.ndarray
    boxes: int


class _Boxes(NamedTuple):
    """Associations [box, ue] with the least and the largest powers of the BSs [box, bs]."""

    association: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def take(self, which: np.ndarray) -> _Boxes:
        return _Boxes(*(each[which] for each in self))


def _signal(link: Downlink, association: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Received from the own BS [box, ue]."""
    return link.snr[np.arange(len(link.snr)), association] * np.take_along_axis(power, association, 1)


def _others(link: Downlink, association: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Noise and what is received from the other BSs [box, ue]."""
    total = np.ones(association.shape)
    for bs in range(link.snr.shape[1]):
        total += np.where(association == bs, 0.0, power[:, bs, None] * link.snr[:, bs])
    return total


def _rates(link: Downlink, association: np.ndarray, signal: np.ndarray, others: np.ndarray) -> np.ndarray:
    load = (association[:, :, None] == association[:, None, :]).sum(-1)
    return np.log1p(signal / others) / np.log(2) / load


def _value(link: Downlink, rates: np.ndarray) -> np.ndarray:
    return rates.sum(-1) if link.objective == "sum-rate" else np.log(rates + link.rate_floor).sum(-1)


def utility(link: Downlink, association: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Of associations [box, ue] and powers [box, bs], as shares of the budgets."""
    return _bound(link, association, power, power)


def _bound(link: Downlink, association: np.ndarray, high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Signals at the largest powers, interference at the least: nothing between has a larger value."""
    return _value(link, _rates(link, association, _signal(link, association, high), _others(link, association, low)))


def certify(link: Downlink) -> Certificate:
    """The optimum over all associations within reach and all powers, to within `GAP`.

    Empty BSs are silent: they can only interfere. Some BS is at full power: the rates all grow where all powers grow
    by one factor. Boxes where the bound is not above what is known to be possible are given up, the others are first
    moved to a side where the value has a slope of one sign all over them, and then cut.
    """
    boxes = _all_boxes(link)
    best = _first(link, boxes)
    bound, count = best.value, 0
    open_boxes = [boxes]
    while open_boxes:
        boxes = open_boxes.pop()
        if len(boxes.low) > CHUNK:
            open_boxes.append(boxes.take(np.arange(CHUNK, len(boxes.low))))
            boxes = boxes.take(np.arange(CHUNK))
        count += len(boxes.low)
        if count > MOST_BOXES:
            raise RuntimeError(f"not proven within {MOST_BOXES:,} boxes")
        boxes = _moved(link, boxes)
        best = _better(link, best, boxes)
        bounds = _bound(link, boxes.association, boxes.high, boxes.low)
        hopeless = bounds <= link.limit(best.value)
        bound = max(bound, bounds[hopeless].max(initial=-np.inf))
        if not hopeless.all():
            open_boxes.append(_cut(link, boxes.take(~hopeless), bounds[~hopeless]))
    return best._replace(bound=max(bound, best.value), boxes=count)


def _all_boxes(link: Downlink) -> _Boxes:
    """Every association within reach, with each of its BSs in turn at full power."""
    bss = link.snr.shape[1]
    reached = [np.flatnonzero(row > 0) for row in link.snr]
    association = np.array(list(itertools.product(*reached)))
    used = (association[:, :, None] == np.arange(bss)).any(1)
    parts = []
    for full in range(bss):
        some = used[:, full]
        low, high = np.zeros((some.sum(), bss)), used[some].astype(float)
        low[:, full] = 1.0
        parts.append(_Boxes(association[some], low, high))
    return _Boxes(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _first(link: Downlink, boxes: _Boxes) -> Certificate:
    """The best of all on/off powers, and of what the first-order condition makes of the best thousand of them."""
    best = Certificate(-np.inf, np.inf, boxes.association[0], boxes.high[0], 0)
    starts = []
    for on in itertools.product((0.0, 1e-3, 1.0), repeat=link.snr.shape[1]):
        if 1.0 not in on:
            continue
        power = np.where(boxes.high > 0, np.array(on), 0.0)
        values = utility(link, boxes.association, power)
        top = np.argsort(-values)[:50]
        starts.append(_Boxes(boxes.association[top], power[top], power[top]))
    start = _Boxes(*(np.concatenate(each) for each in zip(*starts, strict=True)))
    for _ in range(40):
        best = _better(link, best, start)
        power = _stationary(link, start.association, start.high)
        start = _Boxes(start.association, power, power)
    return best


def _stationary(link: Downlink, association: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Powers at which a power's gain and harm would be even if all else stayed as it is, one of them full."""
    power = np.maximum(power, 1e-12)
    gain, harm = (each[0] for each in _slopes(link, _Boxes(association, power, power), False))
    raised = np.minimum(power * gain / np.maximum(harm, 1e-30), 1.0)
    return raised / raised.max(1, keepdims=True)


def _better(link: Downlink, best: Certificate, boxes: _Boxes) -> Certificate:
    """The incumbent, or something better at the upper corner or in the middle of a box."""
    for power in (boxes.high, _middle(link, boxes)):
        values = utility(link, boxes.association, power)
        top = int(np.argmax(values))
        if values[top] > best.value:
            best = best._replace(value=float(values[top]), association=boxes.association[top], power=power[top])
    return best


def _middle(link: Downlink, boxes: _Boxes) -> np.ndarray:
    """Between the powers, evenly in what they do to the UE that hears the BS best: log(1 + SNR)."""
    top = np.maximum(link.snr.max(0), 1e-12)
    middle = np.expm1((np.log1p(top * boxes.low) + np.log1p(top * boxes.high)) / 2) / top
    return np.clip(middle, boxes.low, boxes.high)


def _parts(link: Downlink, boxes: _Boxes) -> tuple[tuple[np.ndarray, ...], ...]:
    """Least and most of signal, noise and interference, and a UE's weight in the utility's slope [box, ue]."""
    association, low, high = boxes
    signal = _signal(link, association, low), _signal(link, association, high)
    others = _others(link, association, low), _others(link, association, high)
    if link.objective == "sum-rate":
        rates = np.zeros(association.shape), np.zeros(association.shape)
        floor = 1.0
    else:
        rates = tuple(_rates(link, association, signal[i], others[1 - i]) for i in (0, 1))
        floor = link.rate_floor
    load = (association[:, :, None] == association[:, None, :]).sum(-1)
    return signal, others, tuple(1 / load / (rate + floor) for rate in rates[::-1])


def _slopes(link: Downlink, boxes: _Boxes, each: bool) -> tuple[tuple[np.ndarray, ...], ...]:
    """Least and most of what a BS's power brings to its UEs and of what it costs the others [box, bs].

    The slope of the value by the power of BS j, with the weights w_i of the UEs and a = SINR / (1 + SINR), is
    ``sum_(i in j) w_i a_i / p_j`` less ``sum_(i not in j) w_i a_i S_ij / (1 + I_i)``.

    Args:
        link: the downlink.
        boxes: to be bounded.
        each: per unit of power, as above, which is close where a UE hears little; or times p_j, where it hears much.
    """
    signal, others, weight = _parts(link, boxes)
    gains, harms = ([], []), ([], [])
    for bs in range(link.snr.shape[1]):
        own = boxes.association == bs
        heard = boxes.low[:, bs, None] * link.snr[:, bs], boxes.high[:, bs, None] * link.snr[:, bs]
        for least in (0, 1):
            most = 1 - least
            better, worse = signal[least], others[most]
            share = better / (better + worse)  # a
            rest = np.maximum(worse - heard[most], 1.0)
            part = heard[least] / (rest + heard[least])
            if each:
                alone = link.snr[:, bs] / (worse + signal[most])
                part = link.snr[:, bs] / (rest + heard[most])
            gains[least].append(np.where(own, weight[least] * (alone if each else share), 0.0).sum(1))
            harms[least].append(np.where(own, 0.0, weight[least] * share * part).sum(1))
    return tuple(np.stack(x, 1) for x in gains), tuple(np.stack(x, 1) for x in harms)


def _moved(link: Downlink, boxes: _Boxes) -> _Boxes:
    """Boxes without the powers that cannot be best: where the slope has one sign all over, one side is left."""
    rises, falls = np.zeros(boxes.low.shape, bool), np.zeros(boxes.low.shape, bool)
    for each in (False, True):
        gain, harm = _slopes(link, boxes, each)
        certain = (boxes.low > 0) | each  # a slope times a power of 0 says nothing
        rises |= (gain[0] > harm[1]) & certain
        falls |= (gain[1] < harm[0]) & certain
    return boxes._replace(low=np.where(rises, boxes.high, boxes.low), high=np.where(falls, boxes.low, boxes.high))


def _cut(link: Downlink, boxes: _Boxes, bounds: np.ndarray) -> _Boxes:
    """Halves, by the power that loosens the bound most."""
    association, low, high = boxes
    loose = []
    for bs in range(low.shape[1]):
        at = np.arange(low.shape[1]) == bs
        loose.append(bounds - _bound(link, association, np.where(at, low, high), np.where(at, high, low)))
    widest = np.arange(low.shape[1]) == np.argmax(np.stack(loose, 1), 1)[:, None]
    middle = _middle(link, boxes)
    lower = _Boxes(association, low, np.where(widest, middle, high))
    upper = _Boxes(association, np.where(widest, middle, low), high)
    return _Boxes(*(np.concatenate(pair) for pair in zip(lower, upper, strict=True)))
