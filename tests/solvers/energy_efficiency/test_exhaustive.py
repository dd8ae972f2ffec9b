import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.solvers import assignments, exhaustive_search, power_candidates, power_levels
from wirelax.types import Status

from . import reference
from .compiled import default_search, make_problems, searches


@functools.cache
def thousand():
    gains = reference.random_gains(0, 1000)
    return gains, default_search(gains)


def spectral_efficiencies(gains, solution):
    pairs = zip(gains, solution.allocation["assignment"], solution.allocation["power_w"], strict=True)
    return np.array([reference.spectral_efficiency(g, np.asarray(a), np.asarray(p)) for g, a, p in pairs])


def assert_same(fast, plain, least_identical):
    """Same allocations; where rounding ties choose another one, the same utility."""
    np.testing.assert_array_equal(fast.status, plain.status)
    np.testing.assert_allclose(fast.utility, plain.utility, 1e-6)
    same = [(fast.allocation[name] == plain.allocation[name]).all((1, 2)) for name in ("assignment", "power_w")]
    assert np.mean(same[0] & same[1]) >= least_identical


def assert_obeys_the_rules(gains, solution):
    """Assignment rules, budgets, and the utility against an independent evaluation."""
    num_bs, users = gains.shape[-1], gains.shape[-2] // gains.shape[-1]
    settings = reference.constants(num_bs)
    choices, powers = (np.asarray(solution.allocation[name]) for name in ("assignment", "power_w"))
    for i in range(len(gains)):
        for n in range(num_bs):
            assert set(choices[i, n].tolist()) == set(range(n * users, (n + 1) * users))
    assert (powers >= 0).all()
    assert (powers.sum(-1) <= settings["max_power_w"] * (1 + 2e-6)).all()
    wanted = [
        reference.energy_efficiency(g, a, p, circuit_power_w=settings["circuit_power_w"])
        for g, a, p in zip(gains, choices, powers.astype(np.float64), strict=True)
    ]
    np.testing.assert_allclose(solution.utility, wanted, 1e-5)


def test_equals_the_plain_search_on_a_thousand_channels():
    gains, (fast, each, plain) = thousand()
    assert fast.utility.dtype == jnp.float32
    assert_same(fast, plain, 0.999)
    assert_obeys_the_rules(gains, fast)
    assert (fast.status == Status.CONVERGED).all()
    assert fast.check() is fast
    np.testing.assert_array_equal(each.utility.max(1), fast.utility)


def test_powers_lie_on_the_grid():
    _, (fast, _, _) = thousand()
    fraction = fast.allocation["power_w"] / reference.constants()["max_power_w"][:, None]
    distance = np.abs(np.asarray(fraction)[..., None] - power_levels(4))
    assert (distance.min(-1) <= 1e-6 * fraction).all()


@pytest.mark.slow
def test_equals_the_plain_search_on_six_levels():
    gains = reference.random_gains(1, 64)
    fast, _, plain = searches(6, quick=True)(make_problems(gains))
    assert_same(fast, plain, 0.98)
    assert_obeys_the_rules(gains, fast)
    coarse = default_search(gains)[0]
    assert fast.utility.mean() > coarse.utility.mean()


@pytest.mark.parametrize("target", [0.0, 25.0])
def test_is_the_brute_force_optimum_of_every_assignment(target):
    gains, _ = thousand()
    gains = gains[3:5]
    fast, each, _ = default_search(gains, target)
    for i, gain in enumerate(gains):
        levels = reference.level_fractions(4)
        best = reference.brute_force(gain, levels, **reference.constants(), target=target)
        assert best, "no grid point meets the target: choose other channels"
        np.testing.assert_allclose(fast.utility[i], max(best.values())[0], 3e-6)
        if target == 0:
            for choice, utility in zip(assignments(3, 2, 2), each.utility[i], strict=True):
                np.testing.assert_allclose(utility, best[tuple(map(tuple, choice.tolist()))][0], 3e-6)


