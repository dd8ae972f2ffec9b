"""The energy-efficiency problem as data: utility and constraints against loops, scales, assignments, bad input."""

import functools
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.errors import InputError
from wirelax.problems import assignments, evaluate, make_energy_efficiency_problem, random_assignment
from wirelax.types import FEASIBILITY_TOLERANCE

from ..compiling import quick_jit
from ..solvers import reference

SIZE = (2, 2, 3)  # BSs, users a cell, subchannels


def make(gain, target=0.0, **changes):
    settings = reference.constants(gain.shape[-1]) | changes
    return make_energy_efficiency_problem(gain, min_spectral_efficiency=target, **settings)


@functools.cache
def judged():
    """Compiled: gains, targets, assignments, powers -> solutions, metrics, drawn powers."""

    def judge(gain, target, assignment, power_w):
        problem = make(gain, target)
        allocation = {"assignment": assignment, "power_w": power_w}
        return evaluate(problem, allocation), problem.metrics(allocation), problem.total_power_w(power_w.sum())

    return quick_jit(jax.vmap(judge))


# --- utility and constraints ------------------------------------------------------------------------------


@functools.cache
def decisions(size, count=24):
    """Gains, targets, and decisions of which most break something: empty places, foreign users, negative powers."""
    num_bs, users, num_subchannels = size
    rng = np.random.default_rng(2)
    gains = reference.random_gains(1, count, *size)
    choices = rng.integers(-1, num_bs * users, (count, num_bs, num_subchannels))
    choices[: count // 3] = assignments(*size)[rng.integers(len(assignments(*size)), size=count // 3)]
    budgets = reference.constants(num_bs)["max_power_w"]
    powers = rng.uniform(0, 1.2 / num_subchannels, choices.shape) * budgets[:, None]
    powers[0] = 0.0
    choices[-4:, :, 0] = -1
    powers[-4:, :, 0] *= -1.0  # negative where nobody listens: elsewhere the rates are no numbers
    return gains, np.where(np.arange(count) % 2, 20.0, 0.0), choices, powers


def expected(gain, target, choice, power_w):
    settings = reference.constants(gain.shape[-1])
    return {
        "utility": reference.energy_efficiency(gain, choice, power_w, circuit_power_w=settings["circuit_power_w"]),
        "spectral_efficiency": reference.spectral_efficiency(gain, choice, power_w),
        "drawn": power_w.sum() / reference.RHO + settings["circuit_power_w"],
    }, reference.violations(gain, choice, power_w, max_power_w=settings["max_power_w"], target=target)


def assert_equals_loops(case, tolerance):
    found, metrics, drawn_w = judged()(*case)
    broken = Counter()
    for i, row in enumerate(zip(*case, strict=True)):
        wanted, violations = expected(*row)
        got = {"utility": found.utility[i], "drawn": drawn_w[i]} | {name: v[i] for name, v in metrics.items()}
        assert got.keys() == wanted.keys()
        assert found.violations.keys() == violations.keys()
        for name, value in wanted.items():
            np.testing.assert_allclose(got[name], value, tolerance, err_msg=name)
        for name, value in violations.items():
            np.testing.assert_allclose(found.violations[name][i], value, tolerance, tolerance, err_msg=name)
        assert bool(found.feasible[i]) == (max(violations.values()) <= FEASIBILITY_TOLERANCE)
        broken.update(name for name, value in violations.items() if value > FEASIBILITY_TOLERANCE)
    assert broken.keys() == found.violations.keys(), "some constraint is never broken"
    assert found.feasible.any()


@pytest.mark.parametrize("size", [SIZE, (3, 2, 2)])
def test_equals_the_equations(x64, size):
    assert_equals_loops(decisions(size), 1e-12)


def test_equals_the_equations_in_single_precision():
    gains, targets, choices, powers = decisions(SIZE)
    assert_equals_loops((gains.astype(np.float32), targets, choices, powers.astype(np.float32)), 5e-6)


def judge_one(gain, choice, power_w, target=0.0):
    args = (np.asarray(x)[None].repeat(24, 0) for x in (gain, target, choice, power_w))
    return jax.tree.map(lambda leaf: leaf[0], judged()(*args)[0])


def test_each_constraint_broken_in_turn_is_named_with_its_size(x64):
    gain, choice = reference.random_gains(3, 1, *SIZE)[0], np.array([[0, 1, 1], [2, 3, 3]])
    power_w = np.array([[1.0, 2.0, 3.0], [0.1, 0.2, 0.3]])
    reached = reference.spectral_efficiency(gain, choice, power_w)
    kept = judge_one(gain, choice, power_w, 0.99 * reached)
    assert kept.feasible
    assert max(map(float, kept.violations.values())) <= 0
    cases = {
        "power_budget": ({"power_w": np.array([[1.0, 2.0, 3.0], [0.4, 0.5, 0.66]])}, 0.3),
        "negative_power": ({"power_w": np.array([[1.0, 2.0, 3.0], [0.1, 0.2, -0.12]])}, 0.1),
        "unserved_users": ({"choice": np.array([[0, 0, -1], [2, 3, 3]])}, 0.25),
        "foreign_users": ({"choice": np.array([[0, 1, 3], [2, 3, 3]])}, 1 / 6),
        "spectral_efficiency": ({"target": 1.25 * reached}, 0.2),
    }
    assert cases.keys() == kept.violations.keys()
    for name, (change, size) in cases.items():
        found = judge_one(**{"gain": gain, "choice": choice, "power_w": power_w} | change)
        assert not found.feasible
        np.testing.assert_allclose(found.violations[name], size, rtol=1e-9, err_msg=name)
        assert [other for other, v in found.violations.items() if v > FEASIBILITY_TOLERANCE] == [name]
        with pytest.raises(ValueError, match=f"breaks '{name}'"):
            found.check()


def test_powers_that_are_no_numbers_are_not_feasible(x64):
    gain, choice = reference.random_gains(3, 1, *SIZE)[0], np.array([[0, 1, 1], [2, 3, 3]])
    assert not judge_one(gain, choice, np.array([[0.1, np.nan, 0.1], [0.1, 0.1, 0.1]])).feasible


def test_an_empty_subchannel_carries_nothing_but_disturbs(x64):
    gain, power_w = reference.random_gains(3, 1, *SIZE)[0], np.full((2, 3), 0.2)
    busy, idle = np.array([[0, 1, 1], [2, 3, 3]]), np.array([[0, 1, -1], [2, 3, 3]])
    quiet = power_w.copy()
    quiet[0, 2] = 0.0
    silent, loud = judge_one(gain, idle, quiet), judge_one(gain, idle, power_w)
    np.testing.assert_allclose(judge_one(gain, busy, quiet).utility, silent.utility, 1e-14)
    assert loud.utility < silent.utility


def test_target_is_met_up_to_the_tolerance():
    gain = jnp.asarray(reference.random_gains(3, 1)[0], jnp.float32)
    choice, power_w = jnp.asarray(assignments(3, 2, 2)[0]), jnp.full((3, 2), 0.1)
    rate_bps = make(gain).sum_rate_bps(choice, power_w)
    reached = make(gain).spectral_efficiency(choice, power_w)
    for factor, met in [(0.99, True), (1 + 0.5 * FEASIBILITY_TOLERANCE, True), (1 + 2 * FEASIBILITY_TOLERANCE, False)]:
        problem = make(gain, reached * factor)
        assert bool(problem.meets_target(rate_bps)) == met
        assert bool(evaluate(problem, {"assignment": choice, "power_w": power_w}).feasible) == met
        assert bool(problem.score(rate_bps, power_w.sum()) > 0) == met


# --- scales, dtypes, derivatives --------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e6])
def test_the_scale_of_gains_and_noise_does_not_matter(scale):
    """All that any solver sees are the SNRs: equal to the last digit where the scale is a power of two."""
    gain = reference.random_gains(4, 1)[0]
    base = make(gain)
    assert base.snr.dtype == jnp.float32
    for factor, tolerance in [(2.0 ** np.round(np.log2(scale)), 0.0), (scale, 1e-6)]:
        scaled = make(gain * factor, noise_w=reference.NOISE_W * factor)
        for one, other in zip(jax.tree.leaves(base), jax.tree.leaves(scaled), strict=True):
            np.testing.assert_allclose(other, one, tolerance)


def test_integer_gains_do_not_round_the_powers():
    p = make_energy_efficiency_problem(np.ones((1, 1, 1), int), noise_w=0.5, max_power_w=[1.2])
    assert (p.snr.dtype, p.max_power_w.dtype) == (jnp.float32, jnp.float32)
    np.testing.assert_allclose(p.snr, 2.4, 1e-7)
    np.testing.assert_allclose(p.sum_rate_bps(jnp.zeros((1, 1), int), jnp.full((1, 1), 0.6)), 1e6 * np.log2(2.2), 1e-6)


def test_sizes():
    p = make(jnp.ones((3, 8, 4)), 2.0)
    assert (p.num_subchannels, p.num_bs, p.num_users, p.users_per_bs) == (3, 4, 8, 2)
    assert float(p.min_sum_rate_bps) == 6e6


def test_gradients_are_finite_at_zero_power_and_zero_gain():
    @quick_jit
    def gradients(gain, power_w, circuit_power_w):
        def objective(gain, power_w):
            return make(gain, circuit_power_w=circuit_power_w).energy_efficiency(choice, power_w)

        return jax.value_and_grad(objective, argnums=(0, 1))(gain, power_w)

    choice = jnp.asarray(assignments(3, 2, 2)[5])
    gain = jnp.asarray(reference.random_gains(4, 1)[0], jnp.float32)
    for g in (gain, jnp.zeros_like(gain), gain.at[0].set(0.0)):
        for p in (jnp.zeros((3, 2)), jnp.full((3, 2), 0.1), jnp.full((3, 2), 0.1).at[1].set(0.0)):
            for circuit_power_w in (12.0, 0.0):
                for leaf in jax.tree.leaves(gradients(g, p, circuit_power_w)):
                    assert np.isfinite(leaf).all()
    value, (of_gain, of_power) = gradients(gain, jnp.zeros((3, 2)), 12.0)
    assert value == 0
    assert not of_gain.any()
    # At zero power nobody interferes: d EE / d p = B gain / (noise ln 2) over the circuit power.
    own = np.array([[gain[k, choice[n, k], n] for k in range(2)] for n in range(3)], np.float64)
    np.testing.assert_allclose(of_power, 1e6 * own / reference.NOISE_W / np.log(2) / 12.0, 1e-4)


# --- bad input --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((9, 2, 6, 3), r"shape \(9, 2, 6, 3\); wanted one instance \[subchannel, user, bs\] \(use jax.vmap"),
        ((6, 3), r"shape \(6, 3\); wanted one instance"),
        ((2, 5, 3), "5 users for 3 BSs; the number of users must be a multiple"),
        ((2, 0, 3), "0 users for 3 BSs"),
        ((2, 9, 3), "3 users per BS cannot each get one of 2 subchannels; use fewer users"),
    ],
)
def test_bad_gains_say_what_to_do(shape, message):
    with pytest.raises(ValueError, match=message):
        make_energy_efficiency_problem(jnp.ones(shape), noise_w=1.0, max_power_w=jnp.ones(shape[-1]))


