"""Association and powers as data: utilities, constraints and metrics against loops and by hand, derivatives, input."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from wirelax.problems import NO_BS, STARVED, evaluate, make_association_problem
from wirelax.types import Status

from ..compiling import quick_jit

OBJECTIVES = ("sum-rate", "proportional-fair")
NOISE_W, FLOOR = 6.3e-13, 1e-3


def judge(gain, max_power_w, association, power_w, objective):
    problem = make_association_problem(
        gain, max_power_w=max_power_w, noise_w=NOISE_W, rate_floor=FLOOR, objective=objective
    )
    allocation = {"association": association, "power_w": power_w}
    return evaluate(problem, allocation), problem.rates(allocation), problem.metrics(allocation)


JUDGE = quick_jit(judge, static_argnums=4)
JUDGE_BATCH = quick_jit(jax.vmap(judge, in_axes=(0, None, 0, 0, None)), static_argnums=4)


def instance(seed, ues=6, bss=4):
    """Gains of -140 to -60 dB, a third of them 0, one UE out of reach; associations that fit; powers, some negative."""
    rng = np.random.default_rng([seed, ues, bss])
    gain = 10 ** rng.uniform(-14, -6, (ues, bss)) * (rng.uniform(size=(ues, bss)) < 0.7)
    gain[rng.integers(ues)] = 0.0
    budget = np.where(np.arange(bss) < 1, 100.0, 0.1)
    association = np.array([rng.choice(np.flatnonzero(row)) if row.any() else NO_BS for row in gain], np.int32)
    power_w = budget * rng.uniform(size=bss) * rng.choice([1.0, 1.0, 0.0, -0.1], bss)
    return gain, budget, association, power_w


def reference(gain, budget, association, power_w):
    """Everything in float64, UE by UE: rates, both utilities, violations, metrics."""
    rates, load = [], [sum(1 for bs in association if bs == j) for j in range(len(budget))]
    radiated = [max(p, 0.0) for p in power_w]
    for ue, bs in enumerate(association):
        if bs == NO_BS:
            rates.append(0.0)
            continue
        others = sum(gain[ue, j] * radiated[j] for j in range(len(budget)) if j != bs)
        rates.append(np.log1p(gain[ue, bs] * radiated[bs] / (NOISE_W + others)) / np.log(2) / load[bs])
    held = [any(g > 0 for g in row) for row in gain]
    wrong = [gain[ue, bs] == 0 if bs != NO_BS else held[ue] for ue, bs in enumerate(association)]
    violations = {
        "association": sum(wrong) / len(gain),
        "power": max(p / b for p, b in zip(power_w, budget)) - 1,
        "negative_power": max(-p / b for p, b in zip(power_w, budget)),
    }
    squares = sum(r**2 for r in rates)
    metrics = {
        "sum_rate": sum(rates),
        "rate": rates,
        "rate_p5": np.percentile(rates, 5),
        "rate_median": sorted(rates)[len(rates) // 2] / 2 + sorted(rates)[(len(rates) - 1) // 2] / 2,
        "jain_index": sum(rates) ** 2 / (len(rates) * squares) if squares else 1.0,
        "starved_fraction": sum(r < 0.01 for r in rates) / len(rates),
        "serving_bss": sum(n > 0 for n in load),
        "unreachable_ues": held.count(False),
    }
    fair = sum(np.log(r + FLOOR) for r, h in zip(rates, held) if h)
    return {"sum-rate": sum(rates), "proportional-fair": fair}, violations, metrics


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("ues", "bss"), [(6, 4), (1, 1), (3, 8)])
def test_equals_loops_over_the_equations(ues, bss, objective, x64):
    for seed in range(8):
        found, rates, metrics = JUDGE(*instance(seed, ues, bss), objective)
        utilities, violations, wanted = reference(*instance(seed, ues, bss))
        np.testing.assert_allclose(found.utility, utilities[objective], rtol=1e-11, atol=1e-12)
        assert found.violations.keys() == violations.keys()
        for name, value in violations.items():
            np.testing.assert_allclose(found.violations[name], value, rtol=1e-12, atol=1e-15, err_msg=name)
        assert metrics.keys() == wanted.keys()
        for name, value in wanted.items():
            np.testing.assert_allclose(metrics[name], value, rtol=1e-11, atol=1e-12, err_msg=name)
        np.testing.assert_array_equal(rates, metrics["rate"])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_single_precision_batches_are_the_same_instance_by_instance(objective, x64):
    gain, _, association, power_w = (np.stack(x) for x in zip(*(instance(seed) for seed in range(20))))
    budget = instance(0)[1].astype(np.float32)
    arguments = gain.astype(np.float32), budget, association, power_w.astype(np.float32)
    found, rates, _ = JUDGE_BATCH(*arguments, objective)
    assert {leaf.dtype for leaf in (found.utility, rates, *found.violations.values())} == {np.dtype(np.float32)}
    for which in range(20):
        exact = [x[which].astype(float) for x in (arguments[0], arguments[3])]
        utilities, violations, wanted = reference(exact[0], budget.astype(float), association[which], exact[1])
        np.testing.assert_allclose(found.utility[which], utilities[objective], rtol=2e-5)
        np.testing.assert_allclose(rates[which], wanted["rate"], rtol=1e-4, atol=1e-6)
        for name, value in violations.items():
            np.testing.assert_allclose(found.violations[name][which], value, atol=1e-6, err_msg=name)


def settled():
    """Three UEs and two BSs, the last UE out of reach; SNRs of 3 at 1 W of the first BS and of 15 at 0.1 W.

    The UEs do not hear each other's BS, so that rates are 2 and 4.
    """
    gain = np.array([[3.0, 0.0], [0.0, 150.0], [0.0, 0.0]]) * NOISE_W
    return gain, np.array([1.0, 0.1]), np.array([0, 1, NO_BS], np.int32), np.array([1.0, 0.1])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_an_allocation_that_meets_every_constraint(objective, x64):
    found, rates, metrics = JUDGE(*settled(), objective)
    np.testing.assert_allclose(rates, [2.0, 4.0, 0.0], rtol=1e-12)
    assert {name: float(value) for name, value in found.violations.items()} == {
        "association": 0.0,
        "power": pytest.approx(0.0, abs=1e-12),
        "negative_power": pytest.approx(-1.0),
    }
    assert found.check().status == Status.CONVERGED
    # The UE out of reach is left out of the utility, but not of what is reported.
    wanted = {"sum-rate": 6.0, "proportional-fair": np.log(2.001) + np.log(4.001)}[objective]
    np.testing.assert_allclose(found.utility, wanted, rtol=1e-12)
    assert {name: np.shape(value) for name, value in metrics.items() if name != "rate"} == dict.fromkeys(
        set(metrics) - {"rate"}, ()
    )
    assert (metrics["serving_bss"], metrics["unreachable_ues"]) == (2, 1)
    np.testing.assert_allclose([metrics["rate_median"], metrics["rate_p5"]], [2.0, 0.2], rtol=1e-12)
    np.testing.assert_allclose([metrics["jain_index"], metrics["starved_fraction"]], [36 / 60, 1 / 3], rtol=1e-12)


@pytest.mark.parametrize(
    ("which", "entry", "value", "broken", "excess"),
    [
        ("association", 0, 1, "association", 1 / 3),  # a BS that does not reach it
        ("association", 0, NO_BS, "association", 1 / 3),  # none, although one reaches it
        ("association", 1, 2, "association", 1 / 3),  # a BS that there is not
        ("association", 1, -2, "association", 1 / 3),
        ("association", 2, 0, "association", 1 / 3),  # a BS for the UE out of reach
        ("power", 1, 0.15, "power", 0.5),
        ("power", 0, -0.25, "negative_power", 0.25),
        ("power", 1, np.nan, "power", np.nan),
    ],
)
def test_each_constraint_broken_alone(which, entry, value, broken, excess, x64):
    gain, budget, association, power_w = settled()
    {"association": association, "power": power_w}[which][entry] = value
    found, rates, _ = JUDGE(gain, budget, association, power_w, "sum-rate")
    assert not found.feasible
    np.testing.assert_allclose(found.violations[broken], excess, rtol=1e-12)
    if not np.isnan(excess):
        assert [name for name, by in found.violations.items() if by > 1e-9] == [broken]
        assert np.isfinite(rates).all()
        assert rates[2] == 0


def test_the_judge_takes_no_silent_bs_for_a_broken_constraint():
    gain, budget, association, power_w = settled()
    power_w[1] = 0.0
    found, rates, metrics = JUDGE(gain, budget, association, power_w, "proportional-fair")
    assert found.feasible
    np.testing.assert_allclose(rates, [2.0, 0.0, 0.0], rtol=1e-6)
    np.testing.assert_allclose(found.utility, np.log(2.001) + np.log(1e-3), rtol=1e-6)
    assert metrics["serving_bss"] == 2  # it has a UE


def test_starved_is_below_its_limit():
    gain, budget, association, power_w = settled()
    for rate, share in ((0.99 * STARVED, 2 / 3), (1.01 * STARVED, 1 / 3)):
        gain[0, 0] = (2**rate - 1) * NOISE_W
        _, _, metrics = JUDGE(gain, budget, association, power_w, "sum-rate")
        np.testing.assert_allclose(metrics["starved_fraction"], share, rtol=1e-6)


def problem_of(gain, budget, **options):
    return make_association_problem(gain, max_power_w=budget, noise_w=NOISE_W, **options)


def test_allocations_from_shares_of_the_budgets(x64):
    gain, budget, *_ = settled()
    problem = problem_of(gain, budget)
    assert (problem.num_ues, problem.num_bss) == (3, 2)
    np.testing.assert_array_equal(problem.reachable, [True, True, False])
    allocation = problem.allocation(jnp.array([0, 1, 1]), jnp.array([0.5, 1.0]))
    assert allocation["association"].dtype == jnp.int32
    np.testing.assert_array_equal(allocation["association"], [0, 1, NO_BS])
    np.testing.assert_allclose(allocation["power_w"], [0.5, 0.1], rtol=1e-15)
    np.testing.assert_allclose(problem.power_share(allocation), [0.5, 1.0], rtol=1e-15)
    np.testing.assert_allclose(problem.utility(allocation), np.log2(2.5) + 4, rtol=1e-12)


@pytest.mark.parametrize("gate", [True, False])
def test_relaxed_rates(gate, x64):
    """At a binary association those of the allocation, with empty BSs silent or at their power."""
    gain, budget, association, power_w = instance(4, 5, 4)
    problem, power = problem_of(gain, budget), jnp.maximum(np.abs(power_w) / budget, 0.1)
    share = jnp.array([[float(bs == j) for j in range(4)] for bs in association])
    used = share.sum(0) > 0
    assert not used.all()
    allocation = {"association": association, "power_w": np.where(used, power, 0.0 if gate else power) * budget}
    wanted = reference(gain, budget, **allocation)[2]["rate"]
    np.testing.assert_allclose(problem.relaxed_rates(share, power, gate=gate), wanted, rtol=1e-12)
    # A BS with a UE to one half is active to one half.
    soft = jnp.full((2, 1), 0.5)
    alone = problem_of(np.full((2, 1), 4 * NOISE_W), 1.0)
    active = 0.75 if gate else 1.0
    wanted = 0.5 * np.log2(1 + 4 * active) / 1.5
    np.testing.assert_allclose(alone.relaxed_rates(soft, jnp.ones(1), gate=gate), [wanted, wanted], rtol=1e-12)


LOGS = np.log([3.0, 0.4, 1.5, 0.2, 25.0, 7.0, 1.2, 0.3, 0.7, 1.0, 0.15, 1e-3])
"""Of the gains [2 x 3 over a scale], budgets [3], powers of two BSs, noise; and of the floor at the end, moved."""


def of_logs(logs, objective):
    values = jnp.exp(logs)
    problem = make_association_problem(
        values[:6].reshape(2, 3),
        max_power_w=values[6:9],
        noise_w=values[10],
        rate_floor=values[11],
        objective=objective,
    )
    power_w = jnp.stack([values[9] * 0.5, values[9] * 0.2, values[9]])
    allocation = {"association": jnp.array([0, 1]), "power_w": power_w}
    share = jnp.stack([jnp.array([0.5, 0.3, 0.2]), jnp.array([0.1, 0.1, 0.8])])
    relaxed = problem.utility_of_rates(problem.relaxed_rates(share, problem.power_share(allocation)))
    return jnp.stack([problem.utility(allocation), problem.violations(allocation)["power"], relaxed])


def numpy_of_logs(logs, objective):
    values = np.exp(logs)
    gain, budget, noise, floor = values[:6].reshape(2, 3), values[6:9], values[10], values[11]
    power = values[9] * np.array([0.5, 0.2, 1.0])

    def efficiency(i, j, power):
        others = sum(gain[i, k] * power[k] for k in range(3) if k != j)
        return np.log2(1 + gain[i, j] * power[j] / (noise + others))

    rates = efficiency(0, 0, power), efficiency(1, 1, power)
    share = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    gated = power * (1 - (1 - share[0]) * (1 - share[1]))
    relaxed = [sum(share[i, j] * efficiency(i, j, gated) / (1 + share[1 - i, j]) for j in range(3)) for i in range(2)]
    total = sum if objective == "sum-rate" else lambda rates: sum(np.log(r + floor) for r in rates)
    return np.array([total(rates), max(power / budget) - 1, total(relaxed)])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_derivatives_by_gains_budgets_powers_noise_and_floor(objective, x64):
    """Against differences of plain NumPy; in watts, so that of what the allocation is in shares nothing is left."""
    value, slope = VALUE_AND_SLOPE(LOGS, objective)
    np.testing.assert_allclose(value, numpy_of_logs(LOGS, objective), rtol=1e-10)
    steps = 1e-5 * np.eye(len(LOGS))
    differences = [(numpy_of_logs(LOGS + s, objective) - numpy_of_logs(LOGS - s, objective)) / 2e-5 for s in steps]
    np.testing.assert_allclose(slope, np.transpose(differences), rtol=1e-6, atol=1e-9)
    assert np.abs(slope[0][10]) > 0.01  # the noise
    assert (np.abs(slope[0][11]) > 1e-6) == (objective == "proportional-fair")


VALUE_AND_SLOPE = quick_jit(
    lambda logs, objective: (of_logs(logs, objective), jax.jacrev(of_logs)(logs, objective)), static_argnums=1
)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_second_derivatives(check_gradients, objective):
    check_gradients(lambda logs: of_logs(logs, objective)[::2], LOGS, rtol=2e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_derivatives_in_single_precision_are_finite_at_the_edges(objective, level):
    """No power and full power; a UE and a BS out of reach of all; two BSs alike; rates of 0."""
    gain = jnp.array([[1e-9, 1e-9, 0.0], [1e-14, 1e-6, 0.0], [0.0, 0.0, 0.0]])

    def of_all(gain, budget, noise, floor, power_w, share):
        problem = make_association_problem(
            gain, max_power_w=budget, noise_w=noise, rate_floor=floor, objective=objective
        )
        allocation = {"association": jnp.array([0, 0, NO_BS]), "power_w": power_w}
        relaxed = problem.relaxed_rates(share, problem.power_share(allocation))
        metrics = problem.metrics(allocation)
        return problem.utility(allocation), problem.utility_of_rates(relaxed), metrics["jain_index"]

    budget = jnp.array([100.0, 0.1, 0.1])
    arguments = gain, budget, jnp.float32(NOISE_W), jnp.float32(FLOOR), level * budget, jnp.full((3, 3), 1 / 3)
    slopes = quick_jit(jax.jacrev(of_all, tuple(range(6))))(*arguments)
    chex.assert_tree_all_finite(slopes)
    if level == 0:  # to the right of no power the utility grows
        assert slopes[0][4][0] > 0


def test_a_slope_at_no_power_is_that_to_the_right_of_it(x64):
    gain, budget, *_ = settled()

    def utility(power_w):
        return problem_of(gain, budget).utility({"association": jnp.array([0, 1, NO_BS]), "power_w": power_w})

    np.testing.assert_allclose(jax.grad(utility)(jnp.zeros(2)), [3 / np.log(2), 150 / np.log(2)], rtol=1e-12)
    np.testing.assert_array_equal(jax.grad(utility)(jnp.full(2, -0.01)), 0.0)


def test_order_of_ues_and_bss_does_not_matter(x64):
    gain, budget, association, power_w = instance(1)
    found, rates, metrics = JUDGE(gain, budget, association, power_w, "proportional-fair")
    ues, bss = np.random.default_rng(0).permutation(6), np.array([2, 0, 3, 1])
    moved = np.where(association < 0, NO_BS, np.argsort(bss)[association])[ues].astype(np.int32)
    again, others, measured = JUDGE(gain[ues][:, bss], budget[bss], moved, power_w[bss], "proportional-fair")
    np.testing.assert_allclose(others, rates[ues], rtol=1e-12)
    chex.assert_trees_all_close((again.utility, again.violations), (found.utility, found.violations), rtol=1e-12)
    chex.assert_trees_all_close(measured | {"rate": 0}, metrics | {"rate": 0}, rtol=1e-12)


def test_constants_of_any_type_become_floats_of_the_gains(x64):
    problem = make_association_problem(np.ones((2, 3), np.float32), max_power_w=2, noise_w=np.float64(4), rate_floor=1)
    floats = [leaf.dtype for name, leaf in vars(problem).items() if name not in ("macro", "objective")]
    assert floats == [jnp.float32] * 3
    np.testing.assert_array_equal(problem.snr, 0.5)
    np.testing.assert_array_equal(problem.max_power_w, [2.0] * 3)
    np.testing.assert_array_equal(problem.macro, [False] * 3)
    assert make_association_problem(np.ones((2, 3), int), max_power_w=1, noise_w=1).snr.dtype == jnp.float64
    macros = make_association_problem(np.ones((1, 2)), max_power_w=1, noise_w=1, macro=[1, 0]).macro
    np.testing.assert_array_equal(macros, [True, False])


def test_levels_of_the_field_do_not_underflow_in_single_precision():
    """Path losses of 160 dB at 100 mW over -122 dBm."""
    problem = make_association_problem(np.full((1, 1), 1e-16, np.float32), max_power_w=1e-3, noise_w=6.3e-16)
    np.testing.assert_allclose(problem.snr, 1e-19 / 6.3e-16, rtol=1e-6)
    slope = jax.grad(lambda noise: make_association_problem(jnp.ones((1, 1)), max_power_w=1, noise_w=noise).snr[0, 0])
    np.testing.assert_allclose(slope(jnp.float32(1e-16)), -1e32, rtol=1e-6)


def test_problems_are_data():
    problem = problem_of(*settled()[:2])
    flat, build = ravel_pytree((problem.snr, problem.max_power_w, problem.rate_floor))
    assert flat.size == 6 + 2 + 1
    assert jax.tree.structure(problem) != jax.tree.structure(dataclasses.replace(problem, objective=OBJECTIVES[1]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        problem.snr = build(flat)[0]


@pytest.mark.parametrize(
    ("gain", "options", "match"),
    [
        (np.ones((4, 2, 3)), {}, r"\(4, 2, 3\), wanted \[ue, bs\] of one downlink: use jax.vmap for a batch"),
        (np.ones(3), {}, r"gain has shape \(3,\), wanted \[ue, bs\]"),
        (np.ones((0, 3)), {}, r"gain has shape \(0, 3\)"),
        (np.ones((2, 3), complex), {}, r"gain has type complex64, wanted power gains: store abs\(h\)\*\*2"),
        (np.ones((2, 3), np.float16), {}, "gain has type float16, .* wanted float32 or float64"),
        (np.ones((2, 3)), {"max_power_w": np.inf}, "max_power_w is .inf inf inf., wanted finite numbers above 0"),
        (np.ones((2, 3)), {"max_power_w": np.ones(2)}, r"max_power_w has shape \(2,\), wanted \(3,\), one budget a BS"),
        (
            np.ones((2, 3)),
            {"max_power_w": np.array([1.0, 0.0, 1.0])},
            "max_power_w is .*, wanted finite numbers above 0",
        ),
        (np.ones((2, 3)), {"macro": [True]}, r"macro has shape \(1,\), wanted \(3,\), one flag a BS"),
        (np.ones((2, 3)), {"noise_w": 0.0}, "noise_w is 0.0, wanted finite numbers above 0"),
        (np.ones((2, 3)), {"noise_w": np.nan}, "noise_w is nan, wanted finite numbers above 0"),
        (np.ones((2, 3)), {"noise_w": np.ones(2)}, r"noise_w has shape \(2,\), wanted one number: use jax.vmap"),
        (np.ones((2, 3)), {"rate_floor": -1.0}, "rate_floor is -1.0, wanted finite numbers above 0"),
        (np.ones((2, 3)), {"rate_floor": np.ones(2)}, r"rate_floor has shape \(2,\), wanted one number: use jax.vmap"),
        (np.ones((2, 3)), {"objective": "max-min"}, "objective is 'max-min'; choose 'sum-rate' or 'proportional-fair'"),
    ],
)
def test_bad_input(gain, options, match):
    with pytest.raises(ValueError, match=match):
        make_association_problem(gain, **{"max_power_w": 1.0, "noise_w": 1.0, **options})


def test_a_trace_takes_constants_that_are_out_of_range():
    """They cannot be checked there."""
    build = jax.jit(lambda noise: make_association_problem(jnp.ones((1, 1)), max_power_w=1.0, noise_w=noise).snr)
    assert build(-1.0) == -1.0
