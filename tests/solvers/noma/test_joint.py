import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.problems import make_noma_problem
from wirelax.solvers.noma import joint_schedule, noma_joint, noma_power
from wirelax.types import Status

from ...compiling import quick_jit
from ...problems.noma_reference import rates

POWER_W, NOISE_W = 20.0, 0.1
COUNT = 50
KINDS = {"assignment": bool, "power_w": float}


def random_networks(seed, count, subchannels, users):
    """Rayleigh gains [count, subchannel, user] and weights [count, user]."""
    rng = np.random.default_rng(seed)
    return rng.exponential(size=(count, subchannels, users)), rng.uniform(0.1, 2.0, (count, users))


def problems(gain, weight, slots, quota, residual=0.0, min_rate=0.0):
    """A batch of problems, with greedy schedules."""

    def one(gain, weight):
        return make_noma_problem(
            gain,
            weight=weight,
            noise_power_w=NOISE_W,
            total_power_w=POWER_W,
            sic_residual=residual,
            min_rate=min_rate,
            max_users_per_subchannel=slots,
            max_subchannels_per_user=quota,
        )

    return quick_jit(jax.vmap(one))(jnp.asarray(gain, float), jnp.asarray(weight, float))


def value_of(gain, weight, assignment, power_w, residual=0.0):
    """Weighted sum rate of one network and the rates of its pairs, by eqs. (3)-(7)."""
    every = rates(gain, assignment, power_w, "receiver", NOISE_W, residual)
    return (weight * every).sum(), every[assignment]


def budget_values(gain, weight, slots, budgets, extra):
    """Best weighted rate of a subchannel for every budget in W, over all subsets and cumulative powers on a grid."""
    point = np.unique(np.concatenate([budgets, extra]))
    alone = [w * np.log2(1 + g * point / NOISE_W) for g, w in zip(gain, weight, strict=True)]
    best = np.where(point == 0, 0.0, -np.inf)
    for size in range(1, slots + 1):
        for chosen in itertools.combinations(sorted(range(len(gain)), key=lambda j: -gain[j]), size):
            held = np.where(point == 0, 0.0, -np.inf)
            for j in chosen:  # strongest first; it hears the cumulative power before it
                held = np.maximum.accumulate(held - alone[j]) + alone[j]
            best = np.maximum(best, held)
    return best[np.searchsorted(point, budgets)]


def split(values):
    """Best sum over subchannels for every total level."""
    total = values[0]
    for own in values[1:]:
        total = np.array([(total[b::-1] + own[: b + 1]).max() for b in range(len(total))])
    return total


def stationary(gain, weight):
    """Cumulative powers in W where handing over between a pair of users has slope 0."""
    found = [0.0]
    for j, k in itertools.combinations(range(len(gain)), 2):
        if weight[j] != weight[k]:
            found.append(NOISE_W * (weight[k] / gain[j] - weight[j] / gain[k]) / (weight[j] - weight[k]))
    return np.clip(found, 0, None)


def bounds(gain, weight, slots, levels=1000):
    """Bounds of the global optimum: on a grid of powers, and with one more level for all but one subchannel.

    The value rises with the budget, so rounding all budgets up, which costs less than a level each, loses nothing.
    """
    budgets = POWER_W / levels * np.arange(levels + len(gain))
    lower = [budget_values(g, weight, slots, budgets, []) for g in gain]
    upper = [budget_values(g, weight, slots, budgets, stationary(g, weight)) for g in gain]
    return split(lower)[levels], split(upper)[-1]


@pytest.fixture(scope="module")
def networks():
    return random_networks(7, COUNT, 3, 4)


@pytest.fixture(scope="module")
def solve_joint():
    return jax.jit(jax.vmap(lambda problem, key: noma_joint(problem, key=key)))


@pytest.fixture(scope="module")
def keys():
    return jax.random.split(jax.random.key(3), COUNT)


@pytest.mark.slow
def test_global_optimum_of_small_networks(networks, solve_joint, keys):
    gain, weight = networks
    found = solve_joint(problems(gain, weight, 2, 3), keys)
    assignment, power_w = (np.asarray(found.allocation[name], kind) for name, kind in KINDS.items())
    gaps = []
    for i in range(COUNT):
        lower, upper = bounds(gain[i], weight[i], 2)
        assert lower > 0.99 * upper
        got, _ = value_of(gain[i], weight[i], assignment[i], power_w[i])
        assert got == pytest.approx(float(found.utility[i]), rel=1e-5)
        assert power_w[i].sum() == pytest.approx(POWER_W, rel=1e-5)
        assert got <= upper * (1 + 1e-5)
        gaps.append(1 - got / upper)
    assert np.max(gaps) < 0.005
    assert np.mean(gaps) < 0.002
    assert (np.asarray(found.status) != Status.INFEASIBLE).all()


