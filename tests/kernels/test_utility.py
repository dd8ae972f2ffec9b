import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirelax.kernels import log_utility, sum_utility, weighted_sum_utility

RATES = [[1.0, 0.5, 2.0], [0.0, 3.0, 0.25]]
WEIGHTS = [[1.0, 2.0, 0.5], [4.0, 0.0, 1.0]]
SUM, WEIGHTED, LOG = (jax.jit(f) for f in (sum_utility, weighted_sum_utility, log_utility))


def test_utilities_match_double_loops():
    rate, weight = jnp.asarray(RATES), jnp.asarray(WEIGHTS)
    plain = weighted = fair = 0.0
    for rates, weights in zip(RATES, WEIGHTS, strict=True):
        for r, w in zip(rates, weights, strict=True):
            plain, weighted, fair = plain + r, weighted + w * r, fair + np.log(r + 1e-3)
    np.testing.assert_allclose(SUM(rate), plain, 1e-6)
    np.testing.assert_allclose(WEIGHTED(rate, weight), weighted, 1e-6)
    np.testing.assert_allclose(LOG(rate, 1e-3), fair, 1e-6)


def test_vmap_equals_loop():
    rate, weight = np.asarray(RATES, np.float32), np.asarray(WEIGHTS, np.float32)
    wanted = np.stack([WEIGHTED(r, w) for r, w in zip(rate, weight, strict=True)])
    np.testing.assert_allclose(jax.jit(jax.vmap(weighted_sum_utility))(rate, weight), wanted, 1e-6)
    wanted = np.stack([LOG(r, 0.1) for r in rate])
    mapped = jax.jit(jax.vmap(log_utility, in_axes=(0, None)))
    np.testing.assert_allclose(mapped(rate, 0.1), wanted, 1e-6)


def test_gradients_match_finite_differences(check_gradients):
    rate, weight = np.asarray(RATES), np.asarray(WEIGHTS)
    check_gradients(sum_utility, rate)
    check_gradients(weighted_sum_utility, rate, weight)
    check_gradients(log_utility, rate + 0.1, 0.2)


def test_log_utility_slope_at_zero_rate_is_one_over_the_floor():
    value, slope = jax.jit(jax.value_and_grad(log_utility))(np.zeros(3, np.float32), 1e-6)
    chex.assert_tree_all_finite(value)
    np.testing.assert_allclose(slope, np.full(3, 1e6), 1e-5)


@given(st.lists(st.floats(0.0, 10.0), min_size=4, max_size=4), st.permutations(range(4)))
def test_order_of_the_users_does_not_matter(rates, order):
    rate = np.asarray(rates, np.float32)
    permuted = rate[list(order)]
    np.testing.assert_allclose(SUM(permuted), SUM(rate), 1e-5)
    np.testing.assert_allclose(LOG(permuted, 0.01), LOG(rate, 0.01), 1e-5, atol=1e-5)
    np.testing.assert_allclose(WEIGHTED(rate, np.ones_like(rate)), SUM(rate), 1e-5)


@given(st.floats(0.1, 10.0), st.floats(0.1, 0.9))
def test_log_utility_prefers_equal_shares(total, share):
    even = LOG(np.asarray([total / 2, total / 2], np.float32), 1e-3)
    uneven = LOG(np.asarray([share * total, total - share * total], np.float32), 1e-3)
    assert uneven <= even + 1e-5


def test_errors_say_what_to_do(unchecked):
    with pytest.raises(ValueError, match=r"weight has shape \(3,\), wanted \(2, 3\).*broadcast_to"):
        weighted_sum_utility(jnp.ones((2, 3)), jnp.ones(3))
    with pytest.raises(ValueError, match="floor is 0, wanted a rate above 0"):
        log_utility(jnp.ones(3), 0)
