import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.kernels import assigned_link_gain, assigned_sinr, rate

COMPILED = jax.jit(assigned_sinr)
NOISE_W = 1.5e-16


def loops(gain, assignment, power, noise):
    """SINR [bs, subchannel] from the definition, in float64."""
    gain, power = np.asarray(gain, np.float64), np.asarray(power, np.float64)
    num_bs, num_subchannels = power.shape
    out = np.zeros(power.shape)
    for n in range(num_bs):
        for k in range(num_subchannels):
            u = assignment[n, k]
            if u >= 0:
                others = sum(gain[k, u, j] * power[j, k] for j in range(num_bs) if j != n)
                out[n, k] = gain[k, u, n] * power[n, k] / (noise + others)
    return out


def network(seed, num_bs=3, users=2, num_subchannels=2, batch=()):
    """Gains over 60 dB; a quarter of the subchannels empty, a quarter of the powers zero."""
    rng = np.random.default_rng(seed)
    shape = (*batch, num_bs, num_subchannels)
    gain = 10 ** rng.uniform(-15, -9, (*batch, num_subchannels, num_bs * users, num_bs))
    assignment = rng.integers(users, size=shape) + users * np.arange(num_bs)[:, None]
    assignment = np.where(rng.uniform(size=shape) < 0.25, -1, assignment).astype(np.int32)
    power = np.where(rng.uniform(size=shape) < 0.25, 0.0, rng.uniform(1e-3, 10.0, shape))
    return jnp.asarray(gain, float), jnp.asarray(assignment), jnp.asarray(power, float)


@pytest.mark.parametrize("size", [(1, 1, 1), (3, 2, 2), (2, 3, 4), (5, 1, 3)])
def test_matches_loops(size):
    instance = network(sum(size), *size)
    np.testing.assert_allclose(COMPILED(*instance, NOISE_W), loops(*instance, NOISE_W), 3e-6)


def test_float64_is_right_to_float64(x64):
    instance = network(0)
    got = COMPILED(*instance, NOISE_W)
    assert got.dtype == jnp.float64
    np.testing.assert_allclose(got, loops(*instance, NOISE_W), 1e-13)


def test_nobody_served_is_no_signal_but_still_interference():
    gain, power = jnp.ones((1, 2, 2)), jnp.ones((2, 1))
    got = COMPILED(gain, jnp.asarray([[0], [-1]]), power, 1.0)
    np.testing.assert_array_equal(got, [[0.5], [0.0]])
    nobody = COMPILED(*network(1)[:1], jnp.full((3, 2), -1), network(1)[2], NOISE_W)
    np.testing.assert_array_equal(nobody, np.zeros((3, 2)))


def test_zero_power_is_no_signal_and_no_interference():
    gain, assignment, power = network(2)
    np.testing.assert_array_equal(COMPILED(gain, assignment, jnp.zeros_like(power), NOISE_W), np.zeros((3, 2)))
    alone = jnp.zeros_like(power).at[1].set(2.0)
    np.testing.assert_allclose(
        COMPILED(gain, jnp.asarray([[0, 1], [2, 3], [4, 5]]), alone, NOISE_W)[1],
        [2.0 * gain[0, 2, 1] / NOISE_W, 2.0 * gain[1, 3, 1] / NOISE_W],
        1e-6,
    )


def test_link_gains_are_rows_of_the_served_users():
    gain, _, _ = network(3)
    links = assigned_link_gain(gain, jnp.asarray([[1, 0], [-1, 3], [4, -1]]))
    for k, users in enumerate([[1, None, 4], [0, 3, None]]):
        for n, user in enumerate(users):
            np.testing.assert_array_equal(links[k, n], np.zeros(3) if user is None else gain[k, user])


def test_jit_equals_eager_on_a_large_batch_of_three_subchannels():
    instances = network(4, 3, 2, 3, batch=(32_769,))
    batched = jax.vmap(assigned_sinr, in_axes=(0, 0, 0, None))
    compiled, eager = jax.jit(batched)(*instances, NOISE_W), batched(*instances, NOISE_W)
    np.testing.assert_allclose(compiled, eager, 1e-5, atol=1e-6)
    for i in (0, 1, 16_383, 32_767, 32_768):
        wanted = loops(*(x[i] for x in instances), NOISE_W)
        np.testing.assert_allclose(compiled[i], wanted, 3e-6)


def test_gradients_match_differences(check_gradients):
    gain, assignment, power = network(5)
    gain, power = jnp.asarray(gain * 1e12, float), jnp.asarray(power + 0.1, float)
    check_gradients(lambda g, p: rate(assigned_sinr(g, assignment, p, 0.1)), gain, power, rtol=1e-5)


def test_gradients_are_finite_at_zero():
    def total(gain, power):
        return rate(assigned_sinr(gain, assignment, power, NOISE_W)).sum()

    slopes = jax.jit(jax.grad(total, argnums=(0, 1)))
    gain, assignment, power = network(6)
    for g in (gain, jnp.zeros_like(gain)):
        for p in (power, jnp.zeros_like(power)):
            for leaf in slopes(g, p):
                assert np.isfinite(leaf).all()