def test_a_target_that_binds_on_half_of_the_channels():
    gains, (free, _, _) = thousand()
    gains, reached = gains[:500], spectral_efficiencies(gains[:500], jax.tree.map(lambda x: x[:500], free))
    target = np.median(reached)
    fast, _, plain = default_search(gains, target)
    assert_same(fast, plain, 0.995)
    assert_obeys_the_rules(gains, fast)
    free_utility, slack = np.asarray(free.utility[:500]), reached > target
    np.testing.assert_array_equal(fast.utility[slack], free_utility[slack])
    assert (fast.utility[~slack] < free_utility[~slack]).all()
    met = spectral_efficiencies(gains, fast) >= target * (1 - 2e-6)
    np.testing.assert_array_equal(met, fast.status == Status.CONVERGED)
    assert 0.6 < met.mean() <= 1


def test_a_target_out_of_reach_returns_the_largest_rate():
    gains = reference.random_gains(2, 2)
    fast, _, plain = default_search(gains, 1e3)
    assert (fast.status == Status.INFEASIBLE).all()
    assert not fast.feasible.any()
    reached = spectral_efficiencies(gains, fast)
    np.testing.assert_allclose(reached, spectral_efficiencies(gains, plain), 1e-6)
    assert_obeys_the_rules(gains, fast)
    largest = max(
        reference.spectral_efficiency(gains[0], choice, power_w)
        for choice in reference.all_assignments(3, 2, 2)
        for power_w in reference.grid_powers(reference.level_fractions(4), [12.0, 1.2, 1.2], 2)
    )
    np.testing.assert_allclose(reached[0], largest, 1e-6)


def test_check_names_the_first_channel_without_a_solution():
    gains = reference.random_gains(3, 4)
    fast, _, _ = default_search(gains, np.array([0.0, 0.0, 1e3, 1e3]))
    np.testing.assert_array_equal(fast.feasible, [True, True, False, False])
    with pytest.raises(ValueError, match=r"2 of 4 instances .* \(first: index 2\); relax the constraints"):
        fast.check()


def test_ties_and_zero_channels():
    alike = np.broadcast_to(reference.random_gains(4, 1)[:, :1, :1], (1, 2, 6, 3))
    nothing = np.zeros((1, 2, 6, 3))
    deaf = reference.random_gains(5, 1)
    deaf[:, :, 2:4] = 0.0  # the users of one cell hear nobody
    gains = np.concatenate([alike, nothing, deaf])
    fast, each, plain = default_search(gains)
    np.testing.assert_allclose(fast.utility, plain.utility, 1e-6)
    assert_obeys_the_rules(gains, fast)
    np.testing.assert_allclose(each.utility[0], np.full(8, fast.utility[0]), 1e-6)
    assert fast.utility[1] == 0
    assert not fast.allocation["power_w"][1].any()
    assert not fast.allocation["power_w"][2, 1].any()
    for solution in (fast, each, plain):
        for leaf in jax.tree.leaves(solution):
            assert np.isfinite(leaf).all()
    unheard, _, _ = default_search(nothing, 1.0)
    assert unheard.status[0] == Status.INFEASIBLE
    assert unheard.utility[0] == 0


