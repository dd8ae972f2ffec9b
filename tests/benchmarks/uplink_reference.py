"""Least powers by bisection and least numbers of RBs by trying everything: slow, and independent of all solvers."""

import itertools

import numpy as np

from benchmarks.numpy_uplink import LONG, NONE, SHORT


def least_power(snr, need):
    """Shares of the budget that reach a need [nats] over some RBs, in sum, by bisection of the water level."""
    snr = snr[snr > 0]
    if len(snr) == 0:
        return np.inf
    low, high = 0.0, np.exp(need) / snr.max() + 1 / snr.min()
    for _ in range(100):
        level = (low + high) / 2
        low, high = (low, level) if np.log(np.maximum(level * snr, 1)).sum() >= need else (level, high)
    return np.maximum(high - 1 / snr, 0).sum()


def powers_of_users(cell, service):
    """Least shares of the budgets for given services [user, rb], user by user."""
    powers = []
    for snr, kinds in zip(cell.snr, np.asarray(service)):
        longs, shorts = kinds == LONG, kinds == SHORT
        need = cell.short_need(shorts.sum())
        powers.append(least_power(snr[longs], cell.long_need) + least_power(snr[shorts], need))
    return np.array(powers)


def brute_force(cell):
    """The least RBs over all ways to give RBs and services to users; None if none serves all."""
    users, rbs = cell.snr.shape
    powers = {}
    for user, mask in itertools.product(range(users), itertools.product((False, True), repeat=rbs)):
        snr = cell.snr[user, list(mask)]
        powers[user, LONG, mask] = least_power(snr, cell.long_need)
        powers[user, SHORT, mask] = least_power(snr, cell.short_need(len(snr)))
    kinds = [(None, NONE), *itertools.product(range(users), (LONG, SHORT))]
    best = None
    for choice in itertools.product(kinds, repeat=rbs):
        count = sum(kind != NONE for _, kind in choice)
        if best is not None and count >= best:
            continue
        needed = [
            sum(powers[user, kind, tuple(each == (user, kind) for each in choice)] for kind in (LONG, SHORT))
            for user in range(users)
        ]
        if max(needed) <= 1 + 1e-9:
            best = count
    return best
