"""Kernels of user association: against loops over the equations, exactness at binary shares, edges, derivatives."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.kernels import (
    activity,
    all_pairs_sinr,
    associated_rates,
    associated_sinr,
    association_load,
    association_mask,
    jain_index,
    relaxed_association_rates,
)

from ..compiling import quick_jit

SINR, RATES, RELAXED = (quick_jit(f) for f in (associated_sinr, associated_rates, relaxed_association_rates))
PAIRS = quick_jit(all_pairs_sinr)
JAIN, ACTIVITY = quick_jit(jain_index), quick_jit(activity)
SHAPES = [(1, 1), (1, 4), (6, 1), (7, 4), (3, 9)]


def network(seed, ues, bss, spread_db=60.0):
    """Gains over the noise from below it to 70 dB above, some of them 0, powers down to 0, and who serves whom."""
    rng = np.random.default_rng([seed, ues, bss])
    gain = 10 ** (rng.uniform(-10, spread_db + 10, (ues, bss)) / 10) * (rng.uniform(size=(ues, bss)) < 0.8)
    power = rng.uniform(size=bss) * (rng.uniform(size=bss) < 0.8)
    return gain, power, rng.integers(-1, bss, ues).astype(np.int32), rng.uniform(0.5, 2.0)


def soft(seed, ues, bss):
    """Shares that sum to 1 over the BSs, some of them 0."""
    rng = np.random.default_rng([seed, ues, bss, 1])
    share = rng.exponential(size=(ues, bss)) ** 3 * (rng.uniform(size=(ues, bss)) < 0.8) + 1e-9
    return share / share.sum(1, keepdims=True)


def loop_efficiency(gain, power, noise):
    """log2(1 + SINR) of all links, [ue][bs]: Zhang et al. (HBGNN), eq. (1), less the serving BS's own term."""
    ues, bss = gain.shape
    out = np.zeros((ues, bss))
    for i, j in itertools.product(range(ues), range(bss)):
        others = sum(gain[i, k] * power[k] for k in range(bss) if k != j)
        out[i, j] = np.log1p(gain[i, j] * power[j] / (noise + others)) / np.log(2)
    return out


def loop_rates(gain, power, association, noise):
    efficiency, out = loop_efficiency(gain, power, noise), []
    for ue, bs in enumerate(association):
        served = sum(1 for other in association if other == bs)
        out.append(efficiency[ue, bs] / served if bs >= 0 else 0.0)
    return np.array(out)


def loop_relaxed(share, gain, power, noise):
    efficiency, out = loop_efficiency(gain, power, noise), []
    for i in range(len(share)):
        total = 0.0
        for j in range(share.shape[1]):
            others = sum(share[k, j] for k in range(len(share)) if k != i)
            total += share[i, j] * efficiency[i, j] / (1 + others)
        out.append(total)
    return np.array(out)


def one_hot(association, bss):
    return np.array([[float(bs == j) for j in range(bss)] for bs in association])


@pytest.mark.parametrize(("ues", "bss"), SHAPES)
def test_rates_equal_loops_over_the_equations(ues, bss, x64):
    for seed in range(6):
        gain, power, association, noise = network(seed, ues, bss)
        wanted = loop_rates(gain, power, association, noise)
        np.testing.assert_allclose(RATES(gain, power, association, noise), wanted, rtol=1e-12)
        alone = [loop_efficiency(gain, power, noise)[i, j] if j >= 0 else 0.0 for i, j in enumerate(association)]
        np.testing.assert_allclose(np.log1p(SINR(gain, power, association, noise)) / np.log(2), alone, rtol=1e-12)
        share = soft(seed, ues, bss)
        np.testing.assert_allclose(
            RELAXED(share, gain, power, noise), loop_relaxed(share, gain, power, noise), rtol=1e-12
        )


