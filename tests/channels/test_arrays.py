import cmath
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.channels import complex_normal, mrc_gain, saleh_valenzuela, ula_response

RB_OFFSET_HZ = 360e3 * np.arange(24)


def loop_channel(rb_offset_hz, antennas, c, delay_s, angle_rad):
    """h_f = sum_i c_i exp(-j 2 pi f tau_i) a(phi_i) / sqrt(paths), term by term."""
    h = np.zeros((len(rb_offset_hz), antennas), dtype=complex)
    for f, offset in enumerate(rb_offset_hz):
        for n in range(antennas):
            for i in range(len(c)):
                delay = cmath.exp(-2j * math.pi * offset * float(delay_s[i]))
                h[f, n] += complex(c[i]) * delay * cmath.exp(1j * math.pi * n * math.sin(angle_rad[i]))
    return h / math.sqrt(len(c))


def sample(key):
    offsets = jnp.asarray(RB_OFFSET_HZ, dtype=float)
    return saleh_valenzuela(offsets, 8, 10, max_delay_s=1e-6, max_angle_rad=math.pi / 2, key=key)


@pytest.fixture(scope="module")
def batch():
    """Many channels, by key."""
    keys = jax.random.split(jax.random.key(8), 5000)
    return keys, np.asarray(jax.jit(jax.vmap(sample))(keys))


def test_array_response_equals_the_loop():
    angle_rad = np.array([[0.0, 0.3], [-1.2, math.pi / 2]])
    got = np.asarray(ula_response(angle_rad, 5))
    assert got.shape == (2, 2, 5)
    for index in np.ndindex(2, 2):
        for n in range(5):
            wanted = cmath.exp(1j * math.pi * n * math.sin(angle_rad[index]))
            np.testing.assert_allclose(got[(*index, n)], wanted, atol=1e-5)
    np.testing.assert_allclose(got[0, 0], np.ones(5))  # broadside: in phase
    np.testing.assert_allclose(got[1, 1], [1, -1, 1, -1, 1], atol=1e-5)  # endfire: alternating
    np.testing.assert_allclose(ula_response(angle_rad, 5, 0.0), np.ones((2, 2, 5)))


def test_channel_equals_the_loop_eager_and_jitted(batch):
    keys, h = batch
    # The same draws: amplitudes, delays, angles.
    gain_key, delay_key, angle_key = jax.random.split(keys[7], 3)
    c = complex_normal((10,), key=gain_key)
    delay_s = 1e-6 * jax.random.uniform(delay_key, (10,))
    angle_rad = math.pi / 2 * jax.random.uniform(angle_key, (10,), minval=-1.0)
    wanted = loop_channel(RB_OFFSET_HZ, 8, np.asarray(c), np.asarray(delay_s), np.asarray(angle_rad))
    np.testing.assert_allclose(sample(keys[7]), wanted, atol=1e-4)
    np.testing.assert_allclose(h[7], wanted, atol=1e-4)


@pytest.mark.usefixtures("x64")
def test_double_precision():
    assert jax.eval_shape(sample, jax.random.key(0)).dtype == jnp.complex128


def test_power_and_correlation_over_frequency(batch):
    _, h = batch
    np.testing.assert_allclose(np.mean(np.abs(h) ** 2, axis=(0, 2)), 1.0, atol=0.04)
    np.testing.assert_allclose(np.mean(np.abs(h) ** 2, axis=(0, 1)), 1.0, atol=0.04)
    assert abs(h.mean()) < 0.02
    correlation = np.mean(h[:, :1].conj() * h, axis=(0, 2))
    turns = RB_OFFSET_HZ * 1e-6
    wanted = np.exp(-1j * math.pi * turns) * np.sinc(turns)  # mean of exp(-j 2 pi f tau), tau uniform
    np.testing.assert_allclose(correlation, wanted, atol=0.05)


def test_mrc_gain_equals_the_loop_and_has_a_finite_gradient_at_zero():
    rng = np.random.default_rng(11)
    h = rng.normal(size=(2, 3, 4)) + 1j * rng.normal(size=(2, 3, 4))
    wanted = [[sum(abs(x) ** 2 for x in antennas) for antennas in rbs] for rbs in h]
    np.testing.assert_allclose(mrc_gain(jnp.asarray(h)), wanted, rtol=1e-5)
    gradient = jax.jit(jax.grad(lambda scale: mrc_gain(scale * jnp.ones(3, dtype=complex))))
    assert float(gradient(0.0)) == 0.0
    assert float(gradient(2.0)) == 12.0


def test_sizes_below_one_are_refused():
    with pytest.raises(ValueError, match="num_antennas must be at least 1, got 0"):
        ula_response(0.0, 0)
    with pytest.raises(ValueError, match="num_paths must be at least 1, got 0"):
        saleh_valenzuela(jnp.zeros(2), 8, 0, 1e-6, 1.0, key=jax.random.key(0))
