"""The fast exact search against the plain one and against loops: optima, targets, ties, grids, proofs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.errors import InputError
from wirelax.problems import assignments
from wirelax.solvers import exhaustive_search, exhaustive_search_reference, make_power_grid
from wirelax.solvers.energy_efficiency import exhaustive, power_candidates, power_levels
from wirelax.types import Status

from ...compiling import quick_jit
from .. import reference
from ..compiled import default_search, in_chunks, make_problem, make_problems, searches, value_of

SMALL = (2, 1, 2)


@functools.cache
def hundreds():
    gains = reference.random_gains(0, 200)
    return gains, default_search(gains)


def spectral_efficiencies(gains, solution):
    return np.asarray(value_of(reference.spectral_efficiency, gains, solution))


def assert_same(fast, plain, least_identical):
    """Same allocations; where rounding ties choose another one, the same utility."""
    np.testing.assert_array_equal(fast.status, plain.status)
    np.testing.assert_allclose(fast.utility, plain.utility, 2e-6)
    pairs = [(fast.allocation[name], plain.allocation[name]) for name in ("assignment", "power_w")]
    same = [np.isclose(one, other, 1e-6, 0).all((1, 2)) for one, other in pairs]
    assert np.mean(same[0] & same[1]) >= least_identical


def assert_obeys_the_rules(gains, solution, **changes):
    """Assignment rules, budgets, and the utility against an independent evaluation."""
    num_bs, users = gains.shape[-1], gains.shape[-2] // gains.shape[-1]
    settings = reference.constants(num_bs) | changes
    choices, powers = (np.asarray(solution.allocation[name]) for name in ("assignment", "power_w"))
    for i in range(len(gains)):
        for n in range(num_bs):
            assert set(choices[i, n].tolist()) == set(range(n * users, (n + 1) * users))
    assert (powers >= 0).all()
    assert (powers.sum(-1) <= settings["max_power_w"] * (1 + 1e-5)).all()
    if settings["circuit_power_w"] > 0:
        wanted = value_of(reference.energy_efficiency, gains, solution, circuit_power_w=settings["circuit_power_w"])
        np.testing.assert_allclose(solution.utility, wanted, 1e-5)


def test_equals_the_plain_search_on_many_channels():
    gains, (fast, each, plain) = hundreds()
    assert fast.utility.dtype == jnp.float32
    assert_same(fast, plain, 0.99)
    assert_obeys_the_rules(gains, fast)
    for solution in (fast, plain, each):
        assert (solution.status == Status.CONVERGED).all()
        assert solution.feasible.all()
        assert solution.proven.all()
    assert (fast.iterations < 20).all()
    assert fast.check() is fast
    np.testing.assert_array_equal(each.utility.max(1), fast.utility)


def test_powers_lie_on_the_grid():
    _, (fast, _, _) = hundreds()
    fraction = fast.allocation["power_w"] / reference.constants()["max_power_w"][:, None]
    distance = np.abs(np.asarray(fraction)[..., None] - power_levels(4))
    assert (distance.min(-1) <= 1e-6 * fraction).all()


@pytest.mark.slow
def test_equals_the_plain_search_on_six_levels():
    gains = reference.random_gains(1, 64)
    fast, _, plain = searches(6)(make_problems(gains))
    assert_same(fast, plain, 0.98)
    assert_obeys_the_rules(gains, fast)
    coarse = default_search(gains)[0]
    assert fast.utility.mean() > coarse.utility.mean()


@pytest.mark.parametrize("factor", [0.0, 1.03])
def test_is_the_brute_force_optimum_of_every_assignment(factor):
    gains, (free, _, _) = hundreds()
    gains, target = gains[3:5], factor * spectral_efficiencies(gains[3:5], jax.tree.map(lambda x: x[3:5], free))
    fast, each, _ = default_search(gains, target)
    for i, gain in enumerate(gains):
        levels = reference.level_fractions(4)
        best = reference.brute_force(gain, levels, **reference.constants(), target=target[i] * (1 - 1e-5))
        assert bool(fast.feasible[i]) == bool(best)
        if best:
            np.testing.assert_allclose(fast.utility[i], max(best.values())[0], 3e-6)
        if factor == 0:
            for choice, utility in zip(assignments(3, 2, 2), each.utility[i], strict=True):
                np.testing.assert_allclose(utility, best[tuple(map(tuple, choice.tolist()))][0], 3e-6)


# --- the SE target ----------------------------------------------------------------------------------------


def test_a_target_that_binds_on_half_of_the_channels():
    gains, (free, _, _) = hundreds()
    reached = spectral_efficiencies(gains, free)
    target = np.median(reached)
    fast, _, plain = default_search(gains, target)
    assert_same(fast, plain, 0.99)
    assert_obeys_the_rules(gains, fast)
    slack = reached > target
    np.testing.assert_array_equal(fast.utility[slack], free.utility[slack])
    assert (fast.utility[~slack] < free.utility[~slack]).all()
    met = spectral_efficiencies(gains, fast) >= target * (1 - 1e-5)
    np.testing.assert_array_equal(met, fast.status == Status.CONVERGED)
    np.testing.assert_array_equal(met, fast.feasible)
    assert fast.proven.all()  # whole tables fit
    assert 0.6 < met.mean() <= 1


def test_a_target_out_of_reach_returns_the_largest_rate():
    gains = reference.random_gains(2, 2)
    fast, _, plain = default_search(gains, 1e3)
    assert (fast.status == Status.INFEASIBLE).all()
    assert fast.proven.all()
    assert not fast.feasible.any()
    reached = spectral_efficiencies(gains, fast)
    np.testing.assert_allclose(reached, spectral_efficiencies(gains, plain), 1e-6)
    np.testing.assert_allclose(fast.violations["spectral_efficiency"], 1 - reached / 1e3, 1e-6)
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
    with pytest.raises(ValueError, match=r"2 of 4 instances .* \(first: index 2, which breaks 'spectral_efficiency'\)"):
        fast.check()


# --- degenerate channels and constants --------------------------------------------------------------------


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


@pytest.mark.parametrize("target", [0.0, 18.0])
def test_without_circuit_power_silence_is_no_optimum(target):
    """A silent network draws nothing and carries nothing: its ratio is 0, not 0/0, and its budgets hold."""
    gains = np.concatenate([reference.random_gains(12, 6), np.zeros((1, 2, 6, 3))])
    fast, each, plain = default_search(gains, target, circuit_power_w=0.0)
    assert_same(fast, plain, 0.8)
    for solution in (fast, plain):
        assert_obeys_the_rules(gains, solution, circuit_power_w=0.0)
    for leaf in jax.tree.leaves((fast, each)):
        assert np.isfinite(leaf).all()
    wanted = value_of(reference.energy_efficiency, gains[:6], jax.tree.map(lambda x: x[:6], fast), circuit_power_w=0.0)
    np.testing.assert_allclose(fast.utility[:6], wanted, 1e-5)
    assert fast.utility[6] == 0
    best = reference.brute_force(
        gains[0], reference.level_fractions(4), **reference.constants() | {"circuit_power_w": 0.0}, target=target
    )
    np.testing.assert_allclose(fast.utility[0], max(best.values())[0], 3e-6)


def test_free_power_and_huge_circuits():
    """Constants are data: the same program for amplifiers of any efficiency and circuits of any power."""
    gains = reference.random_gains(13, 4)
    free, _, plain = default_search(gains, amplifier_efficiency=1e9, circuit_power_w=1e6)
    assert_same(free, plain, 0.0)
    fastest = default_search(gains, 1e3)[0]
    np.testing.assert_allclose(spectral_efficiencies(gains, free), spectral_efficiencies(gains, fastest), 1e-5)


# --- other sizes and dtypes -------------------------------------------------------------------------------

SIZES = {
    "one-link": ((1, 1, 1), 4, "db"),
    "one-user": (SMALL, 6, "db"),
    "linear": ((2, 2, 2), 5, "linear"),
    "three-subchannels": ((2, 2, 3), 3, "db"),
    "four-bs": ((4, 2, 2), 3, "db"),
}


SLOW_SIZES = {"four-bs", "three-subchannels", "one-user", "linear"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW_SIZES else ()) for n in SIZES])
def test_other_sizes(name):
    size, levels, spacing = SIZES[name]
    gains = reference.random_gains(6, 32, *size)
    solve = searches(levels, spacing)
    free, _, plain = solve(make_problems(gains))
    assert_same(free, plain, 0.95)
    assert_obeys_the_rules(gains, free)
    target = 1.02 * spectral_efficiencies(gains, free)
    bound, _, plain = solve(make_problems(gains, target))
    assert_same(bound, plain, 0.0)  # at high SNR two powers can change places: ties up to rounding
    assert_obeys_the_rules(gains, bound)
    met = spectral_efficiencies(gains, bound) >= target * (1 - 1e-5)
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


@pytest.mark.slow
def test_double_precision(x64):
    gains = reference.random_gains(7, 16, *SMALL)
    fast, _, plain = searches(6)(make_problems(gains))
    assert fast.utility.dtype == fast.allocation["power_w"].dtype == jnp.float64
    np.testing.assert_allclose(fast.allocation["power_w"], plain.allocation["power_w"], 1e-14)
    best = reference.brute_force(gains[0], np.asarray(power_levels(6)).tolist(), **reference.constants(2))
    np.testing.assert_allclose(fast.utility[0], max(best.values())[0], 1e-12)


def test_float32_channels_stay_float32_in_double_precision(x64):
    problem = jax.tree.map(lambda leaf: leaf[0].astype(jnp.float32), make_problems(reference.random_gains(8, 1)))
    found = jax.eval_shape(exhaustive_search, problem, make_power_grid(2, 4))
    assert found.utility.dtype == found.allocation["power_w"].dtype == jnp.float32


@pytest.mark.slow
def test_vmap_equals_map():
    gains = reference.random_gains(14, 8, *SMALL)
    target = np.where(np.arange(8) % 2, 30.0, 0.0)  # some bind or cannot be met
    problems, grid = make_problems(gains, target), make_power_grid(2, 6)
    mapped = searches(6)(problems)[0]
    batched = quick_jit(jax.vmap(exhaustive_search, in_axes=(0, None)))(problems, grid)
    np.testing.assert_allclose(batched.utility, mapped.utility, 1e-6)
    np.testing.assert_array_equal(batched.status, mapped.status)
    np.testing.assert_array_equal(batched.proven, mapped.proven)


# --- grids ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_grids_of_other_ranges_share_a_program():
    """Levels are data; only where other levels fit into one budget together there is another program."""
    problem = make_problem(reference.random_gains(15, 1, *SMALL)[0])
    traces = []

    @quick_jit
    def solve(problem, grid):
        traces.append(grid.corners)
        return exhaustive_search(problem, grid)

    for range_db, programs in ((40.0, 1), (30.0, 1), (4.0, 2), (35.0, 2)):
        found = solve(problem, make_power_grid(2, 4, range_db))
        assert len(traces) == programs
        plain = exhaustive_search_reference(problem, power_levels(4, range_db))
        np.testing.assert_allclose(found.utility, plain.utility, 1e-6)
        np.testing.assert_allclose(found.allocation["power_w"], plain.allocation["power_w"], 1e-6)
    assert traces[0] != traces[1]


def test_the_default_grid_is_six_levels_over_40_db():
    problem = make_problem(reference.random_gains(15, 1, *SMALL)[0])
    solve = quick_jit(lambda problem: (exhaustive_search(problem), exhaustive_search_reference(problem)))
    for solution in solve(problem):
        wanted = searches(6)(make_problems(reference.random_gains(15, 1, *SMALL).repeat(8, 0)))[0]
        np.testing.assert_array_equal(solution.allocation["power_w"], wanted.allocation["power_w"][0])


def test_a_grid_of_other_subchannels_is_an_error():
    problem = make_problem(reference.random_gains(11, 1)[0])
    with pytest.raises(ValueError, match=r"made for 3 subchannels, the problem has 2; make it with make_power_grid"):
        exhaustive_search(problem, make_power_grid(3, 4))


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((7, 2, 3), "7 BSs .* more than the 200,000 assignments"),
        ((17, 2, 2), "17 BSs with 6 power levels and 2 users .* rates that can be tabulated; use a method that"),
        ((17, 1, 2), "17 BSs with 6 power levels and 1 users .* or fewer BSs or levels"),
        ((17, 4, 4), "17 BSs .* more than the 200,000 assignments"),
    ],
)
def test_networks_that_are_too_large_say_so_at_once(size, message):
    num_bs, users, num_subchannels = size
    problem = make_problem(np.ones((num_subchannels, num_bs * users, num_bs)))
    with pytest.raises(InputError, match=message):
        exhaustive_search(problem)


# --- how the search ends ----------------------------------------------------------------------------------


def test_a_search_that_is_stopped_says_so(monkeypatch):
    monkeypatch.setattr(exhaustive, "MAX_ITERATIONS", 1)
    problem = make_problem(reference.random_gains(15, 1, *SMALL)[0])
    found = quick_jit(lambda problem: exhaustive_search(problem, make_power_grid(2, 6)))(problem)
    assert (int(found.status), int(found.iterations)) == (Status.ITERATION_LIMIT, 1)
    assert not found.proven
    assert found.feasible
    best = searches(6)(make_problems(reference.random_gains(15, 1, *SMALL).repeat(8, 0)))[0]
    assert found.utility < best.utility[0]


@pytest.mark.slow
def test_on_networks_without_whole_tables_a_binding_target_is_not_proven(monkeypatch):
    """The small network takes the path of the large ones; the plain search says what it may miss."""
    gains = reference.random_gains(14, 24, *SMALL)
    whole = searches(6)
    free, _, _ = in_chunks(whole, make_problems(gains), 8)
    reached = spectral_efficiencies(gains, free)
    target = reached * np.where(np.arange(24) % 3 == 0, 0.9, 1.03)
    target[1::3] = 1e3
    problems = make_problems(gains, target)
    best, _, _ = in_chunks(whole, problems, 8)
    monkeypatch.setattr(exhaustive, "DENSE_LIMIT", 0)
    solve = quick_jit(lambda ps: jax.lax.map(lambda p: exhaustive_search(p, make_power_grid(2, 6)), ps))
    found = in_chunks(solve, problems, 8)
    assert_obeys_the_rules(gains, found)
    np.testing.assert_array_equal(found.status, best.status)
    slack, lost = np.arange(24) % 3 == 0, best.status == Status.INFEASIBLE
    assert lost[1::3].all()
    binding = ~slack & ~lost
    assert binding.sum() >= 4
    np.testing.assert_array_equal(found.proven, ~binding)
    np.testing.assert_array_equal(found.feasible, ~lost)
    np.testing.assert_allclose(found.utility[slack], best.utility[slack], 1e-6)
    assert (found.utility[binding] <= best.utility[binding] * (1 + 1e-6)).all()
    assert (found.utility[binding] >= 0.5 * best.utility[binding]).all()
    np.testing.assert_allclose(
        spectral_efficiencies(gains[lost], jax.tree.map(lambda x: x[lost], found)),
        spectral_efficiencies(gains[lost], jax.tree.map(lambda x: x[lost], best)),
        1e-5,
    )


@functools.cache
def big_network():
    """Two channels of 5 BSs on the path without whole tables, and then with a binding and a lost target."""
    gains = reference.random_gains(9, 2, 5, 2, 3)
    solve = searches(4, plain=False)
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
    assert free.proven.all()
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
    np.testing.assert_array_equal(bound.proven, [False, True])
    now = spectral_efficiencies(gains, bound)
    assert now[0] >= 1.02 * reached[0] * (1 - 1e-5)
    assert 0.5 * free.utility[0] < bound.utility[0] < free.utility[0]
    assert now[1] >= reached[1] * (1 - 1e-6)