@pytest.mark.parametrize(("ues", "bss"), SHAPES)
def test_masks_loads_and_activity_equal_loops(ues, bss, x64):
    association, share = jnp.asarray(network(0, ues, bss)[2]), soft(0, ues, bss)
    mask = association_mask(association, bss)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, one_hot(association, bss) > 0)
    loads = [sum(1 for bs in association if bs == j) for j in range(bss)]
    np.testing.assert_array_equal(association_load(association, bss), loads)
    np.testing.assert_array_equal(ACTIVITY(one_hot(association, bss)), np.minimum(loads, 1))  # exactly
    wanted = []
    for j in range(bss):
        nobody = 1.0
        for i in range(ues):
            nobody *= 1 - share[i, j]
        wanted.append(1 - nobody)
    np.testing.assert_allclose(ACTIVITY(share), wanted, rtol=1e-12, atol=1e-15)


def test_by_hand():
    """Two BSs, SNRs of 12 and 3 of the first UE: 12 / (1 + 3) = 3 gives 2 bit, and two UEs share them."""
    gain = jnp.array([[12.0, 3.0], [24.0, 7.0], [0.0, 7.0]])
    np.testing.assert_allclose(RATES(gain, jnp.ones(2), jnp.array([0, 0, 1]), 1.0), [1.0, 1.0, 3.0], rtol=1e-6)
    np.testing.assert_allclose(RATES(gain, jnp.ones(2), jnp.array([0, -1, 0]), 1.0), [1.0, 0.0, 0.0], rtol=1e-6)
    # Nobody at the second BS, which interferes all the same: silence is up to its power.
    np.testing.assert_allclose(RATES(gain, jnp.array([1.0, 0.0]), jnp.array([0, -1, -1]), 1.0)[0], np.log2(13))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_binary_shares_give_the_very_rates_of_the_association(dtype, x64):
    """To the last digits, those of a sum in another order."""
    tolerance = 4 * np.finfo(dtype).eps
    for seed, (ues, bss) in itertools.product(range(4), SHAPES):
        gain, power, association, noise = network(seed, ues, bss)
        gain, power, noise = gain.astype(dtype), power.astype(dtype), dtype(noise)
        relaxed = RELAXED(one_hot(association, bss).astype(dtype), gain, power, noise)
        assert relaxed.dtype == dtype
        np.testing.assert_allclose(
            relaxed, RATES(gain, power, association, noise), rtol=(bss + 2) * tolerance, atol=tolerance
        )


def test_relaxed_value_is_at_most_the_mean_over_roundings(x64):
    """Exactly, over all 81 associations; dividing by the load instead is not."""
    above = 0
    for seed in range(12):
        gain, power, _, noise = network(seed, 4, 3)
        share, mean = soft(seed, 4, 3), 0.0
        for association in itertools.product(range(3), repeat=4):
            chance = np.prod([share[i, j] for i, j in enumerate(association)])
            mean += chance * loop_rates(gain, power, association, noise).sum()
        assert float(RELAXED(share, gain, power, noise).sum()) <= mean + 1e-12
        by_load = share * loop_efficiency(gain, power, noise) / share.sum(0)
        above += by_load.sum() > mean * (1 + 1e-6)
    assert above >= 6


@pytest.mark.parametrize("seed", range(3))
def test_relaxed_value_is_at_most_the_mean_over_random_roundings(seed, x64):
    """2,000 of them; 12 UEs and 15 BSs, of which many stay empty."""
    ues, bss, draws = 12, 15, 2000
    gain, _, _, noise = network(seed, ues, bss)
    power, share = np.ones(bss), soft(seed, ues, bss)
    efficiency = loop_efficiency(gain, power, noise)
    numbers = np.random.default_rng(seed).uniform(size=(draws, ues, 1))
    drawn = (numbers > share.cumsum(1)[:, :-1]).sum(-1)
    sums = np.zeros(draws)
    for which, association in enumerate(drawn):
        load = np.bincount(association, minlength=bss)
        sums[which] = (efficiency[np.arange(ues), association] / load[association]).sum()
    relaxed = float(RELAXED(share, gain, power, noise).sum())
    error = sums.std() / np.sqrt(draws)
    assert relaxed <= sums.mean() + 4 * error
    assert (share * efficiency / share.sum(0)).sum() > sums.mean() + 4 * error  # so this is not for nothing
    assert relaxed > 0.3 * sums.mean()


