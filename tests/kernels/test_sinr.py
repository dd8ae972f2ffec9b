import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirelax.kernels import all_pairs_sinr, interference, link_powers, link_sinr, rate

ALL_PAIRS, LINK = jax.jit(all_pairs_sinr), jax.jit(link_sinr)


def sum_rate(gain, power, noise):
    return jnp.sum(rate(link_sinr(gain, power, noise)))


def sum_of_all_rates(gain, power, noise):
    return jnp.sum(rate(all_pairs_sinr(gain, power, noise)))


OBJECTIVES = {
    "link_sinr": jax.jit(jax.value_and_grad(sum_rate, argnums=(0, 1, 2))),
    "all_pairs_sinr": jax.jit(jax.value_and_grad(sum_of_all_rates, argnums=(0, 1, 2))),
}


def reference_all_pairs(gain, power, noise):
    """Double loop over the definition, in NumPy float64."""
    gain, power = np.asarray(gain, np.float64), np.asarray(power, np.float64)
    rx, tx = gain.shape
    noise = np.broadcast_to(np.asarray(noise, np.float64), (rx,))
    out = np.empty((rx, tx))
    for r in range(rx):
        for t in range(tx):
            others = sum(gain[r, j] * power[j] for j in range(tx) if j != t)
            out[r, t] = gain[r, t] * power[t] / (noise[r] + others)
    return out


def network(seed, rx=3, tx=3, spread_db=40.0):
    rng = np.random.default_rng(seed)
    gain = 10 ** (rng.uniform(-spread_db, spread_db, (rx, tx)) / 10)
    power, noise = rng.uniform(0.1, 2.0, tx), rng.uniform(0.5, 2.0, rx)
    return tuple(x.astype(np.float32) for x in (gain, power, noise))


def on_device(*arrays):
    return tuple(jnp.asarray(x) for x in arrays)


@pytest.mark.parametrize(("rx", "tx"), [(1, 1), (3, 3), (6, 3), (2, 9), (20, 33)])
def test_all_pairs_matches_double_loop(rx, tx):
    gain, power, noise = network(rx * 100 + tx, rx, tx)
    for level in (noise, 0.7):
        wanted = reference_all_pairs(gain, power, level)
        np.testing.assert_allclose(ALL_PAIRS(*on_device(gain, power), level), wanted, 3e-6)


@pytest.mark.parametrize("links", [1, 2, 3, 17])
def test_link_matches_double_loop(links):
    instance = network(links, links, links)
    wanted = np.diagonal(reference_all_pairs(*instance))
    np.testing.assert_allclose(LINK(*on_device(*instance)), wanted, 3e-6)
    np.testing.assert_allclose(np.diagonal(ALL_PAIRS(*on_device(*instance))), wanted, 3e-6)


def test_float64_is_right_to_float64(x64):
    instance = [x.astype(np.float64) for x in network(5, 4, 4)]
    got = ALL_PAIRS(*on_device(*instance))
    assert got.dtype == jnp.float64
    np.testing.assert_allclose(got, reference_all_pairs(*instance), 1e-14)


def test_interference_takes_leading_axes_and_excludes_only_its_own():
    received = np.random.default_rng(0).uniform(size=(2, 5, 3, 4)).astype(np.float32)
    np.testing.assert_allclose(jax.jit(interference)(received), received @ (1 - np.eye(4)), 1e-6)
    assert interference(jnp.ones((3, 1))).tolist() == [[0.0]] * 3


