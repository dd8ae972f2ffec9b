"""Networks, heads and weights files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from wirelax.channels import ChannelFileError
from wirelax.policies import CNN, Policy, Standardiser, budgeted_power, load_policy, save_policy
from wirelax.policies.heads import LOG_POWER_MIN
from wirelax.policies.networks import patches


def test_patches_make_flax_convolutions():
    image = jax.random.normal(jax.random.key(0), (5, 6, 4))
    for kernel in ((1, 3), (3, 3), (2, 1)):
        conv = nn.Conv(7, kernel, padding="SAME")
        params = jax.jit(conv.init)(jax.random.key(1), image)
        weight, bias = params["params"]["kernel"], params["params"]["bias"]
        by_hand = jax.jit(lambda x, kernel=kernel, w=weight, b=bias: patches(x, kernel) @ w.reshape(-1, 7) + b)
        np.testing.assert_allclose(by_hand(image), jax.jit(conv.apply)(params, image), atol=1e-5)


def test_cnn_has_the_parameters_of_its_convolutions():
    network = CNN((4, 8), (16,), 3)
    params = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((6, 6, 1)))
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert count == (3 * 1 * 4 + 4) + (3 * 4 * 8 + 8) + (36 * 8 * 16 + 16) + (16 * 3 + 3)


@jax.jit
def power_and_slope(log_power, budget):
    return budgeted_power(log_power, budget), jax.grad(lambda x: budgeted_power(x, budget).sum())(log_power)


@pytest.mark.parametrize("log_power", [-100.0, -3.0, 0.0, 50.0])
def test_every_output_is_within_the_budget(log_power):
    budget = np.array([12.0, 1.2], np.float32)
    power, gradient = power_and_slope(np.full((2, 3), log_power, np.float32), budget)
    assert (power >= 0).all()
    assert (power.sum(1) <= budget * (1 + 1e-6)).all()
    assert np.isfinite(gradient).all()


def test_small_powers_pass_unscaled():
    power = jax.jit(budgeted_power)(np.log10([[0.25, 0.5]]), np.array([4.0]))
    np.testing.assert_allclose(power, [[1.0, 2.0]], rtol=1e-6)


def test_links_at_the_smallest_power_are_off():
    log_power = np.array([[LOG_POWER_MIN - 1, LOG_POWER_MIN, LOG_POWER_MIN + 1, 0.0]])
    power = np.asarray(jax.jit(budgeted_power)(log_power, np.array([4.0])))
    assert (power[0, :2] == 0).all()
    assert (power[0, 2:] > 0).all()


def test_standardiser():
    x = np.random.default_rng(0).normal(3, 2, (500, 4))
    x[:, 2] = 7.0  # a constant feature must not divide by zero
    z = Standardiser.fit(x)(x)
    np.testing.assert_allclose(np.mean(z, 0), 0, atol=1e-4)
    np.testing.assert_allclose(np.std(z, 0), [1, 1, 0, 1], atol=1e-4)
    assert Standardiser.fit(x, shared=True).mean.shape == ()


def test_weights_file_round_trip(tmp_path):
    params = {"params": {"a": jnp.arange(6.0).reshape(2, 3)}}
    standardise = Standardiser(mean=jnp.ones(2), std=jnp.full(2, 2.0))
    policy = Policy(name="dnn", params=params, standardise=standardise, meta={"seed": 3})
    save_policy(tmp_path / "p.msgpack", policy)
    found = load_policy(tmp_path / "p.msgpack")
    assert (found.name, found.meta, found.num_parameters) == ("dnn", {"seed": 3}, 6)
    jax.tree.map(np.testing.assert_array_equal, found.state, policy.state)


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_bad_weights_file(tmp_path, content):
    path = tmp_path / "p.msgpack"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ChannelFileError, match="msgpack"):
        load_policy(path)