def test_one_macro_70_db_above_all_else_in_single_precision():
    """Within 1e-4 bit/s/Hz of loops in double precision, where total minus own is far off."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        gain = 10 ** (rng.uniform(-1, 1, (20, 12)))
        gain[:, 0] *= 10**7
        gain = gain.astype(np.float32)
        association = rng.integers(0, 12, 20).astype(np.int32)
        association[:10] = 0
        power = np.ones(12, np.float32)
        wanted = loop_rates(gain.astype(float), power.astype(float), association, 1.0)
        np.testing.assert_allclose(RATES(gain, power, association, 1.0), wanted, atol=1e-4, rtol=0)
        share = one_hot(association, 12).astype(np.float32)
        np.testing.assert_allclose(RELAXED(share, gain, power, 1.0), wanted, atol=1e-4, rtol=0)
        own = gain[:, 0]
        subtracted = np.log2(1 + own / (1 + (gain.sum(1, dtype=np.float32) - own)))
        exact = loop_efficiency(gain.astype(float), power.astype(float), 1.0)[:, 0]
        assert np.abs(subtracted - exact).max() > 1e-3


def test_units_cancel(x64):
    """Gains of 1e-13, powers in W and noise in W are the same as gains over the noise, also in single precision."""
    gain, power, association, _ = network(3, 7, 4)
    share, noise = soft(3, 7, 4), 6.3e-13
    watts = 100 * power
    wanted = RATES(gain, power, association, 1.0), RELAXED(share, gain, power, 1.0)
    found = RATES(gain * noise / 100, watts, association, noise), RELAXED(share, gain * noise / 100, watts, noise)
    chex.assert_trees_all_close(found, wanted, rtol=1e-12)
    small, float32 = np.float32(1e-16), np.float32
    found = RATES((gain / 1e16).astype(float32), power.astype(float32), association, small)
    np.testing.assert_allclose(found, wanted[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("ues, bss", [(7, 4), (3, 9)])  # noqa: PT006
def test_order_of_ues_and_bss_does_not_matter(ues, bss, x64):
    gain, power, association, noise = network(1, ues, bss)
    share, rng = soft(1, ues, bss), np.random.default_rng(5)
    of_ues, of_bss = rng.permutation(ues), rng.permutation(bss)
    moved = np.where(association < 0, -1, np.argsort(of_bss)[association])[of_ues].astype(np.int32)
    shuffled = gain[of_ues][:, of_bss], power[of_bss]
    wanted = RATES(gain, power, association, noise)[of_ues]
    np.testing.assert_allclose(RATES(*shuffled, moved, noise), wanted, rtol=1e-12)
    wanted = RELAXED(share, gain, power, noise)[of_ues]
    np.testing.assert_allclose(RELAXED(share[of_ues][:, of_bss], *shuffled, noise), wanted, rtol=1e-12)
    np.testing.assert_allclose(ACTIVITY(share[of_ues][:, of_bss]), ACTIVITY(share)[of_bss], rtol=1e-12)


def everything(gain, power, association, noise, share):
    rates = associated_rates(gain, power, association, noise)
    relaxed = relaxed_association_rates(share, gain, power, noise)
    return (
        associated_sinr(gain, power, association, noise),
        rates,
        relaxed,
        activity(share),
        jain_index(rates),
        association_mask(association, 4),
        association_load(association, 4),
    )


def test_compiled_and_batched_equal_eager(x64):
    instances = [(*network(seed, 7, 4), soft(seed, 7, 4)) for seed in range(5)]
    stacked = [np.stack(arrays) for arrays in zip(*instances)]
    batch = quick_jit(jax.vmap(everything))(*stacked)
    for which, instance in enumerate(instances):
        one = jax.tree.map(lambda x, which=which: x[which], batch)
        chex.assert_trees_all_close(one, everything(*map(jnp.asarray, instance)), rtol=1e-12, atol=1e-14)


def test_derivatives_equal_differences(check_gradients):
    """By gain, power, noise and shares, all of them away from the edges."""
    rng = np.random.default_rng(2)
    gain, power = rng.uniform(0.5, 20.0, (4, 3)), rng.uniform(0.2, 1.0, 3)
    association, share = jnp.array([0, 2, 0, -1]), soft(2, 4, 3) * 0.8 + 0.05

    def of_all(gain, power, noise, share):
        rates = associated_rates(gain, power, association, noise)
        relaxed = relaxed_association_rates(share, gain, power * activity(share), noise)
        return jnp.concatenate([rates, relaxed, jain_index(rates)[None], activity(share)])

    check_gradients(of_all, gain, power, 0.7, share, rtol=2e-5)


EDGES = {
    "no power": (jnp.full((3, 2), 5.0), jnp.zeros(2)),
    "no gain": (jnp.zeros((3, 2)), jnp.ones(2)),
    "one UE and one BS out of reach": (jnp.array([[0.0, 0.0], [3.0, 0.0], [9.0, 0.0]]), jnp.ones(2)),
    "ties": (jnp.full((3, 2), 5.0), jnp.ones(2)),
    "an SNR of 120 dB beside one of -60": (jnp.array([[1e12, 1e-6], [1e-6, 1e12], [1e12, 1e12]]), jnp.ones(2)),
}


@quick_jit
def values_and_slopes(*args):
    def of_all(gain, power, noise, share):
        rates = associated_rates(gain, power, jnp.array([0, 0, -1]), noise)
        relaxed = relaxed_association_rates(share, gain, power * activity(share), noise)
        return rates, relaxed, jain_index(rates), activity(share)

    return of_all(*args), jax.jacrev(of_all, (0, 1, 2, 3))(*args)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_derivatives_at_the_edges_are_finite(edge, share):
    gain, power = EDGES[edge]
    share = jnp.full((3, 2), share)
    chex.assert_tree_all_finite(values_and_slopes(gain, power, 1.0, share))


def test_slopes_at_no_power_and_at_full_shares():
    """At no power a rate grows by gain / ln 2 / load; at two full shares a BS stays active whatever one of them is."""
    gain, association = jnp.array([[5.0, 2.0], [3.0, 4.0]]), jnp.array([0, 0])
    slope = quick_jit(jax.jacrev(associated_rates, 1))(gain, jnp.zeros(2), association, 1.0)
    np.testing.assert_allclose(slope, [[5 / np.log(2) / 2, 0.0], [3 / np.log(2) / 2, 0.0]], rtol=1e-6)
    slope = quick_jit(jax.jacrev(activity))(jnp.array([[1.0, 1.0], [1.0, 0.25]]))
    np.testing.assert_array_equal(slope, [[[0.0, 0], [0, 0]], [[0, 0.75], [0, 0.0]]])


def test_jain_index():
    assert JAIN(jnp.full(5, 3.0)) == pytest.approx(1.0)
    assert JAIN(jnp.array([0.0, 7.0, 0.0, 0.0])) == pytest.approx(0.25)
    assert JAIN(jnp.zeros(4)) == 1.0
    assert JAIN(jnp.full(4, 1e-30)) == pytest.approx(1.0)  # whose squares are no float32
    assert JAIN(jnp.array([2e-30, 0.0])) == pytest.approx(0.5)
    rates = np.random.default_rng(0).exponential(size=9).astype(np.float32)
    total, squares = 0.0, 0.0
    for each in rates.tolist():
        total, squares = total + each, squares + each**2
    assert JAIN(rates) == pytest.approx(total**2 / (9 * squares), rel=1e-5)
    assert JAIN(1e3 * rates) == pytest.approx(float(JAIN(rates)), rel=1e-5)


def test_jain_index_of_no_rates_and_of_ties_has_a_finite_slope():
    slope = quick_jit(jax.grad(jain_index))
    chex.assert_tree_all_finite((slope(jnp.zeros(4)), slope(jnp.ones(4)), slope(jnp.array([0.0, 0.0, 1e-30, 0.0]))))
    np.testing.assert_allclose(slope(jnp.ones(4)), np.zeros(4), atol=1e-6)  # it is at its top
