"""The uplink problem of Yin et al. (2025) as loops over its equations, in NumPy float64. Nothing here uses wirelax.

Gains are SNRs at full power, powers shares of the budget, needs in nats: `a` of the long service, ``b(count)`` of the
short one, 0 or None for none.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np

SLACK = 1e-11
"""Of the budget, for rounding."""


@dataclass(frozen=True)
class Needs:
    """a, and b(N) = base + slope sqrt(N), nats."""

    a: float
    base: float
    slope: float

    def b(self, count):
        return self.base + self.slope * math.sqrt(count)

    @property
    def settings(self):
        """Keywords of `make_uplink_qos_problem` for a budget of 1 W: an RB of 1 Hz, an error of 1e-5."""
        uses = (4.264890793922602 / self.slope) ** 2
        rates = {"rate_long_bps": self.a / math.log(2), "rate_short_bps": self.base / math.log(2)}
        return rates | {"max_power_w": 1.0, "rb_bandwidth_hz": 1.0, "slot_s": uses}


def minimum_power(gains, need):
    """Least sum of powers with sum ln(1 + g p) = need, by bisection on the water level."""
    gains = [g for g in gains if g > 0]
    if need <= 0:
        return 0.0
    if not gains:
        return math.inf

    def reached(level):
        return sum(max(0.0, math.log(level * g)) for g in gains)

    low, high = 1 / max(gains), math.exp(need) / max(gains)
    for _ in range(200):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if reached(middle) < need else (low, middle)
    return sum(max(0.0, high - 1 / g) for g in gains)


def minimum_powers(gains, need_of):
    """`minimum_power` of every set of RBs, ``need_of(size)`` its need: eq. (8a) with the best k of the set active."""
    order = sorted(range(len(gains)), key=lambda f: -gains[f])
    least = {}
    for mask in range(1 << len(gains)):
        own = [gains[f] for f in order if mask >> f & 1 and gains[f] > 0]
        need = need_of(bin(mask).count("1"))
        least[mask] = math.inf if need > 0 else 0.0
        log, inverse = 0.0, 0.0
        for k, g in enumerate(own, 1):
            log, inverse = log + math.log(g), inverse + 1 / g
            level = math.exp(min((need - log) / k, 600.0))
            if need > 0 and level * g > 1:
                least[mask] = k * level - inverse
    return least


def feasible_sets(gains, needs):
    """Of every set of RBs: whether the user gets both services on a part of it; all pairs of disjoint sets tried."""
    long = minimum_powers(gains, lambda _: needs.a)
    short = minimum_powers(gains, lambda count: needs.b(count) if needs.base > 0 else 0.0)
    found = [False] * (1 << len(gains))
    for mask in range(len(found)):
        part = mask
        while True:
            if long[part] + short[mask ^ part] <= 1 + SLACK:
                found[mask] = True
                break
            if not part:
                break
            part = (part - 1) & mask
    return found


def fewest(gains, needs):
    """Least number of RBs of a single user over all 3^F services, F + 1 where there is none."""
    found = feasible_sets(gains, needs)
    counts = [bin(mask).count("1") for mask, good in enumerate(found) if good]
    return min(counts, default=len(gains) + 1)


def fewest_by_services(gain, needs):
    """Least number of RBs of a cell over every owner and service of every RB, one by one; F + 1 where none works."""
    num_users, num_rbs = np.shape(gain)
    best = num_rbs + 1
    for choice in itertools.product(range(2 * num_users + 1), repeat=num_rbs):
        used = sum(c > 0 for c in choice)
        if used < best and all(
            served(
                [gain[k][f] for f in range(num_rbs) if choice[f] == 2 * k + 1],
                [gain[k][f] for f in range(num_rbs) if choice[f] == 2 * k + 2],
                needs,
            )
            for k in range(num_users)
        ):
            best = used
    return best


def served(long, short, needs):
    """Whether RBs of these gains carry the long and the short service within the budget."""
    need = needs.b(len(short)) if needs.base > 0 else 0.0
    return minimum_power(long, needs.a) + minimum_power(short, need) <= 1 + SLACK


def best_long_rate(gains, needs):
    """Largest f of eq. (9) over the sets S that keep all powers positive, and S: problem (4) on these very RBs."""
    count = len(gains)
    best, chosen = -math.inf, None
    for size in range(1, count):
        for short in itertools.combinations(range(count), size):
            long = [g for f, g in enumerate(gains) if f not in short]
            level_short = math.exp((needs.b(size) - sum(math.log(gains[f]) for f in short)) / size)
            budget = 1 + sum(1 / g for g in gains)
            level_long = (budget - size * level_short) / len(long)
            if level_short * min(gains[f] for f in short) <= 1 or level_long * min(long) <= 1:
                continue
            value = sum(math.log(level_long * g) for g in long)
            if value > best:
                best, chosen = value, short
    return best, chosen


def take_turns(gain, needs):
    """Sec. III-B: RBs of every user in the order taken, and the users that were served."""
    num_users, num_rbs = np.shape(gain)
    free, own, open_users = set(range(num_rbs)), [[] for _ in range(num_users)], list(range(num_users))
    while open_users and free:
        for k in open_users:
            if free:
                best = max(sorted(free), key=lambda f: gain[k][f])
                free.remove(best)
                own[k].append(best)
        open_users = [k for k in open_users if best_long_rate([gain[k][f] for f in own[k]], needs)[0] < needs.a]
    return own, [k not in open_users for k in range(num_users)]
