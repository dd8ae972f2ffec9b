"""What the acceptance network sees of a user's own set, and that only the set counts."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.policies.uplink_acceptance import MOST_SHORT, AcceptanceNetwork, best_window, network_test, set_of
from wirelax.problems import make_uplink_qos_problem

from ..compiling import quick_jit

GAIN = np.array([[90.0, 40.0, 30.0, 11.0, 2.0], [8.0, 7.0, 3.0, 1.0, 0.5]])


@pytest.fixture(scope="module")
def problem():
    return make_uplink_qos_problem(GAIN, max_power_w=1.0, rate_long_bps=1.5e6)


@pytest.fixture(scope="module")
def network(problem):
    model = AcceptanceNetwork((8,))
    return model, quick_jit(model.init)(jax.random.key(0), set_of(problem, jnp.log(problem.snr[0]), 3))


def common_level(gain):
    """Water level over all RBs with the budget of 1 spent, whatever the sign of the powers."""
    return (1 + sum(1 / g for g in gain)) / len(gain)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_nats_at_the_common_level(problem, count):
    own = quick_jit(set_of)(problem, jnp.log(problem.snr[1]), count)
    level = common_level(GAIN[1, :count])
    wanted = [math.log(level * g) for g in GAIN[1, :count]]
    np.testing.assert_allclose(own.nats[:count], wanted, rtol=1e-5, atol=1e-6)
    assert (own.nats[count:] == 0).all()
    b = 512e3 / 360e3 * math.log(2) + 4.26489079 / math.sqrt(180)
    a = 1.5e6 / 360e3 * math.log(2)
    np.testing.assert_allclose(own.margin, sum(wanted) - a - b, rtol=1e-4)
    assert own.short_need.shape == (MOST_SHORT,)


@pytest.mark.parametrize("number", [1, 2])
def test_the_window_nearest_to_the_common_level(problem, number):
    count, gain = 4, GAIN[1]
    own = quick_jit(set_of)(problem, jnp.log(problem.snr[1]), count)
    level = common_level(gain[:count])
    need = 512e3 / 360e3 * math.log(2) + 4.26489079 / math.sqrt(180) * math.sqrt(number)
    error = [
        abs(sum(math.log(level * g) for g in gain[first : first + number]) / number - need / number)
        for first in range(count - number + 1)
    ]
    first = int(np.argmin(error))
    found = quick_jit(best_window)(own, number)
    np.testing.assert_array_equal(np.flatnonzero(found), range(first, first + number))


def test_the_test_sees_neither_padding_nor_other_users(problem, network):
    test = quick_jit(lambda ln_gain, count: network_test(network[0], network[1])(problem, ln_gain, count))
    ln_gain, count = jnp.log(problem.snr), jnp.array([3, 4])
    accepted, short = test(ln_gain, count)
    other = test(ln_gain.at[0, 3:].set(-jnp.inf).at[1, 4:].set(7.0), count)
    np.testing.assert_array_equal(other[0], accepted)
    np.testing.assert_array_equal(other[1], short)
    swapped = test(ln_gain[::-1], count[::-1])
    np.testing.assert_array_equal(swapped[0][::-1], accepted)
    np.testing.assert_array_equal(swapped[1][::-1], short)
    assert not (short & (jnp.arange(5) >= count[:, None])).any()


def test_one_rb_or_none_is_never_enough(problem, network):
    test = quick_jit(lambda count: network_test(network[0], network[1])(problem, jnp.full((2, 5), 20.0), count))
    assert not test(jnp.array([0, 1]))[0].any()


@pytest.mark.parametrize("level", [-60.0, 0.0, 60.0])
def test_outputs_are_finite_for_any_gains(problem, network, level):
    def outputs(ln_gain, count):
        return network[0].apply(network[1], set_of(problem, ln_gain, count))

    for count in (0, 1, 5):
        found = quick_jit(outputs)(jnp.array([level, level - 1, level - 2, level - 90, -jnp.inf]), count)
        assert np.isfinite(found["accept"])
        assert not np.isnan(found["number"]).any()
