"""The energy-efficiency problem of Xu et al. (2019) as loops over its equations, in NumPy float64.

Eq. (3) is taken with the "1 +" that its print lacks. Nothing here uses wirelax.
"""

import itertools
import math

import numpy as np
import scipy.optimize

NOISE_W = 10 ** ((-128.1 - 30) / 10)
BANDWIDTH_HZ = 1e6
RHO = 0.3


def constants(num_bs=3):
    """Budgets and circuit power of one macro and ``num_bs - 1`` micros."""
    return {
        "noise_w": NOISE_W,
        "max_power_w": np.array([12.0] + [1.2] * (num_bs - 1)),
        "circuit_power_w": 10.0 + (num_bs - 1),
    }


def random_gains(seed, count, num_bs=3, users=2, num_subchannels=2):
    """Gains [count, subchannel, user, bs]: BSs on a circle, 3GPP path loss, Rayleigh fading."""
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * np.arange(num_bs) / num_bs
    sites = 0.2 / math.sqrt(3) * np.stack([np.cos(angle), np.sin(angle)], -1)
    radius, turn = rng.uniform(0, 0.12, (count, num_bs, users)), rng.uniform(0, 2 * np.pi, (count, num_bs, users))
    places = sites[:, None] + np.stack([radius * np.cos(turn), radius * np.sin(turn)], -1)
    offset = places.reshape(count, -1, 1, 2) - sites
    distance_km = np.sqrt((offset**2).sum(-1) + 0.0135**2)
    macro, micro = 128.1 + 37.6 * np.log10(distance_km), 140.7 + 36.7 * np.log10(distance_km)
    loss_db = np.where(np.arange(num_bs) == 0, macro, micro)
    fading = rng.exponential(size=(count, num_subchannels, num_bs * users, num_bs))
    return 10 ** (-loss_db[:, None] / 10) * fading


def sinrs(gain, assignment, power_w, noise_w=NOISE_W):
    """SINR [bs][subchannel]; 0 where a BS serves nobody (-1)."""
    num_bs, num_subchannels = len(power_w), len(power_w[0])
    out = [[0.0] * num_subchannels for _ in range(num_bs)]
    for n in range(num_bs):
        for k in range(num_subchannels):
            user = assignment[n][k]
            if user >= 0:
                heard = gain[k][user]
                others = sum(heard[j] * power_w[j][k] for j in range(num_bs) if j != n)
                out[n][k] = heard[n] * power_w[n][k] / (others + noise_w)
    return out


def sum_rate(gain, assignment, power_w, noise_w=NOISE_W):
    """Eqs. (3), (4): bit/s."""
    rows = sinrs(gain, assignment, power_w, noise_w)
    return BANDWIDTH_HZ * sum(math.log1p(x) for row in rows for x in row) / math.log(2)


def energy_efficiency(gain, assignment, power_w, *, circuit_power_w, noise_w=NOISE_W):
    """Eqs. (5), (6): bit/J."""
    drawn_w = sum(p for row in power_w for p in row) / RHO + circuit_power_w
    return sum_rate(gain, assignment, power_w, noise_w) / drawn_w


def spectral_efficiency(gain, assignment, power_w, noise_w=NOISE_W):
    """Eq. (7): bit/s/Hz."""
    return sum_rate(gain, assignment, power_w, noise_w) / (len(gain) * BANDWIDTH_HZ)


