import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.solvers import assignments, make_energy_efficiency_problem
from wirelax.solvers.ee_problem import TARGET_TOLERANCE

from . import reference
from .compiled import make_problems


def problem(gain, **changes):
    return make_energy_efficiency_problem(gain, **reference.constants(gain.shape[-1]) | changes)


def evaluate(p, assignment, power_w):
    return {
        "sum_rate": p.sum_rate_bps(assignment, power_w),
        "energy_efficiency": p.energy_efficiency(assignment, power_w),
        "spectral_efficiency": p.spectral_efficiency(assignment, power_w),
        "drawn": p.total_power_w(power_w.sum()),
    }


def test_the_eight_classes():
    classes = assignments(3, 2, 2)
    for index, assignment in enumerate(classes):
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
    for n in range(num_bs):
        own = n * users + np.arange(users)
        assert np.isin(found[:, n], own).all()  # (1a): one user of the cell per subchannel
        assert (found[:, n, :, None] == own).any(1).all()  # (1b): every user at least one
    if count < 1000:
        full = [a for a in reference.all_assignments(*size) if min(min(row) for row in a) >= 0]
        assert sorted(map(tuple, found.reshape(count, -1).tolist())) == sorted(sum(a, ()) for a in full)


def test_a_caller_cannot_change_the_cached_list():
    assignments(2, 1, 2)[:] = -7
    assert assignments(2, 1, 2).min() == 0


def test_too_many_assignments_say_what_to_do():
    with pytest.raises(ValueError, match=r"6\^7 assignments, more than the 200,000 .* use fewer BSs"):
        assignments(7, 2, 3)


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


def test_integer_gains_do_not_round_the_powers():
    p = make_energy_efficiency_problem(np.ones((1, 1, 1), int), noise_w=0.5, max_power_w=[1.2])
    assert (float(p.noise_w), float(p.max_power_w[0])) == (0.5, np.float32(1.2))


def test_sizes():
    p = problem(jnp.ones((3, 8, 4)))
    assert (p.num_subchannels, p.num_bs, p.users_per_bs) == (3, 4, 2)


@pytest.mark.parametrize("size", [(3, 2, 2), (2, 2, 3), (1, 1, 1)])
def test_objective_matches_the_equations(size):
    num_bs, _users, num_subchannels = size
    gains = reference.random_gains(1, 8, *size)
    rng = np.random.default_rng(2)
    choices = assignments(*size)[rng.integers(len(assignments(*size)), size=8)]
    settings = reference.constants(num_bs)
    powers = rng.uniform(size=(8, num_bs, num_subchannels)) * settings["max_power_w"][:, None]
    powers[0] = 0.0
    got = jax.jit(jax.vmap(evaluate))(make_problems(gains), jnp.asarray(choices), jnp.asarray(powers, jnp.float32))
    for i, (gain, choice, power_w) in enumerate(zip(gains, choices, powers, strict=True)):
        drawn = power_w.sum() / reference.RHO + settings["circuit_power_w"]
        wanted = {
            "sum_rate": reference.sum_rate(gain, choice, power_w),
            "energy_efficiency": reference.energy_efficiency(
                gain, choice, power_w, circuit_power_w=settings["circuit_power_w"]
            ),
            "spectral_efficiency": reference.spectral_efficiency(gain, choice, power_w),
            "drawn": drawn,
        }
        for name, value in wanted.items():
            np.testing.assert_allclose(got[name][i], value, 3e-6, err_msg=name)


def test_target_is_met_up_to_rounding():
    gain = jnp.asarray(reference.random_gains(3, 1)[0], jnp.float32)
    choice, power_w = jnp.asarray(assignments(3, 2, 2)[0]), jnp.full((3, 2), 0.1)
    reached = problem(gain).spectral_efficiency(choice, power_w)
    for factor, met in [(1 - 1e-5, True), (1 + 0.1 * TARGET_TOLERANCE, True), (1 + 1e-5, False)]:
        assert bool(problem(gain, min_spectral_efficiency=reached * factor).meets_target(choice, power_w)) == met


def test_gradients_are_finite_at_zero_power_and_zero_gain():
    def gradients(gain, power_w):
        objective = lambda gain, power_w: problem(gain).energy_efficiency(choice, power_w)  # noqa: E731
        return jax.value_and_grad(objective, argnums=(0, 1))(gain, power_w)

    choice = jnp.asarray(assignments(3, 2, 2)[5])
    gradients = jax.jit(gradients)
    gain = jnp.asarray(reference.random_gains(4, 1)[0], jnp.float32)
    for g in (gain, jnp.zeros_like(gain), gain.at[0].set(0.0)):
        for p in (jnp.zeros((3, 2)), jnp.full((3, 2), 0.1), jnp.full((3, 2), 0.1).at[1].set(0.0)):
            value, slopes = gradients(g, p)
            for leaf in (value, *slopes):
                assert np.isfinite(leaf).all()
    value, (of_gain, of_power) = gradients(gain, jnp.zeros((3, 2)))
    assert value == 0
    assert not of_gain.any()
    # At zero power nobody interferes: d EE / d p = B gain / (noise ln 2) over the circuit power.
    own = np.array([[gain[k, choice[n, k], n] for k in range(2)] for n in range(3)], np.float64)
    np.testing.assert_allclose(of_power, 1e6 * own / reference.NOISE_W / np.log(2) / 12.0, 1e-4)
