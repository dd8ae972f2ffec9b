"""The training loop on a problem with a known answer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.training import (
    LoopConfig,
    classify_and_regress,
    expected_utility,
    fresh,
    held_out_rows,
    label_weights,
    rows,
    train,
)


def squared(params, batch, key):
    loss = jnp.square(batch["x"] @ params["w"] - batch["y"]).mean()
    return loss, {"largest": jnp.abs(params["w"]).max()}


@pytest.fixture
def data():
    x = jax.random.normal(jax.random.key(0), (64, 3))
    return {"x": x, "y": x @ jnp.array([1.0, -2.0, 0.5])}


def test_finds_least_squares(data):
    config = LoopConfig(steps=600, learning_rate=0.05, chunk=100, checkpoint_every=100)
    params = train(squared, {"w": jnp.zeros(3)}, data, rows(16), config)
    np.testing.assert_allclose(params["w"], [1.0, -2.0, 0.5], atol=1e-3)


def test_callers_parameters_survive(data):
    start = {"w": jnp.zeros(3)}
    train(squared, start, data, rows(8), LoopConfig(steps=10, chunk=10, checkpoint_every=10))
    np.testing.assert_array_equal(start["w"], np.zeros(3))


def test_steps_must_be_whole_chunks(data):
    with pytest.raises(ValueError, match="multiples of chunk"):
        train(squared, {"w": jnp.zeros(3)}, data, rows(8), LoopConfig(steps=15, chunk=10, checkpoint_every=10))


def test_a_diverging_loss_is_an_error(data):
    def broken(params, batch, key):
        return params["w"].sum() * jnp.nan, {}

    with pytest.raises(FloatingPointError, match="not finite"):
        train(broken, {"w": jnp.zeros(3)}, data, rows(8), LoopConfig(steps=10, chunk=10, checkpoint_every=10))


def test_fresh_batches_differ_and_rows_come_from_the_data(data):
    draw = fresh(lambda key: {"x": jax.random.normal(key, (3,))}, 5)
    one, two = (jax.jit(draw)(None, jax.random.key(i)) for i in (1, 2))
    assert one["x"].shape == (5, 3)
    assert (one["x"] != two["x"]).all()
    batch = jax.device_get(jax.jit(rows(7))(data, jax.random.key(0)))
    data = jax.device_get(data)
    for x, y in zip(batch["x"], batch["y"]):
        index = np.flatnonzero((data["x"] == x).all(1))
        assert len(index) == 1
        assert data["y"][index[0]] == y


def test_held_out_rows_are_never_trained_on():
    data = {"row": jnp.arange(40)}
    batch = jax.jit(rows(300, held_out=0.25))(data, jax.random.key(0))
    assert set(np.asarray(batch["row"])) == set(range(30))
    assert set(np.asarray(held_out_rows(data, 0.25)["row"])) == set(range(30, 40))


def test_metrics_beside_the_loss_are_taken_after_every_chunk(data):
    seen = []
    config = LoopConfig(steps=20, chunk=10, checkpoint_every=10)
    params = train(
        squared,
        {"w": jnp.zeros(3)},
        data,
        rows(8),
        config,
        report=lambda step, metrics: seen.append((step, metrics)),
        evaluate=lambda params, data: {"whole": squared(params, data, None)[0]},
    )
    assert [step for step, _ in seen] == [10, 20]
    np.testing.assert_allclose(seen[-1][1]["whole"], squared(params, data, None)[0], rtol=1e-6)


def test_losses_against_numpy():
    logits, values, targets = np.array([0.3, -1.0, 2.0]), np.array([1.0, 2.0]), np.array([0.5, 2.5])
    softmax = np.exp(logits) / np.exp(logits).sum()
    expected = -np.log(softmax[2]) + 0.25 + 0.25
    np.testing.assert_allclose(jax.jit(classify_and_regress)(logits, 2, values, targets), expected, rtol=1e-6)
    np.testing.assert_allclose(
        jax.jit(expected_utility)(logits, np.array([1.0, 2.0, 3.0])), softmax @ [1.0, 2.0, 3.0], rtol=1e-6
    )
    weights = jax.jit(label_weights)(np.array([1.0, 0.5, 0.0]))
    np.testing.assert_allclose(weights, [1.02, 0.02, 0.02], atol=1e-6)
