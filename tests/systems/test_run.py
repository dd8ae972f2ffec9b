"""Running methods over batches: status, evaluation, and what a result file holds."""

import jax.numpy as jnp
import numpy as np
import pytest

from wirelax import systems
from wirelax.systems.run import sample_channels, solve_batch
from wirelax.types import Method, Solution, Status


@pytest.fixture(scope="module")
def system():
    return systems.get("hetnet-ee")


def fixed_power(power_w, status=Status.CONVERGED):
    def solve(state, channel, key):
        return Solution(
            allocation={"assignment": jnp.array([[0, 1], [2, 3], [4, 5]]), "power_w": jnp.full((3, 2), power_w)},
            utility=jnp.zeros(()),
            iterations=jnp.zeros((), jnp.int32),
            status=jnp.asarray(status, jnp.int32),
        )

    return Method("fixed", "the same powers always", solve)


def test_channels_are_a_prefix_of_more_channels(system):
    few, many = (sample_channels(system, count, seed=4)["gain"] for count in (3, 7))
    np.testing.assert_array_equal(few, many[:3])
    assert not np.array_equal(few, sample_channels(system, 3, seed=5)["gain"])


def test_a_broken_budget_is_a_violation_whatever_the_method_says(system):
    channels = sample_channels(system, 5, seed=0)
    result = solve_batch(system, fixed_power(1.0), channels)
    assert result.violated.all()
    assert not result.feasible.any()
    assert set(result.arrays) == {"assignment", "power_w", "energy_efficiency", "spectral_efficiency", "feasible"}


def test_a_status_of_infeasible_is_kept(system):
    channels = sample_channels(systems.get("hetnet-ee"), 5, seed=0)
    relaxed = systems.get("hetnet-ee", min_spectral_efficiency=0.0)
    assert solve_batch(relaxed, fixed_power(0.1), channels).feasible.all()
    assert not solve_batch(relaxed, fixed_power(0.1, Status.INFEASIBLE), channels).feasible.any()


@pytest.mark.parametrize("batch_size", [1, 3, 5, 50])
def test_any_batch_size_covers_every_instance(system, batch_size):
    channels = sample_channels(system, 5, seed=0)
    seen = []
    result = solve_batch(
        system, fixed_power(0.1), channels, batch_size=batch_size, progress=lambda done, count: seen.append(done)
    )
    assert len(result.utility) == 5
    assert seen[-1] == 5


def test_batch_size_must_be_positive(system):
    with pytest.raises(ValueError, match="batch_size is 0"):
        solve_batch(system, fixed_power(0.1), sample_channels(system, 2, seed=0), batch_size=0)