@pytest.mark.slow
def test_imperfect_sic_and_minimum_rate(networks, solve_joint, keys):
    gain, weight = networks
    problem = problems(gain, weight, 2, 3, residual=0.05, min_rate=0.01)
    found = solve_joint(problem, keys)

    def greedy(problem, key):
        return noma_power(problem, starts=2, key=jax.random.split(key)[1])

    base = jax.jit(jax.vmap(greedy))(problem, keys)
    assert (np.asarray(found.status) != Status.INFEASIBLE).all()
    assert (np.asarray(found.utility) >= np.asarray(base.utility) * (1 - 1e-5)).all()
    assignment, power_w = (np.asarray(found.allocation[name], kind) for name, kind in KINDS.items())
    for i in range(COUNT):
        got, rates = value_of(gain[i], weight[i], assignment[i], power_w[i], 0.05)
        assert got == pytest.approx(float(found.utility[i]), rel=1e-4)
        assert min(rates) >= 0.01 * (1 - 1e-4)


@pytest.mark.parametrize(("users", "slots"), [pytest.param(4, 3, marks=pytest.mark.slow), (2, 3)])
def test_schedule_is_the_optimum_of_a_coarse_grid(x64, users, slots):
    gain, weight = random_networks(1, 10, 3, users)
    schedule = jax.jit(jax.vmap(lambda problem: joint_schedule(problem, levels=12)))
    assignment, power_w = jax.tree.map(np.asarray, schedule(problems(gain, weight, slots, 3)))
    assert assignment.shape == power_w.shape == (10, 3, users)
    assert (assignment.sum(2) <= slots).all()
    budgets = POWER_W / 12 * np.arange(13)
    fine = POWER_W * np.geomspace(1e-6, 1.0, 20_001)
    for i in range(10):
        wanted = -np.inf
        values = [budget_values(g, weight[i], slots, budgets, fine) for g in gain[i]]
        for levels in itertools.product(range(13), repeat=3):
            if sum(levels) == 12:
                wanted = max(wanted, sum(value[b] for value, b in zip(values, levels, strict=True)))
        got, _ = value_of(gain[i], weight[i], assignment[i], power_w[i])
        assert wanted * (1 - 1e-9) <= got <= wanted * (1 + 1e-6)
        np.testing.assert_allclose(power_w[i].sum(), POWER_W, 1e-12)
        level = 12 / POWER_W * power_w[i].sum(1)
        np.testing.assert_allclose(level, np.round(level), atol=1e-9)


@pytest.fixture(scope="module")
def tight_schedule():
    return jax.jit(jax.vmap(lambda problem: joint_schedule(problem, levels=60)))


@pytest.mark.slow
def test_quota_of_subchannels(tight_schedule):
    gain, weight = random_networks(5, 20, 6, 3)
    gain[0], gain[1, :, 1:] = 0.0, 0.0
    problem = problems(gain, weight, 2, 2)
    assignment, power_w = jax.tree.map(np.asarray, tight_schedule(problem))
    np.testing.assert_allclose(power_w.sum((1, 2)), np.where(np.arange(20) == 0, 0, POWER_W), 1e-5)
    assert ((power_w > 0) == assignment).all()
    assert (assignment.sum(1) <= 2).all()
    ratios = []
    for i in range(2, 20):
        # The best of all splits of the six subchannels among the three users, two each and alone, is within reach.
        alone = 0.0
        for owner in set(itertools.permutations([0, 0, 1, 1, 2, 2])):
            snr = np.array([gain[i, k, j] for k, j in enumerate(owner)]) * POWER_W / 6 / NOISE_W
            alone = max(alone, float((weight[i, list(owner)] * np.log2(1 + snr)).sum()))
        ratios.append(value_of(gain[i], weight[i], assignment[i], power_w[i])[0] / alone)
    assert np.min(ratios) > 1.0


@pytest.mark.slow
def test_quota_schedule_of_a_batch_equals_one_by_one(tight_schedule):
    problem = problems(*random_networks(6, 3, 6, 3), 2, 2)
    assignment, power_w = tight_schedule(problem)
    one = jax.jit(lambda problem: joint_schedule(problem, levels=60))
    for i in range(3):
        assignment_i, power_i = one(jax.tree.map(lambda leaf, i=i: leaf[i], problem))
        np.testing.assert_array_equal(assignment[i], assignment_i)
        np.testing.assert_allclose(power_w[i], power_i, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_zero_gains_stay_finite(solve_joint, keys, networks):
    gain = networks[0].copy()
    gain[0], gain[1, 0], gain[2, :, 2:] = 0.0, 0.0, 0.0
    found = solve_joint(problems(gain, networks[1], 2, 3), keys)
    assert np.isfinite(np.asarray(found.allocation["power_w"])).all()
    assert np.isfinite(np.asarray(found.utility)).all()
    assert (np.asarray(found.allocation["power_w"]) >= 0).all()


def test_no_levels_is_an_error():
    problem = make_noma_problem(jnp.ones((2, 2)))
    with pytest.raises(ValueError, match="levels is 0, wanted at least 1"):
        joint_schedule(problem, levels=0)
