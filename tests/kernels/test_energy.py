import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirelax.kernels import energy_efficiency, total_power_w

EFFICIENCY = jax.jit(energy_efficiency)
WITH_SLOPES = jax.jit(jax.value_and_grad(energy_efficiency, argnums=(0, 1, 2, 3)))


def test_total_power_is_eq_5():
    powers = [[4.0, 8.0], [0.6, 0.6], [0.3, 0.0]]
    radiated = 0.0
    for bs in powers:
        for watts in bs:
            radiated += watts
    wanted = radiated / 0.3 + 12.0
    np.testing.assert_allclose(total_power_w(jnp.sum(jnp.asarray(powers)), 0.3, 12.0), wanted, 1e-6)


def test_energy_efficiency_is_eq_6():
    np.testing.assert_allclose(energy_efficiency(50e6, 0.3, 0.3, 12.0), 50e6 / 13.0, 1e-6)


def test_candidates_broadcast_and_vmap_equals_loop():
    sums, radiated = np.asarray([[1e6, 2e6, 3e6], [4e6, 5e6, 6e6]]), np.asarray([0.0, 3.0, 6.0])
    wanted = sums / (radiated / 0.3 + 12.0)
    args = jnp.asarray(sums, jnp.float32), jnp.asarray(radiated, jnp.float32)
    np.testing.assert_allclose(energy_efficiency(*args, 0.3, 12.0), wanted, 1e-6)
    np.testing.assert_allclose(EFFICIENCY(*args, 0.3, 12.0), wanted, 1e-6)
    mapped = jax.jit(jax.vmap(energy_efficiency, in_axes=(1, 0, None, None)))
    np.testing.assert_allclose(mapped(*args, 0.3, 12.0), wanted.T, 1e-6)


def test_gradients_match_finite_differences(check_gradients):
    check_gradients(energy_efficiency, 3.0, 0.7, 0.3, 12.0)
    check_gradients(total_power_w, 0.7, 0.3, 12.0)


@pytest.mark.parametrize("sum_rate", [0.0, 50e6])
@pytest.mark.parametrize("radiated", [0.0, 14.4])
def test_finite_at_zero_and_full_power(sum_rate, radiated):
    chex.assert_tree_all_finite(WITH_SLOPES(sum_rate, radiated, 0.3, 12.0))


@pytest.mark.parametrize("sum_rate", [0.0, 50e6])
def test_where_nothing_is_drawn_nothing_is_carried(sum_rate):
    """Not 0/0: the silent candidate of a search without circuit power would win every argmax."""
    value, slopes = WITH_SLOPES(sum_rate, 0.0, 0.3, 0.0)
    assert value == 0
    chex.assert_tree_all_finite(slopes)
    np.testing.assert_allclose(EFFICIENCY(3.0, 1e-30, 0.3, 0.0), 0.9e30, 1e-6)  # however little is drawn


@given(st.floats(1e3, 1e9), st.floats(0.0, 100.0), st.floats(1.01, 10.0))
def test_scaling_bits_and_joules(sum_rate, radiated, factor):
    base = float(EFFICIENCY(sum_rate, radiated, 0.3, 12.0))
    np.testing.assert_allclose(EFFICIENCY(factor * sum_rate, radiated, 0.3, 12.0), factor * base, 1e-5)
    scaled = EFFICIENCY(sum_rate, factor * radiated, 0.3, factor * 12.0)
    np.testing.assert_allclose(scaled, base / factor, 1e-5)
    assert EFFICIENCY(sum_rate, radiated + 1.0, 0.3, 12.0) < base
