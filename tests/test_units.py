import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirelax import units

DB_ROUND_TRIP = jax.jit(lambda level: units.linear_to_db(units.db_to_linear(level)))
DBM_ROUND_TRIP = jax.jit(lambda level: units.watt_to_dbm(units.dbm_to_watt(level)))


@given(st.floats(-200.0, 200.0))
def test_round_trips_in_float32(level):
    np.testing.assert_allclose(DB_ROUND_TRIP(level), level, 1e-5, atol=1e-4)
    np.testing.assert_allclose(DBM_ROUND_TRIP(level), level, 1e-5, atol=1e-4)


@pytest.mark.usefixtures("x64")
def test_round_trips_in_float64():
    level = jnp.linspace(-300.0, 300.0, 61)
    assert units.db_to_linear(level).dtype == jnp.float64
    np.testing.assert_allclose(units.linear_to_db(units.db_to_linear(level)), level, 1e-13, atol=1e-12)


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_known_values(wrap):
    np.testing.assert_allclose(wrap(units.db_to_linear)(3.0), 1.9952623, 1e-6)
    np.testing.assert_allclose(wrap(units.linear_to_db)(100.0), 20.0, 1e-6)
    np.testing.assert_allclose(wrap(units.dbm_to_watt)(23.0), 0.19952623, 1e-6)
    np.testing.assert_allclose(wrap(units.dbm_to_watt)(-128.1), 1.5488166e-16, 1e-5)
    np.testing.assert_allclose(wrap(units.watt_to_dbm)(1.0), 30.0, 1e-6)
    np.testing.assert_allclose(wrap(units.watt_to_dbm)(12.0), 40.791812, 1e-6)


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_thermal_noise(wrap):
    thermal = wrap(units.thermal_noise_dbm)
    np.testing.assert_allclose(thermal(1.0), -173.975, atol=1e-3)
    np.testing.assert_allclose(thermal(1e6), -113.975, atol=1e-3)
    np.testing.assert_allclose(thermal(360e3, 5.0), -173.975 + 55.563 + 5, atol=1e-3)
    np.testing.assert_allclose(thermal(1.0, 0.0, jnp.asarray([290.0, 2900.0])), [-173.975, -163.975], atol=1e-3)


def test_zero_power_is_minus_infinity_db():
    assert units.linear_to_db(0.0) == -jnp.inf
    assert units.watt_to_dbm(0) == -jnp.inf
    assert units.db_to_linear(-jnp.inf) == 0.0


@pytest.mark.parametrize("level", [-3, np.float64(-3.0), np.asarray([-3, 0]), jnp.asarray([-3.0, 0.0])])
def test_takes_numbers_and_arrays_of_any_kind(level):
    got = units.db_to_linear(level)
    assert isinstance(got, jax.Array)
    np.testing.assert_allclose(got, 10 ** (np.asarray(level) / 10), 1e-6)


def test_vmap_equals_loop_and_gradient_is_right():
    levels = jnp.asarray([-90.0, 0.0, 23.0])
    loop = jnp.stack([units.dbm_to_watt(level) for level in levels])
    np.testing.assert_allclose(jax.vmap(units.dbm_to_watt)(levels), loop, 1e-6)
    slope = jax.vmap(jax.grad(units.dbm_to_watt))(levels)
    np.testing.assert_allclose(slope, np.log(10) / 10 * loop, 1e-5)
    np.testing.assert_allclose(jax.grad(units.watt_to_dbm)(2.0), 10 / (np.log(10) * 2), 1e-6)


def test_decades_are_tens_of_db():
    ratio = jnp.asarray([1e-12, 0.5, 1.0, 20.0])
    np.testing.assert_allclose(units.decades(ratio), [-12.0, np.log10(0.5), 0.0, np.log10(20.0)], rtol=1e-6, atol=1e-7)
    assert units.decades(0.0) == -np.inf
