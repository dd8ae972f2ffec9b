import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from wirelax.kernels import (
    channel_dispersion,
    decoding_error_probability,
    finite_blocklength_rate,
    inverse_q,
    parallel_blocklength_rate,
)

from ..compiling import quick_jit

PROBABILITIES = np.asarray([0.9, 0.5, 0.1, 1e-2, 1e-3, 1e-5, 5e-6, 1e-7, 1e-9], np.float32)
INVERSE_Q = jax.jit(inverse_q)
RATE = jax.jit(finite_blocklength_rate, static_argnums=3)
PARALLEL = quick_jit(parallel_blocklength_rate, static_argnums=4)
ERROR = quick_jit(decoding_error_probability)


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


def reference_parallel(snr, used, uses, error, dispersion):
    """Rate of one code over the channels used, channel by channel in float64."""
    nats = variance = 0.0
    for each, on in zip(np.asarray(snr, np.float64), used):
        if on:
            nats += np.log(1 + each)
            variance += 1 - (1 + each) ** -2 if dispersion == "exact" else 1.0
    return (nats - np.sqrt(variance / uses) * scipy.stats.norm.isf(error)) / np.log(2)


def parallel_channels(dtype=np.float64):
    """SNRs of five channels, and which of them carry the code: from none to all."""
    rng = np.random.default_rng(5)
    snr = np.concatenate([np.zeros((1, 5)), 10 ** rng.uniform(-2, 3, (5, 5))]).astype(dtype)
    return snr, np.tril(np.ones((6, 5), bool), -1)[:, ::-1]


@pytest.mark.parametrize("dispersion", ["exact", "one"])
def test_parallel_rate_matches_the_definition(dispersion, x64):
    snr, used = parallel_channels()
    for uses, error in ((180.0, 1e-5), (50.0, 1e-9), (1e4, 0.3)):
        wanted = [reference_parallel(*row, uses, error, dispersion) for row in zip(snr, used)]
        np.testing.assert_allclose(PARALLEL(snr, used, uses, error, dispersion), wanted, rtol=1e-11)
        assert wanted[0] == 0.0


@pytest.mark.parametrize("dispersion", ["exact", "one"])
def test_one_channel_is_the_rate_of_one_channel(dispersion):
    snr = np.asarray([0.0, 0.1, 2.68, 1e4], np.float32)
    alone = PARALLEL(snr[:, None], np.ones((4, 1), bool), 180.0, 1e-5, dispersion)
    np.testing.assert_allclose(alone, RATE(snr, 180.0, 1e-5, dispersion), rtol=1e-6)


@pytest.mark.parametrize(
    ("snr", "uses", "error", "dispersion", "bits"),
    [
        (10.0, 100, 1e-5, "exact", 284.669),
        (1.0, 100, 1e-5, "exact", 46.714),
        (1.0, 100, 1e-5, "one", 38.471),
    ],
)
def test_rates_known_from_the_complex_normal_approximation(snr, uses, error, dispersion, bits):
    np.testing.assert_allclose(uses * RATE(snr, float(uses), error, dispersion), bits, atol=6e-4)


def test_where_a_dispersion_of_one_leaves_no_rate():
    assert RATE(10**-0.5, 200.0, 1e-6, "one") < 0 < RATE(10**-0.5, 200.0, 1e-6, "exact")
    assert PARALLEL(np.float32([10**-0.5] * 2), np.ones(2, bool), 200.0, 1e-6, "one") > 0  # two channels carry some


def test_assuming_a_dispersion_of_one_never_overstates_the_rate():
    snr, used = parallel_channels(np.float32)
    gap = np.asarray(PARALLEL(snr, used, 180.0, 1e-5, "exact") - PARALLEL(snr, used, 180.0, 1e-5, "one"))
    assert np.all(gap[1:] > 0)
    assert gap[0] == 0
    single = PARALLEL(np.float32([np.exp(1.3036955) - 1]), np.ones(1, bool), 180.0, 1e-5, "exact")
    np.testing.assert_allclose(single / (512 / 360), 1.012, atol=5e-4)  # the uplink's short service on one RB


