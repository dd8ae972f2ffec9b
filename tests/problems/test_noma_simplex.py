"""The simplex of feasible powers, against loops and linear programming in NumPy float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, linprog

from wirelax.problems import make_noma_problem, random_schedule

from ..compiling import quick_jit
from .noma_reference import MARKED, NOISE, TOTAL, constraints

COUNT = 60


@functools.cache
def build(form):
    """Compiled: min_rate, keys -> networks, see `built`."""
    return quick_jit(jax.vmap(functools.partial(network, form), (None, 0)))


def network(form, min_rate, key):
    """A network of 3 subchannels and 5 users, up to 3 on each: gain, simplex, powers of shares, repaired powers.

    Powers are in W here.
    """
    keys = jax.random.split(key, 4)
    gain = jax.random.exponential(keys[0], (3, 5))
    made = {"interference_gain": form, "noise_power_w": NOISE, "total_power_w": TOTAL}
    draw = make_noma_problem(gain, min_rate=0.0, **made)
    schedule = random_schedule(draw, key=keys[1]) & jax.random.bernoulli(keys[2], 0.8, (3, 5))
    schedule = schedule.at[0, 0].set(True)
    problem = make_noma_problem(gain, min_rate=min_rate, schedule=schedule & (jnp.cumsum(schedule, 1) <= 3), **made)
    slots = problem.slots()
    simplex = problem.simplex(slots)
    raw = jax.random.exponential(keys[3], slots.user.shape) * slots.used
    share = raw / raw.sum()
    power = simplex.power(share)
    poor = slots.used * jax.random.uniform(keys[3], slots.user.shape) ** 8
    poor /= poor.sum()
    repaired = lambda power_w: TOTAL * simplex.repair(power_w / TOTAL)  # noqa: E731
    return {
        "gain": slots.snr * (NOISE / TOTAL),
        "used": slots.used,
        "least": simplex.least * TOTAL,
        "feasible": simplex.feasible,
        "share": share,
        "power": power * TOTAL,
        "back": simplex.share(power),
        "rates": problem.slot_rates(slots, power),
        "least_rates": problem.slot_rates(slots, simplex.least),
        "spread": simplex.spread,
        "price": simplex.price,
        "poor": poor * TOTAL,
        "same": repaired(power * TOTAL),
        "repaired": repaired(poor * TOTAL),
        "repaired_rates": problem.slot_rates(slots, simplex.repair(poor)),
        "nothing": repaired(simplex.least * TOTAL / 2),
        "slope": jax.grad(lambda p: jnp.sin(repaired(p)).sum())(poor * TOTAL),
        "difference": difference(lambda p: jnp.sin(repaired(p)).sum(), poor * TOTAL, slots.used),
    }


def difference(function, power, used):
    """Central differences in the used slots, 0 in the others."""
    step = 1e-7
    change = jnp.eye(power.size).reshape(-1, *power.shape) * step
    slope = jax.vmap(lambda d: (function(power + d) - function(power - d)) / (2 * step))(change)
    return jnp.where(used, slope.reshape(power.shape), 0.0)


@functools.cache
def built(form, min_rate):
    """Networks as NumPy arrays, in float64."""
    with jax.enable_x64(True):
        found = build(form)(min_rate, jax.random.split(jax.random.key(1), COUNT))
        return [jax.tree.map(lambda leaf, i=i: np.asarray(leaf[i]), found) for i in range(COUNT)]


@pytest.mark.parametrize("form", MARKED)
@pytest.mark.parametrize("min_rate", [0.01, 1.0])
def test_least_powers_and_feasibility_are_those_of_the_linear_programme(form, min_rate):
    seen = set()
    for net in built(form, min_rate):
        a, b = constraints(net["gain"], net["used"], form, min_rate)
        found = linprog(np.ones(len(b)), A_ub=-a, b_ub=-b, bounds=(0, None))
        feasible = found.status == 0 and found.fun <= TOTAL
        seen.add(feasible)
        assert net["feasible"] == feasible
        if feasible:
            np.testing.assert_allclose(net["least"][net["used"]], found.x, rtol=1e-6)
    assert seen == ({True} if min_rate == 0.01 else {True, False})


@pytest.mark.parametrize("form", MARKED)
def test_shares_are_feasible_powers_and_back(form):
    for net in built(form, 0.01):
        used = net["used"]
        np.testing.assert_allclose(net["power"].sum(), TOTAL, rtol=1e-12)
        assert (net["power"][~used] == 0).all()
        assert (net["rates"][used] >= 0.01).all()
        np.testing.assert_allclose(net["least_rates"][used], 0.01, rtol=1e-9)
        np.testing.assert_allclose(net["back"], net["share"], atol=1e-12)


@pytest.mark.parametrize("form", MARKED)
def test_repair_keeps_feasible_powers_and_makes_others_feasible(form):
    for net in built(form, 0.01):
        np.testing.assert_allclose(net["same"], net["power"], rtol=1e-9)
        np.testing.assert_allclose(net["repaired"].sum(), TOTAL, rtol=1e-12)
        assert (net["repaired_rates"][net["used"]] >= 0.01 * (1 - 1e-12)).all()


@pytest.mark.parametrize("form", MARKED)
def test_repair_is_the_kullback_leibler_projection_of_the_excess(form):
    """Excess in W of a pair's own power, q0 exp(-level price), the level by root finding."""
    for net in built(form, 0.01):
        kept, dear = [], []
        for i, j in np.argwhere(net["used"]):
            excess = np.linalg.solve(net["spread"][i], net["poor"][i] - net["least"][i])[j]
            own = net["spread"][i][j, j]
            kept.append(max(excess, 0.0) * own)
            dear.append(net["price"][i, j] / own)
        kept, dear = np.array(kept), np.array(dear)
        budget = TOTAL - net["least"].sum()

        def over(level, kept=kept, dear=dear, budget=budget):
            return (dear * kept * np.exp(-level * dear)).sum() - budget

        level = brentq(over, 0.0, 1e3, xtol=1e-14) if over(0.0) > 0 else 0.0
        excess = np.zeros_like(net["poor"])
        own = net["spread"][:, range(3), range(3)]
        excess[net["used"]] = kept * np.exp(-level * dear)
        wanted = net["least"] + np.einsum("ijl,il->ij", net["spread"], excess / own)
        np.testing.assert_allclose(net["repaired"], wanted, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("form", MARKED)
def test_repair_has_derivatives_and_copes_with_no_excess_at_all(form):
    """Derivatives in directions that keep the total: feasible powers of less or more are treated differently."""
    for net in built(form, 0.01):
        slope, difference = (net[name][net["used"]] for name in ("slope", "difference"))
        np.testing.assert_allclose(slope - slope.mean(), difference - difference.mean(), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(net["nothing"].sum(), TOTAL, rtol=1e-12)


def test_an_infeasible_schedule_keeps_finite_powers_that_sum_up():
    bad = [net for net in built("receiver", 1.0) if not net["feasible"]]
    assert bad
    for net in bad:
        np.testing.assert_allclose(net["power"].sum(), TOTAL, rtol=1e-12)
        assert np.isfinite(net["repaired"]).all()
