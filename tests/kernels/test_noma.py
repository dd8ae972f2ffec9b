"""SINR after imperfect SIC against loops, the paper's formulas, and its edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.kernels import ordered_sic_sinr, sic_order, sic_sinr

FORMS = ("receiver", "paper")
SINR = jax.jit(sic_sinr, static_argnums=5)


def reference(gain, power, scheduled, noise, residual, form):
    """Double loop over the users of one subchannel, float64; ties by index."""
    gain, power = np.asarray(gain, float), np.asarray(power, float)
    users = np.flatnonzero(scheduled)
    sinr = np.zeros(len(gain))
    for j in users:
        heard = noise
        for k in users:
            carried = gain[j] if form == "receiver" else gain[k]
            if gain[k] > gain[j] or (gain[k] == gain[j] and k < j):
                heard += power[k] * carried
            elif k != j:
                heard += residual * power[k] * carried
        sinr[j] = power[j] * gain[j] / heard
    return sinr


def draw(seed, batch, users):
    rng = np.random.default_rng(seed)
    gain = rng.exponential(size=(batch, users))
    power, scheduled = rng.uniform(0, 3, (batch, users)), rng.random((batch, users)) < 0.6
    return gain.astype(np.float32), power.astype(np.float32), scheduled


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("users", [1, 2, 3, 10])
def test_equals_the_loop(form, users):
    gain, power, scheduled = draw(users, 40, users)
    found = SINR(gain, power, scheduled, 0.1, 0.05, form)
    wanted = [reference(g, p, s, 0.1, 0.05, form) for g, p, s in zip(gain, power, scheduled, strict=True)]
    np.testing.assert_allclose(found, wanted, rtol=2e-6)


def test_two_users_are_eq_5_and_three_are_eq_6(x64):
    """Yang et al. (2020), eqs. (5) and (6), user 1 strongest: residuals of weaker users, signals of stronger ones."""
    g, p, noise, eps = np.array([3.0, 2.0, 0.5]), np.array([0.3, 1.0, 4.0]), 0.1, 0.05
    everyone = np.ones(3, bool)
    two = SINR(g[:2], p[:2], everyone[:2], noise, eps, "paper")
    np.testing.assert_allclose(
        two, [p[0] * g[0] / (eps * p[1] * g[1] + noise), p[1] * g[1] / (p[0] * g[0] + noise)], rtol=1e-12
    )
    three = SINR(g, p, everyone, noise, eps, "paper")
    wanted = [
        p[0] * g[0] / (eps * (p[1] * g[1] + p[2] * g[2]) + noise),
        p[1] * g[1] / (eps * p[2] * g[2] + p[0] * g[0] + noise),
        p[2] * g[2] / (p[0] * g[0] + p[1] * g[1] + noise),
    ]
    np.testing.assert_allclose(three, wanted, rtol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_permuting_users_permutes_the_sinr(form):
    gain, power, scheduled = draw(5, 1, 8)
    shuffle = np.random.default_rng(0).permutation(8)
    found = SINR(gain[0], power[0], scheduled[0], 0.1, 0.05, form)
    moved = SINR(gain[0][shuffle], power[0][shuffle], scheduled[0][shuffle], 0.1, 0.05, form)
    np.testing.assert_allclose(moved, found[shuffle], rtol=1e-6)


def test_order_is_by_gain_then_index_and_scheduled_first():
    gain = jnp.array([1.0, 2.0, 2.0, 5.0, 0.0])
    scheduled = jnp.array([True, True, True, False, True])
    np.testing.assert_array_equal(sic_order(gain, scheduled), [1, 2, 0, 4, 3])


@pytest.mark.parametrize("form", FORMS)
def test_gradients(form, check_gradients):
    gain, power, scheduled = map(jnp.asarray, draw(7, 1, 5))
    check_gradients(lambda g, p: sic_sinr(g, p, scheduled[0], 0.1, 0.05, form), gain[0], power[0] + 0.1, rtol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_finite_at_ties_zero_power_and_zero_gain(form):
    gain, scheduled = jnp.array([1.0, 1.0, 0.0, 1.0]), jnp.array([True, True, True, False])
    run = jax.jit(jax.value_and_grad(lambda g, p: jnp.log1p(sic_sinr(g, p, scheduled, 0.1, 0.05, form)).sum(), (0, 1)))
    for power in (jnp.zeros(4), jnp.ones(4)):
        for leaf in jax.tree.leaves(run(gain, power)):
            assert np.isfinite(leaf).all()
    tied = SINR(gain, jnp.ones(4), scheduled, 0.1, 0.0, form)
    np.testing.assert_allclose(tied[:2], [1 / 0.1, 1 / 1.1], rtol=1e-6)
    assert tied[3] == 0


def test_jit_equals_eager_on_a_large_batch_of_three_users():
    arguments = (*map(jnp.asarray, draw(9, 32_800, 3)), 0.1, 0.05)
    batched = jax.jit(jax.vmap(sic_sinr, (0, 0, 0, None, None)))
    np.testing.assert_allclose(batched(*arguments), sic_sinr(*arguments), 1e-5)


def test_float32_is_right_at_ninety_db():
    gain, power = jnp.array([1e3, 1e-6]), jnp.array([1.0, 1.0])
    found = SINR(gain, power, jnp.ones(2, bool), 1e-9, 0.05, "paper")
    np.testing.assert_allclose(found, reference(gain, power, [1, 1], 1e-9, 0.05, "paper"), rtol=1e-5)


def test_bad_input(unchecked):
    with pytest.raises(ValueError, match="'receiver' or 'paper'"):
        ordered_sic_sinr(jnp.ones(2), jnp.ones(2), 0.1, 0.05, "own")
    with pytest.raises(ValueError, match="power has shape"):
        sic_sinr(jnp.ones(2), jnp.ones(3), jnp.ones(2, bool), 0.1, 0.05)


@pytest.mark.parametrize("form", ["receiver", "paper"])
def test_pairs_and_sorting_agree(form, monkeypatch):
    from wirelax.kernels import noma

    rng = np.random.default_rng(5)
    gain = jnp.asarray(rng.choice([0.0, 0.5, 1.0, 2.0], (4, 9)) * rng.exponential(size=(4, 9)), jnp.float32)
    power, scheduled = jnp.asarray(rng.uniform(size=(4, 9)), jnp.float32), jnp.asarray(rng.random((4, 9)) < 0.6)
    arguments = (gain, power, scheduled, 0.1, 0.05, form)
    in_pairs = noma.sic_sinr(*arguments)
    monkeypatch.setattr(noma, "PAIRWISE_USERS", 0)
    np.testing.assert_allclose(in_pairs, noma.sic_sinr(*arguments), rtol=2e-6)