@pytest.mark.parametrize("error", [1e-5, 1e-3, 0.2, 0.5])
def test_error_is_the_inverse_of_the_rate(error, x64):
    snr, used = parallel_channels()
    rate = PARALLEL(snr, used, 180.0, error, "exact")
    carried = rate > 0
    assert carried.sum() >= 4
    np.testing.assert_allclose(ERROR(snr, used, 180.0, rate)[carried], error, rtol=1e-9)


def test_error_probability_matches_the_gaussian_tail():
    snr, used = parallel_channels(np.float32)
    for rate in (0.1, 1.0, 4.0):
        nats = np.where(used, np.log1p(snr.astype(float)), 0).sum(1)
        variance = np.where(used, 1 - (1 + snr.astype(float)) ** -2, 0).sum(1)
        with np.errstate(divide="ignore"):
            wanted = scipy.stats.norm.sf((nats - rate * np.log(2)) * np.sqrt(180 / variance))
        wanted[0] = 1.0  # no channel
        np.testing.assert_allclose(ERROR(snr, used, 180.0, rate), wanted, rtol=2e-3, atol=1e-30)


def test_error_at_the_edges():
    """Nothing to carry, no power, and no channel; a rate for every code."""
    snr, used = np.float32([[3.0, 1.0], [0.0, 0.0], [3.0, 1.0]]), np.array([[1, 1], [1, 1], [0, 0]], bool)
    np.testing.assert_array_equal(ERROR(snr, used, 180.0, 0.0), 0.0)
    np.testing.assert_array_equal(ERROR(snr[1:], used[1:], 180.0, np.float32([1.0, 0.0])), [1.0, 0.0])
    np.testing.assert_allclose(ERROR(snr[:1], used[:1], 180.0, 3.0), [0.5], rtol=1e-5)  # at capacity
    np.testing.assert_array_equal(ERROR(snr[1:], used[1:], 180.0, 1.0), 1.0)


def test_parallel_slopes_are_finite_at_no_power_and_of_no_channel():
    def both(snr, uses, error, rate, used):
        return parallel_blocklength_rate(snr, used, uses, error), decoding_error_probability(snr, used, uses, rate)

    slopes = quick_jit(jax.jacrev(both, (0, 1, 2, 3)))
    snr = np.float32([[0.0, 0.0], [0.0, 2.0], [1e8, 1e8], [2.0, 2.0]])
    used = np.array([[1, 1], [1, 1], [1, 1], [0, 0]], bool)
    found = slopes(snr, 180.0, 1e-5, 1.0, used)
    chex.assert_tree_all_finite(found)
    by_snr = np.einsum("iij->ij", found[0][0])
    np.testing.assert_allclose(by_snr[0], 1 / np.log(2), rtol=1e-6)  # the penalty's slope there is taken as 0
    np.testing.assert_array_equal(by_snr[3], 0.0)


def test_error_slopes_match_finite_differences(check_gradients):
    used = np.array([True, True, False])

    def through(snr, log_uses, rate):
        return decoding_error_probability(snr, used, jnp.exp(log_uses), rate)

    check_gradients(through, np.array([1.0, 0.6, 3.0]), np.log(180.0), 1.5)


@pytest.mark.slow  # the second derivative of the inverse of Q takes long to compile
def test_parallel_rate_slopes_match_finite_differences(check_gradients):
    used = np.array([True, True, False])

    def through(snr, log_uses, log_error):
        return parallel_blocklength_rate(snr, used, jnp.exp(log_uses), jnp.exp(log_error))

    check_gradients(through, np.array([1.0, 0.6, 3.0]), np.log(180.0), np.log(1e-5))


def test_parallel_vmap_equals_loop(x64):
    snr, used = parallel_channels()
    mapped = quick_jit(jax.vmap(lambda s, u: parallel_blocklength_rate(s, u, 180.0, 1e-5)))(snr, used)
    loop = [parallel_blocklength_rate(*row, 180.0, 1e-5) for row in zip(snr, used)]
    np.testing.assert_allclose(mapped, loop, rtol=1e-12)
    np.testing.assert_allclose(mapped, PARALLEL(snr, used, 180.0, 1e-5, "exact"), rtol=1e-12)
