"""Downlink NOMA as loops over the equations of Yang et al. (2020), in NumPy float64. Nothing here uses wirelax."""

import math

import numpy as np
import pytest

NOISE, EPS, TOTAL = 0.1, 0.05, 10 ** (1.3)
FORMS = ("receiver", "paper")
MARKED = ("receiver", pytest.param("paper", marks=pytest.mark.slow))


def rates(gain, assignment, power_w, form, noise_w=NOISE, residual=EPS):
    """Eqs. (3)-(6): bit/s/Hz of every pair, 0 where it is not scheduled."""
    out = [[0.0] * len(row) for row in gain]
    for i, row in enumerate(gain):
        users = [j for j in range(len(row)) if assignment[i][j]]
        for j in users:
            heard = 0.0
            for k in users:
                if k != j:
                    stronger = (-row[k], k) < (-row[j], j)
                    heard += (
                        (1.0 if stronger else residual) * power_w[i][k] * (row[j] if form == "receiver" else row[k])
                    )
            out[i][j] = math.log2(1 + power_w[i][j] * row[j] / (heard + noise_w))
    return np.array(out)


def violations(gain, assignment, power_w, form, *, total_w, min_rate, quotas):
    """Relative excess over every constraint, and the fraction of scheduled pairs below R_min."""
    every = rates(gain, assignment, power_w, form)
    pairs = [tuple(at) for at in np.argwhere(assignment)]
    stray = [-power_w[at] if assignment[at] else abs(power_w[at]) for at in np.ndindex(*gain.shape)]
    short = [1 - every[at] / min_rate for at in pairs] if min_rate > 0 else []
    return {
        "total_power": abs(power_w.sum() / total_w - 1),
        "stray_power": max(stray) / total_w,
        "min_rate": max(short, default=-1.0),
        "users_per_subchannel": max(assignment.sum(1)) / quotas[0] - 1,
        "subchannels_per_user": max(assignment.sum(0)) / quotas[1] - 1,
    }, sum(s > 1e-5 for s in short) / max(len(pairs), 1)


def constraints(gain, used, form, min_rate):
    """Rows A p >= b, powers in W, of the rate constraints of all used slots, written out."""
    gamma, index = 2**min_rate - 1, [tuple(at) for at in np.argwhere(used)]
    a, b = np.zeros((len(index), len(index))), np.full(len(index), gamma * NOISE)
    for row, (i, j) in enumerate(index):
        for column, (k, m) in enumerate(index):
            carried = gain[i, j] if form == "receiver" else gain[k, m]
            if (k, m) == (i, j):
                a[row, column] = gain[i, j]
            elif k == i:
                a[row, column] = -gamma * (1.0 if m < j else EPS) * carried
    return a, b
