"""The NOMA problem as data: sum rate and constraints against loops, normalisation, derivatives, and bad input."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.problems import evaluate, make_noma_problem
from wirelax.types import Status

from ..compiling import quick_jit
from .noma_reference import EPS, FORMS, NOISE, TOTAL, rates, violations

SHAPE, QUOTAS, MIN_RATE = (3, 5), (3, 2), 0.3


def instance(seed):
    """A gain, weights, an assignment, often beyond the quotas, and powers, some of them stray."""
    rng = np.random.default_rng(seed)
    gain, weight = rng.exponential(size=SHAPE), rng.uniform(0.1, 2.0, SHAPE[1])
    assignment = rng.uniform(size=SHAPE) < (0.0 if seed == 0 else 0.7)
    power_w = np.where(assignment | (rng.uniform(size=SHAPE) < 0.1), rng.exponential(size=SHAPE), 0.0)
    return gain, weight, assignment, power_w


@functools.cache
def judged(form):
    def judge(gain, weight, assignment, power_w, min_rate):
        problem = make_noma_problem(
            gain,
            weight=weight,
            noise_power_w=NOISE,
            sic_residual=EPS,
            total_power_w=TOTAL,
            min_rate=min_rate,
            max_users_per_subchannel=QUOTAS[0],
            max_subchannels_per_user=QUOTAS[1],
            interference_gain=form,
            schedule=assignment,
        )
        allocation = {"assignment": assignment, "power_w": power_w}
        return evaluate(problem, allocation), problem.violated_pairs(allocation)

    return quick_jit(judge)


@pytest.mark.parametrize("form", FORMS)
def test_equals_loops_over_the_equations(form, x64):
    """In a trace, where quotas of a schedule are not an error but a violation. Seed 0 schedules nobody."""
    for seed in range(8):
        gain, weight, assignment, power_w = instance(seed)
        for min_rate in (MIN_RATE, 0.0):
            found, pairs = judged(form)(gain, weight, assignment, power_w, min_rate)
            utility = (weight * rates(gain, assignment, power_w, form)).sum()
            wanted, short = violations(gain, assignment, power_w, form, total_w=TOTAL, min_rate=min_rate, quotas=QUOTAS)
            np.testing.assert_allclose(found.utility, utility, rtol=1e-12)
            assert found.violations.keys() == wanted.keys()
            for name, value in wanted.items():
                np.testing.assert_allclose(found.violations[name], value, rtol=1e-9, atol=1e-12, err_msg=name)
            np.testing.assert_allclose(pairs, short, rtol=1e-12)
            assert bool(found.feasible) == all(value <= 1e-5 for value in wanted.values())


def test_a_feasible_allocation_is_feasible():
    problem = make_noma_problem(np.ones(SHAPE), total_power_w=9.0, schedule=np.arange(15).reshape(SHAPE) % 5 < 3)
    allocation = {"assignment": problem.schedule, "power_w": 1.0 * problem.schedule}
    found = quick_jit(evaluate)(problem, allocation)
    assert found.feasible
    assert found.check().status == Status.CONVERGED


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e6])
@pytest.mark.parametrize("power", [1.0, 1e-6])
def test_common_scales_leave_the_problem_as_it_is(scale, power):
    gain = np.random.default_rng(0).exponential(size=SHAPE)
    same, scaled = (
        make_noma_problem(
            gain.astype(np.float64) * gains, noise_power_w=0.1 * gains * powers, total_power_w=20.0 * powers
        )
        for gains, powers in ((1.0, 1.0), (scale, power))
    )
    np.testing.assert_allclose(scaled.snr, same.snr, rtol=1e-6)
    np.testing.assert_array_equal(scaled.schedule, same.schedule)
    assert scaled.snr.dtype == jnp.float32


def test_derivatives_of_the_normalised_gains():
    """By gain, noise and budget, in float32 at thermal noise, where a square of the noise is 0."""

    def snr(gain, noise, total):
        return make_noma_problem(gain, noise_power_w=noise, total_power_w=total, schedule=jnp.ones((1, 1), bool)).snr[
            0, 0
        ]

    gain, noise, total = jnp.array([[3e-21]]), jnp.float32(1e-21), jnp.float32(20.0)
    by_gain, by_noise, by_total = jax.grad(snr, (0, 1, 2))(gain, noise, total)
    np.testing.assert_allclose(by_gain, [[20 / 1e-21]], rtol=1e-6)
    np.testing.assert_allclose(by_noise, -60 / 1e-21, rtol=1e-6)
    np.testing.assert_allclose(by_total, 3.0, rtol=1e-6)
    twice = jax.grad(jax.grad(lambda x: snr(jnp.array([[3.0]]), x, total)))(jnp.float32(0.5))
    np.testing.assert_allclose(twice, 2 * 60 / 0.5**3, rtol=1e-6)


def test_slots_are_in_sic_order_and_scatter_back():
    gain = jnp.array([[1.0, 5.0, 3.0, 4.0], [2.0, 2.0, 1.0, 0.5]])
    assignment = jnp.array([[True, True, False, True], [True, True, False, False]])
    power_w = np.where(assignment, gain, 0.0)

    @quick_jit
    def seen(gain, power_w):
        problem = make_noma_problem(gain, schedule=assignment, total_power_w=16.0)
        slots = problem.slots()
        back = slots.scatter(slots.gather(power_w), 4)
        of_slots = problem.slot_utility(slots, slots.gather(power_w) / 16)
        return (
            slots.user,
            slots.assignment(4),
            back,
            of_slots,
            problem.utility({"assignment": assignment, "power_w": power_w}),
        )

    user, again, back, *utilities = seen(gain, power_w)
    np.testing.assert_array_equal(user, [[1, 3, 0], [0, 1, -1]])
    np.testing.assert_array_equal(again, assignment)
    np.testing.assert_array_equal(back, power_w)
    np.testing.assert_allclose(*utilities, 1e-6)


def test_numbers_of_any_type_become_floats_of_the_gains():
    problem = make_noma_problem(
        np.ones((2, 3), int), weight=[1, 2, 3], noise_power_w=1, min_rate=0, sic_residual=0, total_power_w=20
    )
    leaves = [problem.snr, problem.weight, problem.sic_residual, problem.min_rate, problem.total_power_w]
    assert all(isinstance(leaf, jax.Array) and leaf.dtype == jnp.float32 for leaf in leaves)
    np.testing.assert_array_equal(problem.snr, 20.0)
    assert problem.schedule.dtype == bool


@pytest.mark.parametrize(
    ("gain", "options", "match"),
    [
        (np.ones((2, 3, 4)), {}, r"\(2, 3, 4\), wanted \[subchannel, user\] of one network: use jax.vmap"),
        (np.ones((2, 3)), {"weight": np.ones((4, 3))}, r"weight has shape \(4, 3\), wanted \(3,\).*use jax.vmap"),
        (np.ones((2, 3)), {"noise_power_w": np.ones(4)}, r"noise_power_w has shape \(4,\).*use jax.vmap"),
        (np.ones((2, 3)), {"min_rate": np.ones(4)}, r"min_rate has shape \(4,\).*use jax.vmap"),
        (np.ones((2, 3)), {"schedule": np.ones((4, 2, 3), bool)}, r"schedule has shape \(4, 2, 3\).*use jax.vmap"),
        (np.ones((2, 3), np.float16), {}, "gain has type float16, .* wanted float32 or float64"),
        (np.ones((2, 3), complex), {}, r"store abs\(h\)\*\*2"),
        (np.ones((2, 3)), {"noise_power_w": 0.0}, "noise_power_w is 0.0, wanted a power above 0 W"),
        (np.ones((2, 3)), {"max_users_per_subchannel": 0}, "max_users_per_subchannel is 0, wanted at least 1"),
        (
            np.ones((2, 4)),
            {"schedule": [[1, 1, 0, 0], [1, 1, 1, 1]]},
            "schedule has 4 users on subchannel 1, max_users_per_subchannel is 3: take some out",
        ),
        (
            np.ones((3, 2)),
            {"schedule": [[0, 1], [0, 1], [1, 1]], "max_subchannels_per_user": 2},
            "schedule has 3 subchannels on user 1, max_subchannels_per_user is 2: take some out",
        ),
    ],
)
def test_bad_input(gain, options, match):
    with pytest.raises(ValueError, match=match):
        make_noma_problem(gain, **options)