@pytest.mark.parametrize("tx", [7, 8, 256, 257])
def test_interference_of_few_many_and_very_many(tx):
    """A product or running sums, whichever is faster; one transmitter is far above the others."""
    received = np.random.default_rng(tx).uniform(size=(2, 3, tx)).astype(np.float32)
    received[..., tx // 2] *= 1e8
    wanted = np.stack([np.delete(received.astype(float), j, -1).sum(-1) for j in range(tx)], -1)
    np.testing.assert_allclose(jax.jit(interference)(received), wanted, 1e-5)


def test_link_powers_are_the_two_parts_of_the_sinr():
    gain, power, noise = network(4)
    own, others = jax.jit(link_powers)(*on_device(gain, power))
    np.testing.assert_allclose(own, np.diagonal(gain) * power, 1e-6)
    np.testing.assert_allclose(others, (gain * (1 - np.eye(3))) @ power, 1e-6)
    np.testing.assert_allclose(
        np.asarray(own) / (noise + np.asarray(others)), LINK(*on_device(gain, power, noise)), 1e-6
    )


@pytest.mark.parametrize("ratio_db", [50, 70, 90])
@pytest.mark.parametrize("links", [2, 3, 8, 33])
def test_float32_holds_under_a_strong_direct_link(ratio_db, links):
    rng = np.random.default_rng(links)
    weak = 10 ** (-ratio_db / 10)
    cross = weak * rng.uniform(0.5, 1.5, (links, links))
    gain = np.where(np.eye(links, dtype=bool), 1.0, cross).astype(np.float32)
    power = rng.uniform(0.5, 1.0, links).astype(np.float32)
    noise = np.float32(1e-3 * weak)
    wanted = reference_all_pairs(gain, power, noise)

    np.testing.assert_allclose(ALL_PAIRS(*on_device(gain, power, noise)), wanted, 1e-5)
    np.testing.assert_allclose(LINK(*on_device(gain, power, noise)), np.diagonal(wanted), 1e-5)

    own = np.diagonal(gain * power)  # What the sum must not be: this test would see it.
    with np.errstate(divide="ignore"):
        total_minus_own = own / (noise + (gain * power).sum(-1) - own)
    assert np.max(np.abs(total_minus_own / np.diagonal(wanted) - 1)) > 1e-4


@pytest.mark.parametrize(("scale", "noise"), [(1e-15, 1.5e-16), (1e-20, 4e-21)], ids=["subchannel", "one hertz"])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_raw_gains_do_not_underflow(name, scale, noise):
    gain = scale * np.asarray([[1.0, 0.3, 0.2], [0.1, 2.0, 0.4], [0.5, 0.1, 0.7]])
    raw = [np.asarray(x, np.float32) for x in (gain, [1e-3, 2e-3, 0.5e-3], noise)]
    value, slopes = OBJECTIVES[name](*on_device(*raw))
    with jax.enable_x64(True):
        exact, exact_slopes = OBJECTIVES[name](*on_device(*(x.astype(np.float64) for x in raw)))
    np.testing.assert_allclose(value, exact, 3e-6)
    for got, wanted in zip(slopes, exact_slopes, strict=True):
        assert bool(np.all(np.isfinite(got)))
        np.testing.assert_allclose(got, wanted, 1e-4)
    np.testing.assert_allclose(LINK(*on_device(*raw)), np.diagonal(reference_all_pairs(*raw)), 3e-6)


@pytest.mark.parametrize("objective", [sum_rate, sum_of_all_rates])
def test_gradients_match_finite_differences(check_gradients, objective):
    check_gradients(objective, *network(11, spread_db=7))


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize(
    "power", [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [12.0, 12.0, 12.0]], ids=["silence", "one", "full"]
)
@pytest.mark.parametrize("reachable", ["all", "some", "none"])
def test_value_and_gradient_are_finite_at_the_edges(name, power, reachable):
    mask = {"all": np.ones((3, 3)), "some": np.eye(3)[[1, 0, 2]], "none": np.zeros((3, 3))}[reachable]
    args = [np.asarray(x, np.float32) for x in (1e-12 * mask, power, 1.5e-16)]
    chex.assert_tree_all_finite(OBJECTIVES[name](*on_device(*args)))


def test_zero_noise_leaves_the_signal_to_interference_ratio():
    gain, power, _ = network(3)
    wanted = np.diagonal(reference_all_pairs(gain, power, 0.0))
    np.testing.assert_allclose(LINK(*on_device(gain, power, np.float32(0))), wanted, 3e-6)
    chex.assert_tree_all_finite(OBJECTIVES["link_sinr"](*on_device(gain, power, np.float32(0))))


def test_relabelling_links_relabels_the_result():
    gain, power, noise = network(7, 5, 5)
    order = np.asarray([3, 0, 4, 1, 2])
    permuted = on_device(gain[order][:, order], power[order], noise[order])
    instance = on_device(gain, power, noise)
    np.testing.assert_allclose(LINK(*permuted), np.asarray(LINK(*instance))[order], 1e-6)
    wanted = np.asarray(ALL_PAIRS(*instance))[order][:, order]
    np.testing.assert_allclose(ALL_PAIRS(*permuted), wanted, 1e-6)


@pytest.mark.parametrize("kernel", [link_sinr, all_pairs_sinr])
def test_vmap_equals_loop(kernel):
    batch = [network(seed) for seed in range(6)]
    stacked = on_device(*(np.stack(column) for column in zip(*batch, strict=True)))
    compiled = jax.jit(kernel)
    loop = np.stack([compiled(*on_device(*instance)) for instance in batch])
    np.testing.assert_allclose(jax.jit(jax.vmap(kernel))(*stacked), loop, 1e-6)


@pytest.mark.parametrize("kernel", [link_sinr, all_pairs_sinr])
def test_compiles_once_for_one_shape(kernel):
    compiled = jax.jit(chex.assert_max_traces(kernel, n=1))
    for seed in range(3):
        compiled(*on_device(*network(seed)))


@given(st.integers(0, 2**16), st.integers(0, 2), st.integers(0, 2), st.floats(1.01, 100.0))
def test_more_power_helps_its_link_and_hurts_the_others(seed, tx, rx, factor):
    gain, power, noise = network(seed, spread_db=10)
    before = LINK(*on_device(gain, power, noise))
    power[tx] *= factor
    after = LINK(*on_device(gain, power, noise))
    assert (float(after[rx]) > float(before[rx])) == (tx == rx)


@given(st.integers(0, 2**16), st.floats(-120.0, 120.0))
def test_only_gain_over_noise_matters(seed, scale_db):
    gain, power, noise = network(seed)
    scale = np.float32(10 ** (scale_db / 10))
    scaled = ALL_PAIRS(*on_device(gain * scale, power, noise * scale))
    np.testing.assert_allclose(scaled, ALL_PAIRS(*on_device(gain, power, noise)), 3e-6)


@given(st.integers(0, 2**16))
def test_sinr_is_below_snr_and_not_negative(seed):
    gain, power, noise = network(seed, 3, 5)
    sinr = np.asarray(ALL_PAIRS(*on_device(gain, power, noise)))
    assert np.all(sinr >= 0)
    assert np.all(sinr <= gain * power / noise[:, None] * (1 + 1e-6))


@pytest.mark.parametrize(
    ("kernel", "gain", "power", "noise", "message"),
    [
        (link_sinr, (32, 3, 3), (3,), (), r"gain has shape \(32, 3, 3\), wanted \[link, link\].*jax\.vmap"),
        (all_pairs_sinr, (32, 6, 3), (3,), (), r"gain has shape \(32, 6, 3\), wanted \[rx, tx\].*jax\.vmap"),
        (all_pairs_sinr, (3,), (3,), (), r"gain has shape \(3,\), wanted \[rx, tx\]"),
        (link_sinr, (6, 3), (3,), (), r"gain has shape \(6, 3\), wanted \[link, link\].*all_pairs_sinr"),
        (all_pairs_sinr, (6, 3), (6,), (), r"power has shape \(6,\), wanted \(3,\)"),
        (all_pairs_sinr, (6, 3), (32, 3), (), r"power has shape \(32, 3\), wanted \(3,\).*jax\.vmap"),
        (all_pairs_sinr, (6, 3), (3,), (3,), r"noise has shape \(3,\), wanted \(\) or \(6,\)"),
        (link_sinr, (3, 3), (3,), (3, 1), r"noise has shape \(3, 1\), wanted \(\) or \(3,\).*jax\.vmap"),
    ],
)
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_wrong_shapes_say_what_to_do(unchecked, kernel, gain, power, noise, message, wrap):
    with pytest.raises(ValueError, match=message):
        wrap(kernel)(*on_device(np.ones(gain), np.ones(power), np.ones(noise)))


def test_numpy_arrays_are_welcome(unchecked):
    instance = [x.astype(np.float64) for x in network(2)]
    np.testing.assert_allclose(all_pairs_sinr(*instance), reference_all_pairs(*instance), 3e-6)
