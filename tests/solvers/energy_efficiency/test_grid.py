"""Power levels, corners of budgets, and the grid as a pytree."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.solvers.energy_efficiency import (
    budget_corners,
    budget_mask,
    make_power_grid,
    power_candidates,
    power_levels,
)

LEVEL_SETS = {
    "db-4": power_levels(4),
    "db-6": power_levels(6),
    "db-5-narrow": power_levels(5, 6.0),
    "linear-5": power_levels(5, spacing="linear"),
    "linear-4": power_levels(4, spacing="linear"),
    "two": power_levels(2),
    "halves": np.array([0.0, 0.5, 0.5 + 1e-9, 1.0]),
}


def feasible_indices(levels, num_subchannels):
    every = itertools.product(range(len(levels)), repeat=num_subchannels)
    return {index for index in every if sum(levels[i] for i in index) <= 1 + 1e-5}


@pytest.mark.parametrize(("count", "range_db"), [(3, 40.0), (6, 40.0), (8, 25.0)])
def test_db_levels_are_even_in_db(count, range_db):
    levels = power_levels(count, range_db)
    assert levels.shape == (count,)
    assert levels[0] == 0
    wanted = np.linspace(-range_db, 0.0, count - 1)
    np.testing.assert_allclose(10 * np.log10(levels[1:]), wanted, atol=1e-4)


def test_linear_levels_are_even_in_watt():
    np.testing.assert_allclose(power_levels(5, spacing="linear"), [0, 0.25, 0.5, 0.75, 1])


@pytest.mark.parametrize("spacing", ["db", "linear"])
def test_two_levels_are_off_and_full(spacing):
    assert power_levels(2, spacing=spacing).tolist() == [0.0, 1.0]


def test_grids_stay_concrete_while_tracing():
    """The corners say how much work there is, so they must be numbers also in a trace."""

    def traced(x):
        grid = make_power_grid(2, 4)
        return x * power_levels(4).sum() * len(grid.corners)

    np.testing.assert_allclose(jax.jit(traced)(1.0), 3 * power_levels(4).sum(), 1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 1}, "power_levels is 1; wanted at least 2"),
        ({"count": 1, "spacing": "linear"}, "wanted at least 2"),
        ({"count": 4, "spacing": "log"}, "spacing is 'log'; choose 'db' or 'linear'"),
        ({"count": 4, "range_db": 0.0}, "range_db is 0.0; wanted a positive number of dB"),
        ({"count": 4, "range_db": -3.0}, "wanted a positive number"),
    ],
)
def test_bad_levels_say_what_to_do(arguments, message):
    for make in (power_levels, lambda **given: make_power_grid(2, **given)):
        with pytest.raises(ValueError, match=message):
            make(**arguments)


@pytest.mark.parametrize("num_subchannels", [1, 2, 3])
@pytest.mark.parametrize("name", LEVEL_SETS)
def test_corners_cover_exactly_the_budget_set(name, num_subchannels):
    levels = LEVEL_SETS[name]
    corners = budget_corners(levels, num_subchannels)
    covered = set()
    for corner in corners:
        covered |= set(itertools.product(*(range(cap + 1) for cap in corner)))
    assert covered == feasible_indices(levels, num_subchannels)
    for i, j in itertools.permutations(range(len(corners)), 2):  # none is needless
        assert (corners[i] > corners[j]).any()


def test_a_grid_has_traced_levels_and_static_corners():
    grid = make_power_grid(3, 5, 20.0)
    assert (grid.num_subchannels, grid.levels.dtype) == (3, jnp.float32)
    (levels,), structure = jax.tree.flatten(grid)
    np.testing.assert_allclose(levels, power_levels(5, 20.0), 1e-7)
    np.testing.assert_array_equal(grid.corners, budget_corners(power_levels(5, 20.0), 3))
    hash(structure)  # programs are kept by it
    assert structure == jax.tree.structure(make_power_grid(3, 5, 25.0))
    assert structure != jax.tree.structure(make_power_grid(3, 5, 4.0))


def test_candidates_of_the_default_size():
    candidates = power_candidates(power_levels(6), 3, 2)
    assert candidates.shape == (19_683, 3, 2)
    assert (candidates.sum(-1) <= 1 + 1e-6).all()
    assert (candidates >= 0).all()
    assert len(np.unique(candidates.reshape(-1, 6), axis=0)) == 19_683


@pytest.mark.parametrize(("num_bs", "num_subchannels"), [(1, 1), (1, 3), (2, 2), (3, 1)])
@pytest.mark.parametrize("name", ["db-4", "linear-4", "two"])
def test_candidates_and_mask_agree_with_the_budget(name, num_bs, num_subchannels):
    levels = LEVEL_SETS[name]
    count = len(feasible_indices(levels, num_subchannels)) ** num_bs
    assert power_candidates(levels, num_bs, num_subchannels).shape == (count, num_bs, num_subchannels)
    mask = np.asarray(budget_mask(levels, num_bs, num_subchannels))
    vectors = np.array(list(itertools.product(levels, repeat=num_bs)))
    assert mask.shape == (len(vectors) ** (num_subchannels - 1), len(vectors))
    assert mask.sum() == count
    rows = itertools.product(range(len(vectors)), repeat=num_subchannels)
    for index, within in zip(rows, mask.ravel(), strict=True):
        assert within == (vectors[list(index)].sum(0) <= 1 + 1e-5).all()
