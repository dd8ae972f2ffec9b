"""Least powers of one service against bisection and SciPy's SLSQP, and turn taking."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from wirelax.solvers import minimum_power, turn_order

from ...compiling import quick_jit
from . import reference
from .compiled import vectors

solve = quick_jit(jax.vmap(minimum_power))


def instances(count, seed=0):
    rng = np.random.default_rng(seed)
    gains = np.exp(rng.uniform(-3, 8, (count, 1)) + rng.uniform(0, 3, (count, 1)) * rng.normal(size=(count, 6)))
    return gains, rng.random((count, 6)) < 0.7, rng.uniform(0, 8, count)


def test_least_power(x64):
    gains, used, need = instances(100)
    used[:, 0] = True
    need[:3] = 0
    gains[5:9, 2:4] = gains[5:9, :1]
    gains[10:20, 4] = 0
    power, total = solve(gains, used, need)
    for i in range(100):
        wanted = reference.minimum_power(gains[i][used[i]], need[i])
        np.testing.assert_allclose(total[i], wanted, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(np.log1p(gains[i] * power[i]).sum(), need[i], rtol=1e-9)
    assert (np.asarray(power)[~used] == 0).all()
    assert (np.asarray(power) >= 0).all()
    np.testing.assert_allclose(power.sum(-1), total)


def test_least_power_in_single_precision():
    gains, used, need = instances(100, 1)
    used[:, 0] = True
    power, total = solve(*(jnp.asarray(x) for x in (gains.astype(np.float32), used, need.astype(np.float32))))
    assert total.dtype == jnp.float32
    wanted = [reference.minimum_power(g[u], n) for g, u, n in zip(gains, used, need, strict=True)]
    np.testing.assert_allclose(total, wanted, rtol=2e-5)
    assert np.isfinite(power).all()


@pytest.mark.parametrize("seed", range(3))
def test_no_better_power_is_found(seed, x64):
    rng = np.random.default_rng(seed)
    gains, need = np.exp(rng.normal(1, 1, 5)), rng.uniform(1, 5)
    reached = {"type": "ineq", "fun": lambda p: np.log1p(gains * p).sum() - need}
    settings = {"bounds": [(0, None)] * 5, "constraints": [reached], "method": "SLSQP"}
    best = scipy.optimize.minimize(np.sum, np.full(5, 3.0), jac=np.ones_like, options={"ftol": 1e-13}, **settings)
    _, total = solve(np.pad(gains, (0, 1))[None], np.ones((1, 6), bool), np.array([need]))
    np.testing.assert_allclose(total[0], best.fun, rtol=1e-7)


def test_where_nothing_can_be_reached():
    """No RB, RBs without gain, needs out of all proportion; nothing needed."""
    gains = jnp.array([[5.0] * 6, [0.0] * 6, [5.0] * 6, [0.0] * 6, [1e-6] * 6])
    used = jnp.array([[False] * 6, [True] * 6, [True] * 6, [True] * 6, [True] * 6])
    power, total = solve(gains, used, jnp.array([1.0, 1.0, 1e6, 0.0, 500.0]))
    assert np.isinf(total[:2]).all()
    assert np.isfinite(power).all()
    assert total[2] > 1e20
    assert total[3] == 0
    assert total[4] > 1e20


def test_derivatives_of_the_least_power(check_gradients):
    gains, used, need = instances(1, 4)

    def total(gains, need):
        return minimum_power(gains, jnp.asarray(used[0]), need)[1]

    check_gradients(total, gains[0], need[0] + 1.0, rtol=1e-5)


def test_users_take_turns():
    """Stored orders, ties, and one user's falling gains."""
    for stored in vectors()["multi"]:
        np.testing.assert_array_equal(turn_order(jnp.array(stored["G"])), stored["sort"])
    order = turn_order(jnp.array([[1.0, 3.0, 3.0, 0.0, 0.0], [1.0, 3.0, 3.0, 9.0, 0.0]]))
    np.testing.assert_array_equal(order, [1, 3, 2, 0, 4])
    np.testing.assert_array_equal(turn_order(jnp.array([[1.0, 3.0, 3.0, 0.0, 0.0]])), [1, 2, 0, 3, 4])
