"""The uplink QoS problem as data: rates and constraints against loops and by hand, edges, derivatives, bad input."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from wirelax.problems import LONG, NONE, SHORT, evaluate, make_uplink_qos_problem
from wirelax.types import Status

from ..compiling import quick_jit

CONSTANTS = {
    "rate_long_bps": 3e6,
    "rate_short_bps": 512e3,
    "error_probability": 1e-5,
    "max_power_w": 0.2,
    "rb_bandwidth_hz": 360e3,
    "slot_s": 0.5e-3,
}
SHAPE = (3, 5)


def judge(gain, service, power_w, constants):
    problem = make_uplink_qos_problem(gain, **constants)
    allocation = {"service": service, "power_w": power_w}
    rates, shortfalls = problem.rates(allocation), problem.shortfalls(allocation)
    return evaluate(problem, allocation), rates, shortfalls, problem.metrics(allocation), problem.served(allocation)


JUDGE = quick_jit(judge)
JUDGE_BATCH = quick_jit(jax.vmap(judge, in_axes=(0, 0, 0, None)))


def instance(seed):
    """Gains [1/W], services, often of several users on an RB, and powers, some of them stray or negative."""
    rng = np.random.default_rng(seed)
    gain = 1000 * rng.exponential(size=SHAPE)
    service = np.where(rng.uniform(size=SHAPE) < 0.8, rng.integers(0, 3, SHAPE), NONE).astype(np.int32)
    power_w = np.where((service != NONE) | (rng.uniform(size=SHAPE) < 0.1), 0.08 * rng.exponential(size=SHAPE), 0.0)
    return gain, service, power_w - 0.01 * (rng.uniform(size=SHAPE) < 0.1)


def reference(gain, service, power_w, constants):
    """Everything in float64 from eqs. (1) and (2), user by user and RB by RB."""
    bandwidth, budget = constants["rb_bandwidth_hz"], constants["max_power_w"]
    uses, tail = bandwidth * constants["slot_s"], scipy.stats.norm.isf(constants["error_probability"])
    targets = constants["rate_long_bps"] / bandwidth, constants["rate_short_bps"] / bandwidth
    rates, shortfalls, errors = ([], []), ([], []), []
    for user in range(len(gain)):
        nats, variance, count = [0.0, 0.0], 0.0, 0
        for rb in range(gain.shape[1]):
            snr = gain[user, rb] * max(power_w[user, rb], 0.0)
            if service[user, rb] == LONG:
                nats[0] += np.log(1 + snr)
            if service[user, rb] == SHORT:
                nats[1] += np.log(1 + snr)
                variance, count = variance + 1 - (1 + snr) ** -2, count + 1
        reached = nats[0] / np.log(2), (nats[1] - tail * np.sqrt(count / uses)) / np.log(2)
        for which in (0, 1):
            rates[which].append(reached[which])
            shortfalls[which].append(1 - reached[which] / targets[which] if targets[which] > 0 else -1.0)
        need = targets[1] * np.log(2)
        carried = scipy.stats.norm.sf((nats[1] - need) * np.sqrt(uses / variance)) if variance > 0 else 1.0
        errors.append(carried if need > 0 else 0.0)
    share, used = power_w / budget, service != NONE
    violations = {
        "long_rate": max(shortfalls[0]),
        "short_rate": max(shortfalls[1]),
        "power": max(sum(row) for row in share) - 1,
        "stray_power": max(-p if u else abs(p) for p, u in zip(share.ravel(), used.ravel())),
        "shared_rb": max(used.sum(0)) - 1,
    }
    over = [sum(row) - 1 for row in share]
    served = [max(s) <= 1e-5 for s in zip(*shortfalls, over)]
    return rates, shortfalls, errors, violations, used.sum(), served


@pytest.mark.parametrize("off", [(), ("rate_long_bps",), ("rate_short_bps",), ("rate_long_bps", "rate_short_bps")])
def test_equals_loops_over_the_equations(off, x64):
    constants = {**CONSTANTS, **dict.fromkeys(off, 0.0)}
    seen = []
    for seed in range(12):
        gain, service, power_w = instance(seed)
        found, rates, shortfalls, metrics, served = JUDGE(gain, service, power_w, constants)
        wanted_rates, wanted_shortfalls, errors, violations, occupied, wanted_served = reference(
            gain, service, power_w, constants
        )
        np.testing.assert_allclose(rates, wanted_rates, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(shortfalls, wanted_shortfalls, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(metrics["shortfall_long"], wanted_shortfalls[0], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(metrics["shortfall_short"], wanted_shortfalls[1], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(metrics["decoding_error"], errors, rtol=1e-9, atol=1e-300)
        assert found.violations.keys() == violations.keys()
        for name, value in violations.items():
            np.testing.assert_allclose(found.violations[name], value, rtol=1e-9, atol=1e-12, err_msg=name)
        assert metrics["occupied"] == occupied
        assert found.utility == SHAPE[1] - occupied
        assert bool(found.feasible) == all(value <= 1e-5 for value in violations.values())
        np.testing.assert_array_equal(served, wanted_served)
        seen += wanted_served
    assert any(seen)
    assert not all(seen)


def settled():
    """Two users on four RBs, every constraint met with equality or by a known margin, and every number by hand.

    SNRs of 24 at the budget of 2 W; the long service asks for 2 bit/s/Hz, the short one for 3.8; one RB of the short
    service loses sqrt(1 / 100) * 2 ln 2 nats, or 0.2 bit.
    """
    constants = {
        "rate_long_bps": 2.0,
        "rate_short_bps": 3.8,
        "error_probability": scipy.stats.norm.sf(2 * np.log(2)),
        "max_power_w": 2.0,
        "rb_bandwidth_hz": 1.0,
        "slot_s": 100.0,
    }
    service = np.array([[LONG, SHORT, NONE, NONE], [NONE, NONE, LONG, SHORT]], np.int32)
    power_w = np.array([[0.25, 1.25, 0.0, 0.0], [0.0, 0.0, 0.25, 1.25]])  # SNRs of 3 and 15
    return np.full((2, 4), 12.0), service, power_w, constants


HELD = {"long_rate": 0.0, "short_rate": 0.0, "power": -0.25, "stray_power": 0.0, "shared_rb": 0.0}


def test_an_allocation_that_meets_every_constraint(x64):
    found, rates, _, metrics, served = JUDGE(*settled())
    np.testing.assert_allclose(rates, [[2.0, 2.0], [3.8, 3.8]], rtol=1e-12)
    assert {name: pytest.approx(float(value), abs=1e-9) for name, value in found.violations.items()} == HELD
    assert found.feasible
    assert found.check().status == Status.CONVERGED
    assert found.utility == 0.0
    assert metrics["occupied"] == 4
    assert served.all()
    # The exact dispersion is below 1: decoding fails less often than asked for.
    deviation = np.sqrt((1 - 16.0**-2) / 100)
    np.testing.assert_allclose(metrics["decoding_error"], scipy.stats.norm.sf(0.2 * np.log(2) / deviation), rtol=1e-9)


@pytest.mark.parametrize(
    ("entry", "service", "power_w", "broken", "value"),
    [
        ((0, 0), LONG, 1 / 12, "long_rate", 0.5),  # an SNR of 1: 1 of 2 bit
        ((1, 3), SHORT, 0.25, "short_rate", 1 - 1.8 / 3.8),  # an SNR of 3: 2 bit, less 0.2
        ((0, 0), LONG, 1.25, "power", 0.25),  # 2.5 W of 2 W
        ((0, 2), NONE, 0.1, "stray_power", 0.05),  # of 2 W
        ((0, 2), NONE, -0.1, "stray_power", 0.05),
        ((1, 0), LONG, 0.25, "shared_rb", 1.0),
    ],
)
def test_each_constraint_broken_alone(entry, service, power_w, broken, value, x64):
    gain, services, powers, constants = settled()
    services[entry], powers[entry] = service, power_w
    found, *_, served = JUDGE(gain, services, powers, constants)
    assert not found.feasible
    assert [name for name, excess in found.violations.items() if excess > 1e-9] == [broken]
    np.testing.assert_allclose(found.violations[broken], value, rtol=1e-9)
    assert served[1 - entry[0]]
    assert bool(served[entry[0]]) == (broken in ("stray_power", "shared_rb"))


def test_a_negative_power_carries_nothing_and_is_said():
    gain, service, power_w, constants = settled()
    power_w[0, 0] = -0.25
    found, rates, *_ = JUDGE(gain, service, power_w, constants)
    np.testing.assert_allclose(rates[0], [0.0, 2.0], atol=1e-6)
    np.testing.assert_allclose(found.violations["long_rate"], 1.0, rtol=1e-6)
    np.testing.assert_allclose(found.violations["stray_power"], 0.125, rtol=1e-6)


def test_a_second_rb_without_power_costs_the_short_service_more_of_its_rate():
    gain, service, power_w, constants = settled()
    service[0, 2] = SHORT
    _, rates, _, metrics, _ = JUDGE(gain, service, power_w, constants)
    np.testing.assert_allclose(rates[1], [4 - 0.2 * np.sqrt(2), 3.8], rtol=1e-6)
    np.testing.assert_allclose(metrics["decoding_error"][0], metrics["decoding_error"][1], rtol=1e-6)


@pytest.mark.parametrize("service", [NONE, LONG, SHORT])
def test_no_power_or_no_rb(service):
    """Shortfalls: the whole target, and more where a short block of no power still pays its penalty."""
    services = np.full(SHAPE, service, np.int32)
    found, rates, _, metrics, served = JUDGE(np.ones(SHAPE), services, np.zeros(SHAPE), CONSTANTS)
    chex.assert_tree_all_finite((found.violations, metrics))
    assert found.utility == (5.0 if service == NONE else -10.0)
    assert found.violations["shared_rb"] == (-1.0 if service == NONE else 2.0)
    penalty = 4.264891 * np.sqrt(5 / 180) / np.log(2) if service == SHORT else 0.0
    np.testing.assert_allclose(rates, [[0.0] * 3, [-penalty] * 3], rtol=1e-5)
    np.testing.assert_allclose(found.violations["long_rate"], 1.0)
    np.testing.assert_allclose(found.violations["short_rate"], 1 + penalty * 360e3 / 512e3, rtol=1e-5)
    np.testing.assert_array_equal(metrics["decoding_error"], 1.0)
    assert not served.any()


def test_targets_of_zero_need_nothing():
    constants = {**CONSTANTS, "rate_long_bps": 0.0, "rate_short_bps": 0.0}
    found, *_, metrics, served = JUDGE(np.ones(SHAPE), np.zeros(SHAPE, np.int32), np.zeros(SHAPE), constants)
    assert found.feasible
    assert found.utility == 5.0
    assert served.all()
    np.testing.assert_array_equal(metrics["decoding_error"], 0.0)


def test_needs_in_nats(x64):
    problem = make_uplink_qos_problem(np.ones(SHAPE), **CONSTANTS)
    np.testing.assert_allclose(problem.long_need, 5.776227, rtol=1e-6)
    assert (problem.num_users, problem.num_rbs) == SHAPE
    wanted = [512e3 * np.log(2) / 360e3 + scipy.stats.norm.isf(1e-5) * np.sqrt(count / 180) for count in range(4)]
    np.testing.assert_allclose(problem.short_need(np.arange(4)), wanted, rtol=1e-10)
    np.testing.assert_allclose(problem.short_need(1), 1.30369551, rtol=1e-8)


def test_a_service_at_its_need_is_at_its_target(x64):
    """The needs that solvers work with are those that the rates are judged by."""
    problem = make_uplink_qos_problem(np.full((1, 3), 1000.0), **CONSTANTS)
    shares = jnp.expm1(jnp.stack([problem.long_need, *[problem.short_need(2) / 2] * 2])) / problem.snr
    allocation = {"service": jnp.array([[LONG, SHORT, SHORT]]), "power_w": shares * problem.max_power_w}
    np.testing.assert_allclose(problem.shortfalls(allocation), 0.0, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-12, 1e6])
def test_powers_and_gains_in_other_units_are_the_same_problem(scale):
    gain, service, power_w = instance(1)
    wanted = JUDGE(gain, service, power_w, CONSTANTS)
    constants = {**CONSTANTS, "max_power_w": 0.2 * scale}
    found = JUDGE(gain / scale, service, power_w * scale, constants)
    chex.assert_trees_all_close(found[0].violations, wanted[0].violations, rtol=2e-5, atol=1e-6)
    chex.assert_trees_all_close(found[1:], wanted[1:], rtol=2e-5, atol=1e-6)


def test_jit_equals_eager_and_vmap_equals_a_loop(x64):
    batch = [instance(seed) for seed in range(3)]
    together = JUDGE_BATCH(*map(np.stack, zip(*batch)), CONSTANTS)
    for index, one in enumerate(batch):
        of_batch = jax.tree.map(lambda leaf, i=index: leaf[i], together)
        chex.assert_trees_all_close(of_batch, JUDGE(*one, CONSTANTS), rtol=1e-12, atol=1e-15)
    chex.assert_trees_all_close(judge(*one, CONSTANTS), JUDGE(*one, CONSTANTS), rtol=1e-12, atol=1e-15)


LINK = np.array([[LONG, SHORT, SHORT]], np.int32)
LOGS = np.log(np.array([*CONSTANTS.values(), 300.0, 700.0, 900.0, 0.1, 0.001, 0.0008]))
"""Of the constants, gains [1/W] and powers [W] of one user: small and large numbers alike."""


def of_logs(logs):
    """Shortfalls, excess over the budget and decoding error as functions of the logarithms."""
    values = jnp.exp(logs)
    problem = make_uplink_qos_problem(values[None, 6:9], **dict(zip(CONSTANTS, values[:6])))
    allocation = {"service": LINK, "power_w": values[None, 9:]}
    power = problem.violations(allocation)["power"]
    return jnp.stack([*problem.shortfalls(allocation), power[None], problem.decoding_error(allocation)])[:, 0]


def test_derivatives_by_gain_power_and_every_constant(x64):
    """Against differences of the loops in NumPy."""

    def wanted(logs):
        values = np.exp(logs)
        found = reference(values[None, 6:9], LINK, values[None, 9:], dict(zip(CONSTANTS, values[:6])))
        return np.array([*np.ravel(found[1]), found[3]["power"], found[2][0]])

    value, slope = quick_jit(lambda logs: (of_logs(logs), jax.jacrev(of_logs)(logs)))(LOGS)
    np.testing.assert_allclose(value, wanted(LOGS), rtol=1e-9)
    differences = [(wanted(LOGS + step) - wanted(LOGS - step)) / 2e-5 for step in 1e-5 * np.eye(len(LOGS))]
    np.testing.assert_allclose(slope, np.transpose(differences), rtol=1e-6, atol=1e-9)
    assert np.all(np.any(np.abs(slope) > 1e-9, axis=0))  # none of them is idle


@pytest.mark.slow  # the second derivative of the inverse of Q takes long to compile
def test_second_derivatives(check_gradients):
    check_gradients(of_logs, LOGS, rtol=1e-5)


def test_derivatives_in_single_precision_are_finite_at_no_power():
    def all_of(gain, constants, power_w):
        problem = make_uplink_qos_problem(gain, **constants)
        allocation = {"service": jnp.array([[LONG, SHORT, NONE]]), "power_w": power_w}
        return problem.rates(allocation), problem.violations(allocation), problem.decoding_error(allocation)

    constants = {name: jnp.float32(value) for name, value in CONSTANTS.items()}
    arguments = jnp.full((1, 3), 500.0), constants, jnp.zeros((1, 3))
    slopes = quick_jit(jax.jacrev(all_of, (0, 1, 2)))(*arguments)
    chex.assert_tree_all_finite(slopes)
    # To the right of a power of 0 the rate grows by gain / ln 2.
    np.testing.assert_allclose(slopes[0][0][2][0], [[500 / np.log(2), 0.0, 0.0]], rtol=1e-6)
    np.testing.assert_allclose(slopes[0][1][2][0], [[0.0, 500 / np.log(2), 0.0]], rtol=1e-6)
    # A target of 0 is no division by 0.
    constants["rate_short_bps"] = constants["rate_long_bps"] = jnp.float32(0.0)
    chex.assert_tree_all_finite(quick_jit(jax.jacrev(all_of, (0, 1, 2)))(arguments[0], constants, arguments[2]))


def test_numbers_of_any_type_become_floats_of_the_gains():
    problem = make_uplink_qos_problem(np.ones((2, 3), int), rate_long_bps=1, max_power_w=2, slot_s=1)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(problem))
    np.testing.assert_array_equal(problem.snr, 2.0)


def test_a_trace_takes_constants_that_are_out_of_range_and_says_so_by_nothing_but_numbers():
    """They cannot be checked there; the violations of an error probability of 0.7 are those of its formula."""
    gain, service, power_w, constants = settled()
    found, *_ = JUDGE(gain, service, power_w, {**constants, "error_probability": 0.7})
    chex.assert_tree_all_finite(found.violations)
    penalty = scipy.stats.norm.isf(0.7) / 10 / np.log(2)
    np.testing.assert_allclose(found.violations["short_rate"], 1 - (4 - penalty) / 3.8, rtol=1e-4)


@pytest.mark.parametrize(
    ("gain", "options", "match"),
    [
        (np.ones((4, 2, 3)), {}, r"\(4, 2, 3\), wanted \[user, rb\] of one cell: use jax.vmap for a batch"),
        (np.ones(3), {}, r"gain has shape \(3,\), wanted \[user, rb\]"),
        (np.ones((2, 0)), {}, r"gain has shape \(2, 0\)"),
        (np.ones((2, 3), complex), {}, r"wanted power gains: store \(abs\(h\)\*\*2\)"),
        (np.ones((2, 3), np.float16), {}, "gain has type float16, .* wanted float32 or float64"),
        (np.ones((2, 3)), {"rate_long_bps": np.ones(2)}, r"rate_long_bps has shape \(2,\), .* use jax.vmap"),
        (np.ones((2, 3)), {"error_probability": 0.0}, "error_probability is 0, wanted .* above 0 and below 0.5"),
        (np.ones((2, 3)), {"error_probability": 0.5}, "error_probability is 0.5, wanted .* above 0 and below 0.5"),
        (np.ones((2, 3)), {"error_probability": 0.7}, "error_probability is 0.7, wanted .* above 0 and below 0.5"),
        (np.ones((2, 3)), {"rate_long_bps": -1.0}, "rate_long_bps is -1, wanted a finite number at least 0"),
        (np.ones((2, 3)), {"rate_short_bps": -1.0}, "rate_short_bps is -1, wanted a finite number at least 0"),
        (np.ones((2, 3)), {"rate_short_bps": np.inf}, "rate_short_bps is inf, wanted a finite number"),
        (np.ones((2, 3)), {"max_power_w": 0.0}, "max_power_w is 0, wanted a finite number above 0"),
        (np.ones((2, 3)), {"max_power_w": np.nan}, "max_power_w is nan, wanted a finite number above 0"),
        (np.ones((2, 3)), {"rb_bandwidth_hz": 0.0}, "rb_bandwidth_hz is 0, wanted a finite number above 0"),
        (np.ones((2, 3)), {"slot_s": -1.0}, "slot_s is -1, wanted a finite number above 0"),
    ],
)
def test_bad_input(gain, options, match):
    with pytest.raises(ValueError, match=match):
        make_uplink_qos_problem(gain, **options)