SIZES = {
    "one-link": ((1, 1, 1), 4, "db"),
    "linear": ((2, 2, 2), 5, "linear"),
    "three-subchannels": ((2, 2, 3), 3, "db"),
    "one-user": ((2, 1, 2), 6, "db"),
    "four-bs": ((4, 2, 2), 3, "db"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_other_sizes(name):
    size, levels, spacing = SIZES[name]
    gains = reference.random_gains(6, 32, *size)
    solve = searches(levels, spacing, quick=True)
    free, _, plain = solve(make_problems(gains))
    assert_same(free, plain, 0.95)
    assert_obeys_the_rules(gains, free)
    target = 1.02 * spectral_efficiencies(gains, free)
    bound, _, plain = solve(make_problems(gains, target))
    assert_same(bound, plain, 0.0)  # at high SNR two powers can change places: ties up to rounding
    assert_obeys_the_rules(gains, bound)
    met = spectral_efficiencies(gains, bound) >= target * (1 - 2e-6)
    np.testing.assert_array_equal(met, bound.feasible)
    grid = reference.level_fractions(levels, spacing=spacing)
    settings = reference.constants(size[0])
    np.testing.assert_allclose(
        free.utility[0], max(reference.brute_force(gains[0], grid, **settings).values())[0], 3e-6
    )
    chosen = int(np.argmax(met))
    best = reference.brute_force(gains[chosen], grid, **settings, target=target[chosen])
    if met[chosen]:
        np.testing.assert_allclose(bound.utility[chosen], max(best.values())[0], 3e-6)
    else:
        assert not best


def test_float64(x64):
    gains = reference.random_gains(7, 16, 2, 1, 2)
    reached = make_problems(gains)
    fast, _, plain = searches(5, quick=True)(reached)
    assert fast.utility.dtype == fast.allocation["power_w"].dtype == jnp.float64
    np.testing.assert_array_equal(fast.allocation["power_w"], plain.allocation["power_w"])
    best = reference.brute_force(gains[0], np.asarray(power_levels(5)).tolist(), **reference.constants(2))
    np.testing.assert_allclose(fast.utility[0], max(best.values())[0], 1e-12)


def test_float32_channels_stay_float32_in_double_precision(x64):
    problem = jax.tree.map(lambda leaf: leaf[0].astype(jnp.float32), make_problems(reference.random_gains(8, 1)))
    found = jax.eval_shape(exhaustive_search, problem)
    assert found.utility.dtype == found.allocation["power_w"].dtype == jnp.float32


@functools.cache
def big_network():
    """Two channels of 5 BSs on the path without whole tables, and then with a binding and a lost target."""
    gains = reference.random_gains(9, 2, 5, 2, 3)
    solve = searches(4, quick=True, plain=False)
    free, each, _ = solve(make_problems(gains))
    reached = spectral_efficiencies(gains, free)
    bound, _, _ = solve(make_problems(gains, np.array([1.02 * reached[0], 1e3])))
    return gains, free, each, reached, bound


@pytest.mark.slow
def test_big_network_beats_random_grid_points():
    gains, free, each, _, _ = big_network()
    assert each is None
    assert_obeys_the_rules(gains, free)
    assert (free.status == Status.CONVERGED).all()
    rng = np.random.default_rng(10)
    choices, settings = assignments(5, 2, 3), reference.constants(5)
    of_bs = power_candidates(power_levels(4), 1, 3)[:, 0]
    for i, gain in enumerate(gains):
        for _ in range(2000):
            power_w = of_bs[rng.integers(len(of_bs), size=5)] * settings["max_power_w"][:, None]
            found = reference.energy_efficiency(
                gain,
                choices[rng.integers(len(choices))].tolist(),
                power_w.tolist(),
                circuit_power_w=settings["circuit_power_w"],
            )
            assert free.utility[i] >= found * (1 - 1e-5)


@pytest.mark.slow
def test_big_network_meets_a_binding_target():
    gains, free, _, reached, bound = big_network()
    assert_obeys_the_rules(gains, bound)
    np.testing.assert_array_equal(bound.status, [Status.CONVERGED, Status.INFEASIBLE])
    now = spectral_efficiencies(gains, bound)
    assert now[0] >= 1.02 * reached[0] * (1 - 2e-6)
    assert 0.5 * free.utility[0] < bound.utility[0] < free.utility[0]
    assert now[1] >= reached[1] * (1 - 1e-6)


@pytest.mark.parametrize(
    ("size", "levels", "message"), [((3, 2, 2), 1, "at least 2"), ((7, 2, 3), 4, "use fewer BSs or subchannels")]
)
def test_errors_say_what_to_do(size, levels, message):
    problem = jax.tree.map(lambda leaf: leaf[0], make_problems(reference.random_gains(11, 1, *size)))
    with pytest.raises(ValueError, match=message):
        exhaustive_search(problem, levels=levels)
    with pytest.raises(ValueError, match="choose 'db' or 'linear'"):
        exhaustive_search(problem, spacing="mel")