def violations(gain, assignment, power_w, *, max_power_w, noise_w=NOISE_W, target=0.0):
    """Relative excess over every constraint, by the names of the problem."""
    num_bs, num_users = len(power_w), len(gain[0])
    users = num_users // num_bs
    places = [(n, user) for n in range(num_bs) for user in assignment[n]]
    listed = {user for _, user in places}
    se = spectral_efficiency(gain, assignment, power_w, noise_w)
    return {
        "power_budget": max(sum(power_w[n]) / max_power_w[n] - 1 for n in range(num_bs)),
        "negative_power": max(-p / max_power_w[n] for n in range(num_bs) for p in power_w[n]),
        "unserved_users": sum(user not in listed for user in range(num_users)) / num_users,
        "foreign_users": sum(user >= 0 and user // users != n for n, user in places) / len(places),
        "spectral_efficiency": 1 - se / target if target > 0 else -1.0,
    }


def strongest(gain, num_bs):
    """Cell by cell: every user in turn its strongest free subchannel, the others their strongest user."""
    num_subchannels, users = len(gain), len(gain[0]) // num_bs
    out = [[-1] * num_subchannels for _ in range(num_bs)]
    for n in range(num_bs):
        own = range(n * users, (n + 1) * users)
        for user in own:
            free = [k for k in range(num_subchannels) if out[n][k] < 0]
            out[n][max(free, key=lambda k: gain[k][user][n])] = user
        for k in range(num_subchannels):
            if out[n][k] < 0:
                out[n][k] = max(own, key=lambda user: gain[k][user][n])
    return out


def all_assignments(num_bs, users, num_subchannels):
    """Every choice that obeys (1a), (1b); -1 where a subchannel stays empty."""
    cells = []
    for n in range(num_bs):
        own = range(n * users, (n + 1) * users)
        choices = itertools.product([*own, -1], repeat=num_subchannels)
        cells.append([choice for choice in choices if all(user in choice for user in own)])
    return list(itertools.product(*cells))


def level_fractions(count, range_db=40.0, spacing="db"):
    """0 and ``count - 1`` fractions of the budget."""
    if spacing == "linear":
        return [i / (count - 1) for i in range(count)]
    step_db = range_db / (count - 2)
    return [0.0] + [10 ** (-step_db * i / 10) for i in reversed(range(count - 1))]


def grid_powers(levels, max_power_w, num_subchannels):
    """Every allocation [bs][subchannel] of powers on the grid that meets (2a), (2b)."""
    of_bs = []
    for limit in max_power_w:
        rows = itertools.product(levels, repeat=num_subchannels)
        of_bs.append([[x * limit for x in row] for row in rows if sum(row) <= 1 + 1e-6])
    return itertools.product(*of_bs)


def brute_force(gain, levels, *, max_power_w, circuit_power_w, noise_w=NOISE_W, target=0.0):
    """Best (EE, SE) of every assignment among the grid points that meet the SE target; absent where none does."""
    gain = np.asarray(gain, np.float64).tolist()
    num_bs, num_subchannels = len(max_power_w), len(gain)
    powers = list(grid_powers(levels, np.asarray(max_power_w).tolist(), num_subchannels))
    drawn_w = [sum(map(sum, p)) / RHO + circuit_power_w for p in powers]
    best = {}
    for assignment in all_assignments(num_bs, len(gain[0]) // num_bs, num_subchannels):
        for power_w, drawn in zip(powers, drawn_w, strict=True):
            rate = sum_rate(gain, assignment, power_w, noise_w)
            found = rate / drawn if drawn > 0 else 0.0, rate / (num_subchannels * BANDWIDTH_HZ)
            if found[1] >= target and found > best.get(assignment, (-1.0, 0.0)):
                best[assignment] = found
    return best


def best_continuous(gain, starts, *, max_power_w, circuit_power_w, noise_w=NOISE_W):
    """Best EE over continuous powers that SLSQP finds in log-power, from random starts for each assignment."""
    num_subchannels, num_users, num_bs = gain.shape
    users = num_users // num_bs
    rng = np.random.default_rng(0)
    shape = (num_subchannels, num_bs)
    best = 0.0
    for choice in all_assignments(num_bs, users, num_subchannels):
        if min(map(min, choice)) < 0:  # an empty subchannel is one at zero power
            continue
        links = np.array([[gain[k, choice[n][k]] for n in range(num_bs)] for k in range(num_subchannels)])
        links = links * max_power_w / noise_w
        cross = links * (1 - np.eye(num_bs))

        def loss(z, links=links, cross=cross):
            x = np.exp(z.reshape(shape))
            total, others = 1 + (links @ x[..., None])[..., 0], 1 + (cross @ x[..., None])[..., 0]
            nats, drawn = np.log(total / others).sum(), (x * max_power_w).sum() / RHO + circuit_power_w
            slope = np.einsum("knj,kn->kj", links, 1 / total) - np.einsum("knj,kn->kj", cross, 1 / others)
            return -np.log(nats / drawn), -(x * (slope / nats - max_power_w / RHO / drawn)).ravel()

        def slack(z):
            return 1 - np.exp(z.reshape(shape)).sum(0)

        def slack_slope(z):
            x = np.exp(z.reshape(shape))
            return -np.concatenate([np.diag(row) for row in x], axis=1)

        budget = {"type": "ineq", "fun": slack, "jac": slack_slope}
        for z in rng.uniform(np.log(1e-4), np.log(0.9 / num_subchannels), (starts, links[..., 0].size)):
            found = scipy.optimize.minimize(
                loss, z, jac=True, method="SLSQP", bounds=[(-25, 0)] * z.size, constraints=budget
            )
            if slack(found.x).min() >= -1e-6:
                best = max(best, BANDWIDTH_HZ / math.log(2) * math.exp(-found.fun))
    return best


def water_filling(gain, *, max_power_w, circuit_power_w, noise_w=NOISE_W):
    """Best EE of a single BS, by a search over the water level for each assignment."""
    best = 0.0
    for (choice,) in all_assignments(1, gain.shape[1], gain.shape[0]):
        if min(choice) < 0:
            continue
        floor = noise_w / np.array([gain[k, u, 0] for k, u in enumerate(choice)])

        def loss(log_level, floor=floor):
            level = np.exp(log_level)
            power_w = np.maximum(level - floor, 0)
            return -np.log2(np.maximum(level / floor, 1)).sum() / (power_w.sum() / RHO + circuit_power_w)

        ordered = np.sort(floor)
        for m in range(len(floor)):  # the level that spends the whole budget
            level = (max_power_w[0] + ordered[: m + 1].sum()) / (m + 1)
            if level > ordered[m]:
                full = level
        bounds = (np.log(ordered[0]), np.log(full))
        found = scipy.optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-10})
        best = max(best, -BANDWIDTH_HZ * min(found.fun, loss(bounds[1])))
    return best
