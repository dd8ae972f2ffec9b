import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from wirelax.channels import complex_normal, rayleigh, rician

COUNT = 100_000


@jax.jit
def rician_and_slope(k_factor, key):
    """Gains, and their derivatives with respect to K."""
    k_factor = jnp.asarray(k_factor, dtype=float)
    return jax.jvp(lambda k: rician((COUNT,), k, key=key), (k_factor,), (jnp.ones_like(k_factor),))


def test_complex_normal_is_circular_of_unit_variance():
    h = np.asarray(complex_normal((COUNT,), key=jax.random.key(0)))
    assert h.dtype == np.complex64
    np.testing.assert_allclose([h.real.var(), h.imag.var()], 0.5, rtol=0.02)
    assert abs(h.mean()) < 0.01
    assert abs(np.mean(h**2)) < 0.02  # no correlation between the parts


def test_rayleigh_is_exponential_and_is_the_power_of_complex_normal():
    key = jax.random.key(1)
    gain = np.asarray(rayleigh((COUNT,), key=key))
    assert scipy.stats.kstest(gain, "expon").pvalue > 1e-3
    np.testing.assert_allclose(gain, np.abs(np.asarray(complex_normal((COUNT,), key=key))) ** 2, rtol=1e-5)
    assert gain.min() > 0


@pytest.mark.parametrize("k_factor", [0.0, 0.5, 3.0, 30.0])
def test_rician_has_unit_mean_and_the_known_variance(k_factor):
    gain = np.asarray(rician_and_slope(k_factor, jax.random.key(2))[0], dtype=np.float64)
    np.testing.assert_allclose(gain.mean(), 1.0, atol=0.02)
    np.testing.assert_allclose(gain.var(), (1 + 2 * k_factor) / (1 + k_factor) ** 2, rtol=0.05)
    scale = 1 / (2 * (1 + k_factor))  # a scaled noncentral chi-square with two degrees of freedom
    reference = scipy.stats.ncx2(df=2, nc=max(2 * k_factor, 1e-12), scale=scale)
    assert scipy.stats.kstest(gain[:5000], reference.cdf).pvalue > 1e-3


def test_rician_limits():
    key = jax.random.key(3)
    np.testing.assert_allclose(rician_and_slope(0.0, key)[0], rayleigh((COUNT,), key=key), rtol=1e-5)
    np.testing.assert_array_equal(rician_and_slope(np.inf, key)[0], np.ones(COUNT))


def test_rician_slopes_are_right_and_finite_at_zero():
    key = jax.random.key(4)
    assert np.isfinite(rician_and_slope(0.0, key)[1]).all()
    (below, _), (above, _) = (rician_and_slope(k_factor, key) for k_factor in (0.95, 1.05))
    np.testing.assert_allclose(rician_and_slope(1.0, key)[1], (above - below) / 0.1, rtol=0.02, atol=2e-3)


def test_rician_k_broadcasts():
    assert jax.eval_shape(lambda k: rician((4, 3), k, key=jax.random.key(0)), jnp.ones(3)).shape == (4, 3)


def test_jit_and_vmap_equal_eager():
    keys = jax.random.split(jax.random.key(5), 4)
    batch = jax.jit(jax.vmap(lambda key: rayleigh((COUNT,), key=key)))(keys)
    for gain, key in zip(np.asarray(batch), keys, strict=True):
        np.testing.assert_allclose(gain, rayleigh((COUNT,), key=key), rtol=1e-4, atol=1e-7)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("sample", [complex_normal, rayleigh, lambda shape, key: rician(shape, 1.0, key=key)])
def test_double_precision(sample):
    dtype = jax.eval_shape(lambda: sample((2,), key=jax.random.key(0))).dtype
    assert dtype in (jnp.complex128, jnp.float64)
