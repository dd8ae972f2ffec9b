"""Associations at fixed powers by linear programming, bounds on sum rates by matching: SciPy, nothing of wirelax."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment, linprog
from scipy.sparse import coo_array

__all__ = ["best_log_rates", "best_log_rates_lp", "efficiencies", "log_rates", "matching_bound"]


def efficiencies(snr: np.ndarray, power: np.ndarray) -> np.ndarray:
    """``log2(1 + SINR)`` of all links [ue, bs], bit/s/Hz.

    Args:
        snr: at full power over the noise [ue, bs].
        power: shares of the budgets [bs].
    """
    received = np.asarray(snr, float) * power
    others = np.stack([np.delete(received, bs, 1).sum(1) for bs in range(received.shape[1])], 1)
    return np.log1p(received / (1 + others)) / np.log(2)


def log_rates(efficiency: np.ndarray, association: np.ndarray) -> float:
    """Sum of ln(c_ij / N_j) of an association without -1."""
    load = np.bincount(association, minlength=efficiency.shape[1])
    return float(np.log(efficiency[np.arange(len(association)), association] / load[association]).sum())


def _places(efficiency: np.ndarray) -> np.ndarray:
    """What a UE adds to the sum of log rates as the first, second, ... UE of a BS [ue, bs, place].

    With N UEs a BS loses N ln N to sharing, so that its n-th place costs n ln n - (n - 1) ln(n - 1): more than the one
    before, and none is left out.
    """
    count = np.arange(1, len(efficiency) + 1)
    cost = np.diff(count * np.log(count), prepend=0.0)
    with np.errstate(divide="ignore"):
        return np.log(efficiency)[:, :, None] - cost


def best_log_rates(efficiency: np.ndarray) -> np.ndarray:
    """The association of the highest sum of log rates, by an assignment of UEs to places at BSs.

    Args:
        efficiency: of all links at fixed powers [ue, bs], 0 where out of reach; every UE is within reach of some BS.

    Returns:
        The BS of every UE.
    """
    ues = len(efficiency)
    value = np.maximum(_places(efficiency), -1e6).reshape(ues, -1)
    return linear_sum_assignment(value, maximize=True)[1] // ues


def best_log_rates_lp(efficiency: np.ndarray) -> tuple[float, np.ndarray]:
    """The same as a linear program, by HiGHS: UEs may be split between places, and it does not help them.

    Returns:
        The sum of ln(c_ij / N_j) as the program values it, and shares of the UEs at the BSs [ue, bs].
    """
    ues, bss = efficiency.shape
    value = _places(efficiency)
    ue, bs, place = np.nonzero(np.isfinite(value))
    column, ones = np.arange(len(ue)), np.ones(len(ue))
    held = coo_array((ones, (ue, column)), (ues, len(ue))).tocsr()
    taken = coo_array((ones, (bs * ues + place, column)), (bss * ues, len(ue))).tocsr()
    found = linprog(-value[ue, bs, place], taken, np.ones(bss * ues), held, np.ones(ues), bounds=(0, 1), method="highs")
    share = np.zeros((ues, bss))
    np.add.at(share, (ue, bs), found.x)
    return -float(found.fun), share


def matching_bound(efficiency: np.ndarray) -> float:
    """No association has a higher sum rate than this with these efficiencies [ue, bs], bit/s/Hz.

    A BS's UEs share the mean of their efficiencies, which is at most that of the best of them; and these are different
    UEs. With the efficiencies free of interference no powers within the budgets have a higher sum rate either.
    """
    rows, columns = linear_sum_assignment(efficiency, maximize=True)
    return float(efficiency[rows, columns].sum())
