import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.smoothing import smooth_indicator, violation_penalty

from ..compiling import quick_jit

KAPPA = 0.4477432
SCALE, GRADIENT = 30.0, 20.0


def weighted(violation, multiplier):
    return multiplier * violation_penalty(violation, multiplier, SCALE, GRADIENT)


SLOPES = quick_jit(jax.vmap(jax.value_and_grad(weighted, argnums=(0, 1))))


def test_where_the_constraint_holds():
    multiplier = np.asarray([0.0, 0.1, 1.0, 1.9, 2.1, 50.0], np.float32)
    for violation in (-0.3, -0.0, 0.0, -1e3):
        value, (by_violation, by_multiplier) = SLOPES(np.full(6, violation, np.float32), multiplier)
        np.testing.assert_allclose(value, -multiplier * np.minimum(multiplier / 2, 1), rtol=1e-6)
        np.testing.assert_array_equal(by_violation, np.zeros(6))
        np.testing.assert_allclose(by_multiplier, np.where(multiplier < 2, -multiplier, -1), rtol=1e-6)


def test_where_it_is_violated():
    violation = np.asarray([1e-9, 1e-6, 1e-3, 0.01, 0.1, 1.0, 1e3], np.float32)
    value, (by_violation, by_multiplier) = SLOPES(violation, np.full(7, 3.0, np.float32))
    smooth = np.asarray(smooth_indicator(jnp.asarray(violation), gradient=GRADIENT))
    np.testing.assert_allclose(value, 3 * SCALE * smooth, rtol=1e-6)
    np.testing.assert_allclose(by_multiplier, SCALE * smooth, rtol=1e-6)
    np.testing.assert_allclose(by_violation, 3 * SCALE * np.minimum(GRADIENT, KAPPA / violation), rtol=1e-6)
    assert smooth[0] > 0.999999
    np.testing.assert_allclose(smooth[-1], np.tanh(0.7717023), rtol=1e-6)


def test_one_multiplier_a_constraint_and_a_scale_for_all():
    violation = jnp.asarray([[0.2, -0.1], [-0.1, 0.3]])
    got = violation_penalty(violation, jnp.asarray([1.0, 3.0]), 10.0, jnp.asarray(5.0))
    broken = 10 * np.tanh(0.7717023)
    np.testing.assert_allclose(got, [[broken, -1.0], [-0.5, broken]], rtol=1e-6)


def test_float64_gradients(check_gradients):
    check_gradients(lambda m: weighted(jnp.asarray([-0.1, 0.2, -0.4]), m), np.asarray([0.5, 1.5, 3.0]))


def test_vmap_equals_loop():
    rng = np.random.default_rng(0)
    violation = rng.normal(size=(5, 2)).astype(np.float32)
    multiplier = rng.uniform(0, 3, size=(5, 2)).astype(np.float32)
    loop = [weighted(jnp.asarray(v), jnp.asarray(m)) for v, m in zip(violation, multiplier, strict=True)]
    np.testing.assert_allclose(quick_jit(jax.vmap(weighted))(violation, multiplier), np.stack(loop), rtol=1e-6)


def test_large_batch_jit_equals_eager():
    rng = np.random.default_rng(0)
    gain = jnp.asarray(rng.normal(size=(32_769, 3, 3)), jnp.float32)
    power = jnp.asarray(rng.uniform(size=(32_769, 3)), jnp.float32)
    batched = jax.vmap(lambda g, p: weighted(g @ p, p))
    np.testing.assert_allclose(jax.jit(batched)(gain, power), batched(gain, power), 1e-4)


def test_errors_say_what_to_do(unchecked):
    violation = jnp.ones((2, 3))
    for index, name in enumerate(("multiplier", "scale", "gradient")):
        arguments = [1.0, 1.0, 1.0]
        arguments[index] = jnp.ones(2)
        with pytest.raises(ValueError, match=rf"{name} has shape \(2,\), wanted .* \(2, 3\), the shape of violation"):
            violation_penalty(violation, *arguments)
