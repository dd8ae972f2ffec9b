"""The timing helper and the measured computations themselves."""

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.bound import KERNELS, OPERATIONS, machine_rates
from benchmarks.kernels import loop_rates, rates_of, sample_networks, torch_rates, vectorised_rates
from benchmarks.timing import compile_call, measure, row


def test_calls_take_turns_after_a_warm_up():
    order = []
    calls = {name: lambda name=name: order.append(name) or len(order) for name in "ab"}
    timings = measure(calls, 3)
    assert order == ["a", "b"] * 4
    assert timings["a"].result == 1  # of the warm-up
    assert timings["a"].repeats == 3
    assert 0 < timings["a"].minimum <= timings["a"].median


def test_compiled_call_and_the_seconds_that_it_took_to_compile():
    x, double = jnp.arange(1001.0), lambda x, factor: factor * x
    for parts in (1, 2):
        call, seconds = compile_call(double, x, jnp.float32(2.0), parts=parts)
        np.testing.assert_array_equal(call(), 2 * x)
        assert seconds > 0
        assert compile_call(double, x, jnp.float32(3.0), parts=parts)[1] == seconds  # kept from before


def test_row_scales_a_part_to_the_whole():
    timing = measure({"it": lambda: None}, 1)["it"]
    scaled = row("it", timing, 10, unit="thing", scale=4.0, extrapolated_from=2)
    assert scaled["seconds"] == 4 * timing.median
    assert scaled["seconds_per_thing"] == pytest.approx(0.4 * timing.median)
    assert scaled["things_per_second"] == pytest.approx(1 / scaled["seconds_per_thing"])
    assert scaled["compile_seconds"] is None
    assert scaled["extrapolated_from"] == 2


def test_rates_of_the_machine():
    rates, rows = machine_rates(64, 1)
    assert rates.keys() == KERNELS.keys() == OPERATIONS.keys()
    assert all(rate > 0 for rate in rates.values())
    assert [r["per_second"] for r in rows] == list(rates.values())


@pytest.mark.parametrize("name", KERNELS)
def test_bound_kernels_stay_finite(name):
    assert np.isfinite(KERNELS[name](jnp.linspace(0.1, 1.0, 9), jnp.linspace(0.5, 0.9, 4))).all()


def test_all_versions_of_the_rates_agree():
    gain, power = sample_networks(20)
    wanted = rates_of(gain, power)
    np.testing.assert_allclose(vectorised_rates(gain, power), wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(loop_rates(gain, power), wanted, rtol=1e-4, atol=1e-6)


def test_torch_version_agrees():
    torch = pytest.importorskip("torch")
    gain, power = sample_networks(20)
    np.testing.assert_allclose(torch_rates(torch, gain, power)(), rates_of(gain, power), rtol=1e-4, atol=1e-6)
