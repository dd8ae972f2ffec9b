"""Every kernel on more than 32,768 networks of 3 links, compiled against eager.

jax 0.10.2 returned wrong numbers here on CPU, without a word: jax-ml/jax#39103.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax import kernels

BATCH = 32_769


def received_snr(gain, power):
    return gain @ power


def energy_efficiency(gain, power):
    bits = jnp.sum(kernels.rate(kernels.link_sinr(gain, power, 0.1)))
    return kernels.energy_efficiency(1e6 * bits, jnp.sum(power), 0.3, 12.0)


def one_subchannel(gain):
    """One subchannel and three cells of one user each."""
    return gain[None], jnp.arange(3)[:, None]


CASES = {
    "all_pairs_sinr": lambda g, p: kernels.all_pairs_sinr(g, p, 0.1),
    "assigned_link_gain": lambda g, p: kernels.assigned_link_gain(*one_subchannel(g)),
    "assigned_sinr": lambda g, p: kernels.assigned_sinr(*one_subchannel(g), p[:, None], 0.1),
    "channel_dispersion": lambda g, p: jnp.sum(kernels.channel_dispersion(received_snr(g, p))),
    "energy_efficiency": energy_efficiency,
    "finite_blocklength_rate": lambda g, p: jnp.sum(
        kernels.finite_blocklength_rate(received_snr(g, p), 180, jnp.exp(-received_snr(g, p)))
    ),
    "interference": lambda g, p: kernels.interference(g * p),
    "inverse_q": lambda g, p: jnp.sum(kernels.inverse_q(jnp.exp(-received_snr(g, p)))),
    "link_powers": lambda g, p: jnp.stack(kernels.link_powers(g, p)),
    "link_sinr": lambda g, p: kernels.link_sinr(g, p, 0.1),
    "log_utility": lambda g, p: kernels.log_utility(received_snr(g, p), 1e-3),
    "ordered_sic_sinr": lambda g, p: kernels.ordered_sic_sinr(g[0], p, 0.1, 0.05),
    "rate": lambda g, p: jnp.sum(kernels.rate(received_snr(g, p))),
    "sic_order": lambda g, p: kernels.sic_order(g[0], p > 0.3),
    "sic_sinr": lambda g, p: kernels.sic_sinr(g[0], p, p > 0.3, 0.1, 0.05),
    "spectral_efficiency": lambda g, p: kernels.spectral_efficiency(jnp.sum(received_snr(g, p)), 1e6, 2),
    "sum_utility": lambda g, p: kernels.sum_utility(received_snr(g, p)),
    "total_power_w": lambda g, p: kernels.total_power_w(jnp.sum(received_snr(g, p)), 0.3, 12.0),
    "weighted_sum_utility": lambda g, p: kernels.weighted_sum_utility(received_snr(g, p), p),
}


@functools.cache
def networks():
    rng = np.random.default_rng(0)
    gain, power = rng.uniform(0.1, 2.0, (BATCH, 3, 3)), rng.uniform(0.1, 1.0, (BATCH, 3))
    return jnp.asarray(gain, jnp.float32), jnp.asarray(power, jnp.float32)


def test_there_is_a_case_for_every_kernel():
    assert sorted(CASES) == sorted(name for name in kernels.__all__ if name.islower())


@pytest.mark.parametrize("name", CASES)
def test_jit_equals_eager(name):
    batched = jax.vmap(CASES[name])
    np.testing.assert_allclose(jax.jit(batched)(*networks()), batched(*networks()), 1e-5, atol=1e-6)


def test_jit_equals_eager_for_gradients():
    batched = jax.vmap(jax.grad(energy_efficiency, argnums=(0, 1)))
    for compiled, eager in zip(jax.jit(batched)(*networks()), batched(*networks()), strict=True):
        np.testing.assert_allclose(compiled, eager, 1e-4, atol=1.0)


def test_jit_equals_numpy():
    gain, power = (np.asarray(x, np.float64) for x in networks())
    received = gain * power[:, None, :]
    wanted = received / (0.1 + received @ (1 - np.eye(3)))
    np.testing.assert_allclose(jax.jit(jax.vmap(CASES["all_pairs_sinr"]))(*networks()), wanted, 1e-5)
    wanted = np.diagonal(wanted, axis1=1, axis2=2)
    np.testing.assert_allclose(jax.jit(jax.vmap(CASES["link_sinr"]))(*networks()), wanted, 1e-5)