@pytest.mark.parametrize("budgets", [12.0, np.ones(2), np.ones((1, 3))])
def test_bad_budgets_say_what_to_do(budgets):
    with pytest.raises(ValueError, match=r"max_power_w has shape .*; wanted one budget per BS, \(3,\)"):
        make_energy_efficiency_problem(jnp.ones((2, 6, 3)), noise_w=1.0, max_power_w=budgets)


# --- assignments ------------------------------------------------------------------------------------------


def test_the_eight_classes():
    for index, assignment in enumerate(assignments(3, 2, 2)):
        for n in range(3):
            swapped = index >> (2 - n) & 1  # a binary counter, its last digit the last BS
            assert assignment[n].tolist() == [2 * n + swapped, 2 * n + 1 - swapped]


@pytest.mark.parametrize(
    ("size", "count"), [((3, 2, 2), 8), ((2, 2, 3), 36), ((1, 1, 2), 1), ((5, 2, 3), 7776), ((1, 3, 3), 6)]
)
def test_assignments_are_all_that_obey_1a_and_1b(size, count):
    num_bs, users, num_subchannels = size
    found = assignments(*size)
    assert found.shape == (count, num_bs, num_subchannels)
    assert len(np.unique(found.reshape(count, -1), axis=0)) == count
    assert_valid(found, users)
    if count < 1000:
        full = [a for a in reference.all_assignments(*size) if min(min(row) for row in a) >= 0]
        assert sorted(map(tuple, found.reshape(count, -1).tolist())) == sorted(sum(a, ()) for a in full)


