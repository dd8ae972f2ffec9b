import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirelax.smoothing import tempered_softmax

SOFTMAX = jax.jit(tempered_softmax, static_argnames="axis")
PULL = np.asarray([1e3, -2.0, 0.5], np.float32)
EDGES = {
    "ties": [1.0, 1.0, 1.0],
    "masked": [0.3, -np.inf, -2.0],
    "one left": [-np.inf, 0.1, -np.inf],
    "all masked": [-np.inf, -np.inf, -np.inf],
    "far apart": [-1e30, 0.0, 1e30],
    "zeros": [0.0, 0.0, -0.0],
}


def pulled(logits, temperature):
    return jnp.sum(PULL * tempered_softmax(logits, temperature))


FORWARD, REVERSE = jax.jit(jax.jacfwd(pulled)), jax.jit(jax.grad(pulled))


def reference(logits, temperature):
    """Softmax of one row in NumPy float64, logit by logit."""
    weights = [np.exp((x - max(logits)) / temperature) for x in logits]
    return np.asarray([w / sum(weights) for w in weights])


@pytest.mark.parametrize("temperature", [0.1, 1.0, 30.0])
def test_matches_the_definition(temperature):
    rows = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    wanted = np.stack([reference(row.astype(np.float64), temperature) for row in rows])
    np.testing.assert_allclose(SOFTMAX(jnp.asarray(rows), temperature), wanted, 1e-5)
    np.testing.assert_allclose(SOFTMAX(jnp.asarray(rows.T), temperature, axis=0), wanted.T, 1e-5)


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("temperature", [0.0, 1e-30, 1e-6, 1e-3, 1.0, 1e6])
def test_value_and_gradients_are_finite_at_the_edges(name, temperature):
    logits = np.asarray(EDGES[name], np.float32)
    total = np.sum(SOFTMAX(jnp.asarray(logits), temperature))
    np.testing.assert_allclose(total, 0.0 if name == "all masked" else 1.0, 1e-6)
    for derivative in (FORWARD, REVERSE):
        gradient = np.asarray(derivative(jnp.asarray(logits), temperature))
        assert np.all(np.isfinite(gradient))
        assert np.all(gradient[np.isneginf(logits)] == 0.0)


def test_cold_is_argmax_and_hot_is_uniform():
    logits = jnp.asarray([0.2, 0.9, 0.9001, -1.0])
    for temperature in (1e-6, 0.0):
        np.testing.assert_array_equal(SOFTMAX(logits, temperature), [0.0, 0.0, 1.0, 0.0])
    np.testing.assert_allclose(SOFTMAX(logits, 1e6), np.full(4, 0.25), 1e-5)
    np.testing.assert_array_equal(SOFTMAX(jnp.asarray([1.0, 1.0, 0.0]), 0.0), [0.5, 0.5, 0.0])


def test_a_masked_row_does_not_spoil_its_neighbours():
    logits = np.asarray([[-np.inf, -np.inf], [1.0, 2.0]], np.float32)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(tempered_softmax(x, 0.5)[:, 0])))(logits)
    np.testing.assert_array_equal(gradient[0], [0.0, 0.0])
    weight = reference([1.0, 2.0], 0.5)[0]
    slope = weight * (1 - weight) / 0.5
    np.testing.assert_allclose(gradient[1], [slope, -slope], 1e-5)


@pytest.mark.parametrize("temperature", [0.2, 5.0])
@pytest.mark.parametrize("axis", [-1, 0])
def test_gradients_match_finite_differences(check_gradients, temperature, axis):
    logits = np.random.default_rng(1).normal(size=(2, 3))
    check_gradients(lambda x: tempered_softmax(x, temperature, axis), logits)


def test_closed_form_equals_autodiff(x64):
    logits = jnp.asarray([0.3, -1.0, 2.0, 1.5])
    wanted = jax.jit(jax.jacrev(lambda x: jax.nn.softmax(x / 0.7)))(logits)
    for mode in (jax.jacrev, jax.jacfwd):
        np.testing.assert_allclose(jax.jit(mode(tempered_softmax))(logits, 0.7), wanted, 1e-12)


def test_temperature_is_a_constant():
    logits = jnp.asarray([0.3, -1.0, 2.0])
    assert jax.jit(jax.grad(lambda t: tempered_softmax(logits, t)[0]))(0.7) == 0.0
    frozen = jax.jit(jax.jacrev(lambda x: tempered_softmax(x, 0.7)))(logits)
    scale = 0.7 / np.sum(np.asarray(logits) ** 2)
    adaptive = jax.jit(jax.jacrev(lambda x: tempered_softmax(x, scale * jnp.sum(x**2))))(logits)
    np.testing.assert_allclose(adaptive, frozen, 1e-5)


def test_vmap_equals_loop():
    logits = np.asarray([[1.0, 2.0, 0.0], [0.5, -1.0, 3.0]], np.float32)
    temperature = np.asarray([0.1, 2.0], np.float32)
    loop = np.stack([SOFTMAX(row, t) for row, t in zip(logits, temperature, strict=True)])
    np.testing.assert_allclose(jax.jit(jax.vmap(tempered_softmax))(logits, temperature), loop, 1e-6)


def test_large_batch_jit_equals_eager():
    rng = np.random.default_rng(0)
    gain = jnp.asarray(rng.uniform(size=(32_769, 3, 3)), jnp.float32)
    power = jnp.asarray(rng.uniform(size=(32_769, 3)), jnp.float32)
    batched = jax.vmap(lambda g, p: tempered_softmax(g @ p, 0.3))
    np.testing.assert_allclose(jax.jit(batched)(gain, power), batched(gain, power), 1e-5)


@given(st.lists(st.floats(-50, 50), min_size=5, max_size=5), st.floats(1e-3, 100.0), st.floats(-20, 20))
def test_order_is_kept_and_a_constant_changes_nothing(logits, temperature, shift):
    row = np.asarray(logits, np.float32)
    weights = np.asarray(SOFTMAX(row, temperature))
    np.testing.assert_allclose(np.sum(weights), 1.0, 1e-5)
    assert np.all(np.diff(weights[np.argsort(row)]) >= 0)
    rounding = 4e-6 * 70 / temperature
    np.testing.assert_allclose(SOFTMAX(row + np.float32(shift), temperature), weights, atol=1e-5 + rounding)


def test_errors_say_what_to_do(unchecked):
    with pytest.raises(ValueError, match=r"temperature has shape \(2,\), wanted \(\): use jax\.vmap"):
        tempered_softmax(jnp.ones((2, 3)), jnp.ones(2))
    with pytest.raises(ValueError, match=r"axis is 2, but logits has shape \(2, 3\): wanted .* -2 to 1"):
        tempered_softmax(jnp.ones((2, 3)), 1.0, axis=2)
