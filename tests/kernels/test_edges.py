"""Kernels on lists of links: against loops over the equations and against the kernels on arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.kernels import (
    activity,
    edge_activity,
    edge_interference,
    edge_sinr,
    relaxed_association_rates,
    relaxed_edge_rates,
)

from ..compiling import quick_jit

INTERFERENCE, SINR, ACTIVITY = (
    quick_jit(edge_interference),
    quick_jit(edge_sinr),
    quick_jit(edge_activity, static_argnums=2),
)
RATES, DENSE_RATES = quick_jit(relaxed_edge_rates, static_argnums=5), quick_jit(relaxed_association_rates)
SHAPES = [(1, 1), (1, 5), (6, 1), (7, 4), (12, 9)]


def network(seed, ues, bss):
    """Gains over the noise from below it to 70 dB above, half missing; powers, shares, and the list of links."""
    rng = np.random.default_rng([seed, ues, bss])
    gain = 10 ** (rng.uniform(-10, 70, (ues, bss)) / 10) * (rng.uniform(size=(ues, bss)) < 0.5)
    gain[0, 0] = 3.0
    power = rng.uniform(size=bss) * (rng.uniform(size=bss) < 0.8)
    share = rng.exponential(size=(ues, bss)) ** 2 * (gain > 0)
    share /= np.maximum(share.sum(1, keepdims=True), 1e-9)
    return gain, power, share, *(x.astype(np.int32) for x in np.nonzero(gain))


def on_device(*arrays):
    return tuple(jnp.asarray(x) for x in arrays)


@pytest.mark.parametrize(("ues", "bss"), SHAPES)
def test_edges_match_loops(ues, bss, x64):
    gain, power, share, ue, bs = network(1, ues, bss)
    snr, x = gain[ue, bs], share[ue, bs]
    noise = 0.7
    received = snr * power[bs]
    others = [sum(received[k] for k in range(len(ue)) if ue[k] == ue[e] and k != e) for e in range(len(ue))]
    np.testing.assert_allclose(INTERFERENCE(*on_device(received, ue)), others, rtol=1e-12)
    sinr = received / (noise + np.array(others))
    np.testing.assert_allclose(SINR(*on_device(snr, power, ue, bs), noise), sinr, rtol=1e-12)
    empty = [np.prod([1 - x[e] for e in range(len(ue)) if bs[e] == j]) for j in range(bss)]
    np.testing.assert_allclose(ACTIVITY(*on_device(x, bs), bss), 1 - np.array(empty), rtol=1e-12, atol=1e-15)
    load = [sum(x[e] for e in range(len(ue)) if bs[e] == j) for j in range(bss)]
    each = [x[e] * np.log2(1 + sinr[e]) / (1 + load[bs[e]] - x[e]) for e in range(len(ue))]
    rates = [sum(each[e] for e in range(len(ue)) if ue[e] == i) for i in range(ues)]
    np.testing.assert_allclose(RATES(*on_device(x, snr, power, ue, bs), ues, noise), rates, rtol=1e-12)


def test_padding_counts_for_nothing(x64):
    gain, power, share, ue, bs = network(2, 7, 4)
    snr, x = gain[ue, bs], share[ue, bs]
    wanted = RATES(*on_device(x, snr, power, ue, bs), 7, 1.0)
    pad = lambda values, fill: np.append(values, np.full(5, fill, values.dtype))  # noqa: E731
    padded = on_device(pad(x, 0), pad(snr, 0), power, pad(ue, 6), pad(bs, 2))
    np.testing.assert_allclose(RATES(*padded, 7, 1.0), wanted, rtol=1e-12)
    padded_activity = ACTIVITY(*on_device(pad(x, 0), pad(bs, 2)), 4)
    np.testing.assert_allclose(padded_activity, ACTIVITY(*on_device(x, bs), 4), rtol=1e-12)


@pytest.mark.parametrize("level", [1.0, 1e7])
def test_weak_interference_survives_next_to_a_strong_signal_in_single_precision(level):
    ue, bs = np.repeat(np.arange(4), 3).astype(np.int32), np.tile(np.arange(3), 4).astype(np.int32)
    received = np.tile([level, 1e-3, 2e-3], 4).astype(np.float32)
    got = INTERFERENCE(*on_device(received, ue))
    wanted = np.tile([3e-3, level + 2e-3, level + 1e-3], 4)
    np.testing.assert_allclose(got, wanted, rtol=3e-7)
    assert SINR(*on_device(received, np.ones(3, np.float32), ue, bs), 1.0).dtype == jnp.float32


def test_a_strong_ue_leaves_the_next_one_alone():
    received, ue = np.array([1e20, 1e20, 1e-3, 2e-3], np.float32), np.array([0, 0, 1, 1], np.int32)
    np.testing.assert_allclose(INTERFERENCE(*on_device(received, ue)), [1e20, 1e20, 2e-3, 1e-3], rtol=1e-6)


def test_binary_shares_make_activity_exact_and_differentiable():
    bs, share = np.array([2, 0, 2, 0], np.int32), np.array([1, 0, 1, 0], np.float32)
    np.testing.assert_array_equal(ACTIVITY(*on_device(share, bs), 4), [0, 0, 1, 0])
    gradient = quick_jit(jax.jacrev(edge_activity), static_argnums=2)(*on_device(share, bs), 4)
    # Without the other edge of BS 0 nobody is there; with the other edge of BS 2 somebody is.
    np.testing.assert_array_equal(gradient, [[0, 1, 0, 1], [0] * 4, [0] * 4, [0] * 4])


@pytest.mark.parametrize(("ues", "bss"), [(1, 1), (7, 4), (12, 9)])
def test_gradients_are_those_on_arrays(ues, bss, x64):
    gain, power, share, ue, bs = network(3, ues, bss)
    ue, bs = on_device(ue, bs)

    def on_edges(share, gain, power):
        silent = power * edge_activity(share, bs, bss)
        return jnp.log(0.1 + relaxed_edge_rates(share, gain, silent, ue, bs, ues, 1.0)).sum()

    def on_arrays(share, gain, power):
        dense = [jnp.zeros((ues, bss)).at[ue, bs].set(x) for x in (share, gain)]
        return jnp.log(0.1 + relaxed_association_rates(*dense, power * activity(dense[0]), 1.0)).sum()

    arguments = on_device(share[ue, bs], gain[ue, bs], power)
    pairs = [quick_jit(jax.value_and_grad(f, argnums=(0, 1, 2)))(*arguments) for f in (on_edges, on_arrays)]
    (value, gradients), (wanted, wanted_gradients) = pairs
    np.testing.assert_allclose(value, wanted, rtol=1e-12)
    for got, right in zip(gradients, wanted_gradients, strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-9, atol=1e-12)


def test_derivatives_match_differences(check_gradients):
    gain, power, share, ue, bs = network(4, 4, 3)
    ue, bs = on_device(ue, bs)

    snr = jnp.asarray(gain[ue, bs])

    def rates(share, power):
        return relaxed_edge_rates(share, snr, power * edge_activity(share, bs, 3), ue, bs, 4, 1.0)

    check_gradients(rates, 0.2 + 0.5 * share[ue, bs], power + 0.1, rtol=1e-5)
