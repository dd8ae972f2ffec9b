import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.smoothing import straight_through, straight_through_argmax, tempered_softmax

PULL = np.asarray([3.0, -1.0, 0.5], np.float32)
ARGMAX = jax.jit(straight_through_argmax)
HARD_SLOPE = jax.jit(jax.grad(lambda x, t: jnp.sum(PULL * straight_through_argmax(x, t))))
SOFT_SLOPE = jax.jit(jax.grad(lambda x, t: jnp.sum(PULL * tempered_softmax(x, t))))


def test_hard_forwards_soft_backwards():
    def objective(x):
        return jnp.sum(PULL * straight_through(x > 0, jnp.tanh(x)))

    x = np.asarray([0.2, -0.7, 1.4], np.float32)
    value, gradient = jax.jit(jax.value_and_grad(objective))(jnp.asarray(x))
    assert value == 3.5
    np.testing.assert_allclose(gradient, PULL / np.cosh(x.astype(np.float64)) ** 2, 1e-5)


def test_value_is_exact_and_takes_the_dtype_of_soft():
    hard, soft = jnp.asarray([0.1, 0.7]), jnp.asarray([1e8, jnp.nan])
    np.testing.assert_array_equal(straight_through(hard, soft), hard)
    assert straight_through(jnp.asarray([1, 0]), soft).dtype == soft.dtype


def test_no_gradient_reaches_hard():
    gradient = jax.grad(lambda h: jnp.sum(straight_through(h, jnp.ones(3))))(jnp.asarray([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(gradient, np.zeros(3))


@pytest.mark.parametrize(
    ("logits", "wanted"),
    [
        ([0.1, 0.3, 0.2], [0, 1, 0]),
        ([0.3, 0.3, 0.3], [1, 0, 0]),
        ([-1.0, 0.3, 0.3], [0, 1, 0]),
        ([-np.inf, -5.0, -np.inf], [0, 1, 0]),
        ([-np.inf, -np.inf, -np.inf], [0, 0, 0]),
    ],
    ids=["plain", "tie", "tie of two", "masked", "all masked"],
)
@pytest.mark.parametrize("temperature", [0.0, 1e-6, 0.5])
def test_argmax_edges(logits, wanted, temperature):
    logits = jnp.asarray(logits, jnp.float32)
    np.testing.assert_array_equal(ARGMAX(logits, temperature), wanted)
    gradient = HARD_SLOPE(logits, temperature)
    assert np.all(np.isfinite(gradient))
    np.testing.assert_allclose(gradient, SOFT_SLOPE(logits, temperature), 1e-6)


def test_argmax_takes_leading_axes_and_vmap_equals_loop():
    logits = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
    got = np.asarray(ARGMAX(logits, 0.3))
    np.testing.assert_array_equal(got.argmax(-1), logits.argmax(-1))
    np.testing.assert_array_equal(got.sum(-1), np.ones((4, 2)))
    loop = np.stack([ARGMAX(x, 0.3) for x in logits])
    np.testing.assert_array_equal(got, loop)
    mapped = jax.jit(jax.vmap(lambda x: straight_through_argmax(x, 0.3)))
    np.testing.assert_array_equal(mapped(logits), loop)


def test_gradient_ascent_through_the_argmax_finds_the_best_choice():
    score = np.asarray([0.1, 0.9, 0.4], np.float32)
    step = jax.jit(jax.grad(lambda x: score @ straight_through_argmax(x, 1.0)))
    logits = jnp.asarray([1.0, 0.0, 0.5])
    for _ in range(50):
        logits = logits + step(logits)
    np.testing.assert_array_equal(ARGMAX(logits, 1.0), [0.0, 1.0, 0.0])


def test_float64(x64):
    assert ARGMAX(jnp.asarray([0.1, 0.3, 0.2]), 0.5).dtype == jnp.float64


def test_large_batch_jit_equals_eager():
    rng = np.random.default_rng(0)
    gain = jnp.asarray(rng.integers(0, 5, size=(32_769, 3, 3)), jnp.float32)
    power = jnp.asarray(rng.integers(0, 5, size=(32_769, 3)), jnp.float32)
    batched = jax.vmap(lambda g, p: straight_through_argmax(g @ p, 0.3))
    np.testing.assert_array_equal(jax.jit(batched)(gain, power), batched(gain, power))


def test_errors_say_what_to_do(unchecked):
    with pytest.raises(ValueError, match=r"hard has shape \(2,\), wanted \(2, 3\).*one_hot"):
        straight_through(jnp.zeros(2), jnp.zeros((2, 3)))
