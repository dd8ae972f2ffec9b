import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from wirelax.kernels import channel_dispersion, finite_blocklength_rate, inverse_q

PROBABILITIES = np.asarray([0.9, 0.5, 0.1, 1e-2, 1e-3, 1e-5, 5e-6, 1e-7, 1e-9], np.float32)
INVERSE_Q = jax.jit(inverse_q)
RATE = jax.jit(finite_blocklength_rate, static_argnums=3)


def reference_rate(snr, uses, error, dispersion="exact"):
    """The normal approximation in NumPy float64, straight from its definition."""
    snr = np.asarray(snr, np.float64)
    variance = 1 - (1 + snr) ** -2.0 if dispersion == "exact" else np.ones_like(snr)
    return np.log2(1 + snr) - np.sqrt(variance / uses) * scipy.stats.norm.isf(error) / np.log(2)


def test_inverse_q_in_float32_down_to_1e_9():
    wanted = scipy.stats.norm.isf(PROBABILITIES.astype(np.float64))
    np.testing.assert_allclose(INVERSE_Q(jnp.asarray(PROBABILITIES)), wanted, 2e-6, atol=1e-7)
    np.testing.assert_allclose(INVERSE_Q(1e-5), 4.26489, atol=1e-5)
    np.testing.assert_allclose(INVERSE_Q(5e-6), 4.41717, atol=1e-5)


def test_inverse_q_in_float64(x64):
    probability = PROBABILITIES.astype(np.float64)
    wanted = scipy.stats.norm.isf(probability)
    np.testing.assert_allclose(INVERSE_Q(jnp.asarray(probability)), wanted, 1e-12, atol=1e-15)


def test_inverse_q_slope_in_float32():
    slope = jax.jit(jax.vmap(jax.grad(inverse_q)))(jnp.asarray(PROBABILITIES))
    tail = scipy.stats.norm.isf(PROBABILITIES.astype(np.float64))
    np.testing.assert_allclose(slope, -1 / scipy.stats.norm.pdf(tail), 5e-5)


def test_dispersion_in_float32_from_very_low_to_very_high_snr():
    snr = np.asarray([0.0, 1e-30, 1e-8, 1e-3, 1.0, 1e3, 1e8, 1e30], np.float32)
    double = snr.astype(np.float64)
    wanted = -np.expm1(-2 * np.log1p(double))
    np.testing.assert_allclose(jax.jit(channel_dispersion)(snr), wanted, 5e-7)
    slope = jax.jit(jax.vmap(jax.grad(channel_dispersion)))(jnp.asarray(snr))
    np.testing.assert_allclose(slope, 2 * (1 + double) ** -3, 1e-5, atol=1e-7)


@pytest.mark.parametrize("dispersion", ["exact", "one"])
def test_rate_matches_the_definition(dispersion):
    snr = np.asarray([0.0, 1e-4, 0.1, 1.0, 2.68, 60.0, 1e5], np.float32)
    for uses in (100.0, 180.0, 1e4):
        for error in (1e-3, 1e-5, 1e-9):
            got = RATE(jnp.asarray(snr), uses, error, dispersion)
            np.testing.assert_allclose(got, reference_rate(snr, uses, error, dispersion), 3e-6, atol=1e-6)


def test_assuming_a_dispersion_of_one_costs_1_2_percent_at_the_uplink_short_block():
    exact, bound = RATE(2.68, 180, 1e-5, "exact"), RATE(2.68, 180, 1e-5, "one")
    assert 0.010 < (exact - bound) / bound < 0.014


def test_half_error_or_an_endless_block_gives_shannon():
    snr = np.asarray([0.0, 0.5, 10.0], np.float32)
    np.testing.assert_allclose(RATE(snr, 180, 0.5, "exact"), np.log2(1 + snr), 1e-6, atol=1e-7)
    np.testing.assert_allclose(RATE(snr, 1e30, 1e-5, "exact"), np.log2(1 + snr), 1e-6)


@pytest.mark.parametrize("dispersion", ["exact", "one"])
def test_finite_at_zero_snr(dispersion):
    snr = jnp.asarray([0.0, 1e-38, 1e-30, 1e-8, 1e8, 1e30], jnp.float32)

    def total(snr, uses, error):
        return jnp.sum(finite_blocklength_rate(snr, uses, error, dispersion))

    value, slopes = jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2)))(snr, 180.0, 1e-9)
    chex.assert_tree_all_finite((value, slopes))
    np.testing.assert_allclose(slopes[0][0], 1 / np.log(2), 1e-6)


@pytest.mark.parametrize("dispersion", ["exact", pytest.param("one", marks=pytest.mark.slow)])
def test_gradients_match_finite_differences(check_gradients, dispersion):
    def through(snr, uses, log_error):
        return finite_blocklength_rate(snr, uses, jnp.exp(log_error), dispersion)

    check_gradients(through, np.asarray([0.05, 1.0, 30.0]), 180.0, np.log(1e-5))


def test_vmap_equals_loop():
    snr = np.linspace(0.0, 20.0, 12, dtype=np.float32).reshape(4, 3)
    loop = np.stack([RATE(row, 180, 1e-5, "exact") for row in snr])
    mapped = jax.jit(jax.vmap(lambda row: finite_blocklength_rate(row, 180, 1e-5)))
    np.testing.assert_allclose(mapped(snr), loop, 1e-6, atol=1e-7)


@given(st.floats(0.01, 1e4), st.integers(10, 10_000), st.floats(1e-9, 0.49), st.floats(1.01, 10.0))
def test_longer_blocks_and_more_errors_allow_more_rate(snr, uses, error, factor):
    base = float(RATE(snr, float(uses), error, "exact"))
    slack = 1e-5 * (1 + abs(base))
    assert RATE(snr, factor * uses, error, "exact") >= base - slack
    assert RATE(snr, float(uses), min(0.49, factor * error), "exact") >= base - slack
    assert RATE(snr, float(uses), error, "one") <= base + slack
    assert base <= np.log2(1 + snr) + slack


def test_unknown_dispersion_lists_the_choices(unchecked):
    with pytest.raises(ValueError, match="dispersion is 'none', wanted one of 'exact', 'one'"):
        finite_blocklength_rate(1.0, 180, 1e-5, "none")
