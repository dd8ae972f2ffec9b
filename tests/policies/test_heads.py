"""Heads keep every output feasible and tell off from on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.policies import budgeted_power, log_power_bounds, masked_split


@jax.jit
def power_and_slope(log_power, budget):
    return budgeted_power(log_power, budget), jax.grad(lambda x: budgeted_power(x, budget).sum())(log_power)


@pytest.mark.parametrize("log_power", [-100.0, -3.0, 0.0, 50.0])
def test_every_output_is_within_the_budget(log_power):
    budget = np.array([12.0, 1.2], np.float32)
    power, gradient = power_and_slope(np.full((2, 3), log_power, np.float32), budget)
    assert (power >= 0).all()
    assert (power.sum(1) <= budget * (1 + 1e-6)).all()
    assert np.isfinite(gradient).all()


def test_small_powers_pass_unscaled():
    power = jax.jit(budgeted_power)(np.log10([[0.25, 0.5]]), np.array([4.0]))
    np.testing.assert_allclose(power, [[1.0, 2.0]], rtol=1e-6)


@pytest.mark.parametrize("range_db", [10.0, 40.0, 80.0, 120.0])
def test_off_is_off_and_every_level_of_the_grid_is_on(range_db):
    """A network that hits its target exactly: 0 W for off, the level itself for every level."""
    bounds = log_power_bounds(range_db)
    assert bounds.off < bounds.threshold < bounds.smallest
    levels = np.array([0.0, *(10.0 ** (-range_db / 10 * (1 - i / 3)) for i in range(4))])  # off, even steps in dB
    np.testing.assert_allclose(levels[1], 10**bounds.smallest, rtol=1e-5)
    target = np.where(levels > 0, np.log10(np.maximum(levels, 1e-300)), bounds.off).astype(np.float32)
    power = jax.jit(lambda x: budgeted_power(x, jnp.array([4.0]), bounds))(target[:, None, None])[:, 0, 0]
    assert power[0] == 0
    np.testing.assert_allclose(power[1:], 4 * levels[1:], rtol=1e-4)


def test_bounds_of_the_default_grid():
    np.testing.assert_allclose(log_power_bounds(), (-6.0, -5.9, -4.0))


def test_masked_split():
    logits, mask = np.array([[0.0, 1.0], [2.0, 50.0]]), np.array([[True, True], [True, False]])
    weight = np.exp(logits) * mask
    split = jax.jit(masked_split)
    np.testing.assert_allclose(split(logits, mask, 3.0), 3 * weight / weight.sum(), rtol=1e-6)
    assert not np.asarray(split(logits, np.zeros((2, 2), bool), 3.0)).any()
