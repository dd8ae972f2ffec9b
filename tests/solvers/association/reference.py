"""The association problem of Zhang et al. (HBGNN) as loops over its equations, in NumPy float64.

Nothing here uses wirelax. SNRs are at full power [ue][bs], powers shares of the budgets, a BS of -1 is none.
"""

import itertools
import math

import numpy as np


def signals(snr, association, power):
    """Own signal of every UE, and noise and interference."""
    own, others = [], []
    for i, a in enumerate(association):
        own.append(snr[i][a] * power[a] if a >= 0 else 0.0)
        others.append(1.0 + sum(snr[i][j] * power[j] for j in range(len(power)) if j != a))
    return own, others


def efficiencies(snr, power):
    """log2(1 + SINR) of every UE at every BS."""
    total = [[snr[i][j] * power[j] for j in range(len(power))] for i in range(len(snr))]
    return np.array(
        [
            [math.log2(1 + row[j] / (1 + sum(row[k] for k in range(len(row)) if k != j))) for j in range(len(row))]
            for row in total
        ]
    )


def rates(snr, association, power):
    """Rates, each BS's time split evenly."""
    own, others = signals(snr, association, power)
    load = [sum(a == j for a in association) for j in range(len(power))]
    return [math.log2(1 + s / o) / load[a] if a >= 0 else 0.0 for s, o, a in zip(own, others, association, strict=True)]


def utility(snr, association, power, fair_floor=None):
    """Sum rate, or the sum of ln(rate + floor) over UEs with a BS."""
    found = rates(snr, association, power)
    if fair_floor is None:
        return sum(found)
    return sum(math.log(r + fair_floor) for r, a in zip(found, association, strict=True) if a >= 0)


def power_step(snr, association, power, weight, least):
    """SCALE's fixed point: alpha = SINR / (1 + SINR), one BS after the other."""
    own, others = signals(snr, association, power)
    alpha = [s / (s + o) for s, o in zip(own, others, strict=True)]
    new = []
    for j in range(len(power)):
        mine = [i for i, a in enumerate(association) if a == j]
        if not mine:
            new.append(0.0)
            continue
        gained = sum(weight[i] * alpha[i] for i in mine)
        lost = sum(weight[i] * alpha[i] * snr[i][j] / others[i] for i, a in enumerate(association) if a >= 0 and a != j)
        new.append(max(min(1.0, gained / lost if lost > 0 else 1.0), least))
    return new


def move_gains(snr, association, power, fair_floor=None):
    """Change of the utility by every move of one UE to a BS that reaches it, everything computed anew."""
    now = utility(snr, association, power, fair_floor)
    gains = np.full(np.shape(snr), -np.inf)
    for i, j in itertools.product(range(len(snr)), range(len(power))):
        if snr[i][j] > 0:
            moved = list(association)
            moved[i] = j
            gains[i, j] = utility(snr, moved, power, fair_floor) - now
    return gains


def log_rate_value(efficiency, association):
    """Sum of ln(c / N) of the UEs that have a BS."""
    load = [sum(a == j for a in association) for j in range(len(efficiency[0]))]
    return sum(math.log(efficiency[i][a] / load[a]) for i, a in enumerate(association) if a >= 0)


def place_values(efficiency):
    """Value [ue, (bs, place)] of the first, second, ... place at a BS: places of a BS sum to -N ln N.

    A place where a BS does not reach a UE is worth so little that none takes it.
    """
    number = len(efficiency)
    used = [k * math.log(k) if k else 0.0 for k in range(number + 1)]
    cost = np.diff(used)
    value = np.where(efficiency > 0, np.log(np.where(efficiency > 0, efficiency, 1.0)), -1e6)
    return (value[:, :, None] - cost).reshape(number, -1)


def sum_of_means(efficiency, association):
    """The sum rate at fixed powers as a sum of ratios."""
    means = []
    for j in range(len(efficiency[0])):
        mine = [efficiency[i][j] for i, a in enumerate(association) if a == j]
        means.append(sum(mine) / len(mine) if mine else 0.0)
    return sum(means)


def best_of_levels(snr, levels):
    """The highest sum rate over all associations and all powers out of some levels."""
    num_ues, num_bss = np.shape(snr)
    all_associations = np.array(list(itertools.product(range(num_bss), repeat=num_ues)))
    onto = all_associations[:, :, None] == np.arange(num_bss)
    load = np.maximum(onto.sum(1), 1)
    best = 0.0
    for power in itertools.product(levels, repeat=num_bss):
        seen = efficiencies(snr, power)
        best = max(best, ((onto * seen).sum(1) / load).sum(1).max())
    return best


def high_sinr_power_step(snr, association, power):
    """p_m = min(1, sum_k z_mk / sum_{n != m, k} z_nk g_mk / (I_k + 1)), z = x / N."""
    _, others = signals(snr, association, power)
    load = [sum(a == j for a in association) for j in range(len(power))]
    new = []
    for m in range(len(power)):
        gained = sum(1 / load[m] for a in association if a == m)
        lost = sum(snr[k][m] / others[k] / load[a] for k, a in enumerate(association) if a >= 0 and a != m)
        new.append(min(1.0, gained / lost if lost > 0 else 1.0) if gained else 0.0)
    return new
