import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wirelax.kernels import rate, spectral_efficiency

RATE = jax.jit(rate)


def test_rate_matches_the_definition_in_float32():
    sinr = np.asarray([0.0, 1e-9, 1e-7, 1e-3, 0.5, 1.0, 3.0, 1e3, 1e9], np.float32)
    wanted = np.log1p(sinr.astype(np.float64)) / np.log(2)
    np.testing.assert_allclose(rate(jnp.asarray(sinr)), wanted, 3e-7)
    np.testing.assert_allclose(RATE(jnp.asarray(sinr)), wanted, 3e-7)


def test_rate_is_in_bits():
    np.testing.assert_allclose(rate(jnp.asarray([1.0, 3.0, 1023.0])), [1.0, 2.0, 10.0], 1e-6)
    assert rate(3.0).shape == ()


def test_rate_in_float64(x64):
    sinr = np.geomspace(1e-12, 1e12, 25)
    np.testing.assert_allclose(RATE(jnp.asarray(sinr)), np.log1p(sinr) / np.log(2), 1e-15)


def test_gradients_match_finite_differences(check_gradients):
    check_gradients(rate, np.geomspace(1e-2, 1e2, 9))


def test_rate_slope_at_zero():
    np.testing.assert_allclose(jax.grad(rate)(0.0), 1 / np.log(2), 1e-6)


def test_vmap_equals_loop():
    sinr = np.linspace(0.0, 5.0, 12, dtype=np.float32).reshape(4, 3)
    loop = np.stack([RATE(row) for row in sinr])
    np.testing.assert_array_equal(jax.jit(jax.vmap(rate))(sinr), loop)


@given(st.floats(0, 1e6, width=32), st.floats(0, 1e6, width=32))
def test_rate_grows_and_is_subadditive(a, b):
    low, high = sorted((a, b))
    assert RATE(low) <= RATE(high)
    assert float(RATE(a + b)) <= (float(RATE(a)) + float(RATE(b))) * (1 + 1e-6) + 1e-30


def test_spectral_efficiency_is_eq_7():
    np.testing.assert_allclose(spectral_efficiency(40e6, 1e6, 2), 20.0, 1e-6)
    compiled = jax.jit(spectral_efficiency, static_argnums=2)
    np.testing.assert_allclose(compiled(jnp.asarray([1e6, 5e6]), 1e6, 4), [0.25, 1.25], 1e-6)
    np.testing.assert_allclose(jax.grad(spectral_efficiency)(1e6, 1e6, 2), 5e-7, 1e-6)