def assert_valid(found, users):
    """(1a): one user of the cell per subchannel; (1b): every user at least one. Any leading axes."""
    for n in range(found.shape[-2]):
        own = n * users + np.arange(users)
        assert np.isin(found[..., n, :], own).all()
        assert (found[..., n, :, None] == own).any(-2).all()


def test_a_caller_cannot_change_the_cached_list():
    assignments(2, 1, 2)[:] = -7
    assert assignments(2, 1, 2).min() == 0


@pytest.mark.parametrize("size", [(7, 2, 3), (17, 4, 4), (1, 8, 8)])
def test_too_many_assignments_say_what_to_do(size):
    with pytest.raises(InputError, match=rf"{size[0]} BSs .* more than the 200,000 assignments .* enumerates none"):
        assignments(*(size if size[0] > 1 else (1, 8, 40)))


@pytest.mark.parametrize("size", [(17, 4, 4), (3, 2, 5), (2, 1, 1)])
def test_random_assignments_are_valid_at_any_size(size):
    num_bs, users, num_subchannels = size
    problem = make_energy_efficiency_problem(
        jnp.ones((num_subchannels, num_bs * users, num_bs)), noise_w=1.0, max_power_w=jnp.ones(num_bs)
    )
    draw = jax.jit(jax.vmap(lambda key: random_assignment(problem, key=key)))
    found = np.asarray(draw(jax.random.split(jax.random.key(0), 50)))
    assert found.dtype == np.int32
    assert_valid(found, users)
    everywhere = (found[..., None] == np.arange(num_bs * users)).any(0)  # [bs, subchannel, user]
    assert everywhere.sum(-1).min() == users  # no place is closed to a user of the cell


def test_random_assignments_are_uniform_over_the_classes():
    problem = make(jnp.ones((2, 4, 2)))
    draw = jax.jit(jax.vmap(lambda key: random_assignment(problem, key=key)))
    found = np.asarray(draw(jax.random.split(jax.random.key(1), 4000)))
    counts = Counter(map(bytes, found))
    assert len(counts) == len(assignments(2, 2, 2)) == 4
    chi_square = sum((count - 1000) ** 2 / 1000 for count in counts.values())
    assert chi_square < 16.3  # 0.1 % of uniform draws exceed it with 3 degrees of freedom
