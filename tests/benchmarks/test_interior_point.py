"""The references of the interior point method: their rates are those of the kernels."""

import jax
import numpy as np
import pytest

from benchmarks.interior_point import _rate_and_gradient, cell_of, scheduled_gains, scipy_power
from wirelax.systems import get


@pytest.fixture(scope="module")
def network():
    gain = np.random.default_rng(3).exponential(size=(3, 2))
    return np.sort(gain, 1)[:, ::-1].copy()  # strongest user first


def test_scheduled_gains_are_in_the_order_of_sic():
    gain = np.array([[[1.0, 3.0, 2.0], [5.0, 4.0, 6.0]], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    assignment = np.array([[[1, 1, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], bool)
    found = scheduled_gains(gain, assignment)
    assert found.keys() == {0}  # the other one has an empty place
    np.testing.assert_array_equal(found[0], [[3.0, 1.0], [6.0, 4.0]])


def test_rate_by_a_loop_and_its_gradient_by_differences(network):
    power = np.random.default_rng(4).uniform(0.1, 2.0, network.size)
    noise, eps = 0.1, 0.05

    def rate(power):
        total = 0.0
        for k, gains in enumerate(network):
            of = power.reshape(network.shape)[k]
            for m, gain in enumerate(gains):
                heard = sum(of[j] * (1.0 if j < m else eps) for j in range(len(gains)) if j != m)
                total += np.log2(1 + of[m] * gain / (heard * gain + noise))
        return total

    value, gradient = _rate_and_gradient(power, network, noise, eps)
    assert -value == pytest.approx(rate(power), rel=1e-12)
    for i, step in enumerate(1e-6 * np.eye(power.size)):
        assert -gradient[i] == pytest.approx((rate(power + step) - rate(power - step)) / 2e-6, rel=1e-6)


def test_scipy_meets_the_constraints_and_the_problem_agrees_on_the_rate(network, x64):
    system = get("noma", num_subchannels=3, num_users=2, max_users_per_subchannel=2)
    cell = cell_of(system.config)
    assert cell.total_power_w == pytest.approx(19.952623, rel=1e-6)
    value, power = scipy_power(network, cell, "SLSQP")
    assert power.sum() == pytest.approx(cell.total_power_w, rel=1e-9)
    problem = system.problem({"gain": network, "assignment": np.ones((3, 2), bool)})
    allocation = {"assignment": np.ones((3, 2), bool), "power_w": power.reshape(3, 2)}
    assert float(problem.utility(jax.tree.map(jax.numpy.asarray, allocation))) == pytest.approx(value, rel=1e-9)
    even = -_rate_and_gradient(np.full(6, cell.total_power_w / 6), network, cell.noise_w, cell.sic_residual)[0]
    assert value > even
