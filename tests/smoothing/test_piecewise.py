import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.smoothing import adaptive_piecewise_max_sharpness, piecewise_max, smooth_piecewise_max

from ..compiling import quick_jit

VARIANTS = ("published", "capped", "safe")
ROWS = {
    "zeros": [0.0, 0.0, 0.0, 0.0],
    "all equal": [0.3, 0.3, 0.3, 0.3],
    "tie at the top": [0.2, 0.2, 0.0, 0.0],
    "one left": [0.3, 0.0, 0.0, 0.0],
    "near tie": [1.0, np.nextafter(np.float32(1), np.float32(0)), 0.1, 0.0],
    "near ties below": [1e-9, 1.1e-9, 1.1000001e-9, 1.0],
    "tiny": [1e-38, 2e-38, 3e-38, 1e-30],
    "large": [1e3, 999.99994, 1e-9, 0.0],
}


def pairs_value(power, sharpness):
    """Eq. (18) of Yin et al. (2025) for one row, in float64."""
    out = []
    for i, own in enumerate(power):
        out.append(own / sum(np.exp(sharpness[i][j] * (other - own)) for j, other in enumerate(power)))
    return np.asarray(out)


def l1_norms(power, sharpness):
    """Eq. (20): the sum of the absolute derivatives of every entry."""
    norms = []
    for i, own in enumerate(power):
        grown = [np.exp(sharpness[i][j] * (other - own)) for j, other in enumerate(power)]
        second = sum(sharpness[i][j] * grown[j] for j in range(len(power)) if j != i)
        norms.append(1 / sum(grown) + 2 * own * second / sum(grown) ** 2)
    return np.asarray(norms)


def published_sharpness(power, gradient, cap):
    """Eq. (22), pair by pair."""
    beta = np.zeros((len(power), len(power)))
    for i, own in enumerate(power):
        larger = sum(other > own for other in power)
        for j, other in enumerate(power):
            if other < own:
                beta[i, j] = cap
            elif other > own:
                beta[i, j] = max(0, np.log((1 / gradient - 1) / larger)) / (other - own)
    return beta


def everything(power, gradient, variant):
    """Value, Jacobian in forward and in reverse mode, and sharpness."""

    def smooth(p):
        return smooth_piecewise_max(p, gradient=gradient, variant=variant)

    sharpness = adaptive_piecewise_max_sharpness(power, gradient, variant=variant)
    return smooth(power), jax.jacfwd(smooth)(power), jax.jacrev(smooth)(power), sharpness


EVERYTHING = {
    variant: quick_jit(jax.vmap(lambda p, d, variant=variant: everything(p, d, variant), in_axes=(0, None)))
    for variant in VARIANTS
}
PAIRS_JACOBIAN = quick_jit(jax.vmap(jax.jacrev(smooth_piecewise_max)))


def random_rows(count=40, entries=8, seed=0):
    return np.abs(np.random.default_rng(seed).normal(size=(count, entries))) * 0.1


@pytest.mark.parametrize(
    ("power", "wanted"),
    [
        ([0.1, 0.3, 0.2], [0, 0.3, 0]),
        ([0.3, 0.3, 0.2], [0.3, 0, 0]),
        ([0.1, 0.3, 0.3], [0, 0.3, 0]),
        ([0.0, 0.0, 0.0], [0, 0, 0]),
        ([0.7], [0.7]),
    ],
    ids=["plain", "tie", "tie of two", "zeros", "one entry"],
)
def test_hard(power, wanted):
    power = jnp.asarray(power, jnp.float32)
    np.testing.assert_array_equal(piecewise_max(power), jnp.asarray(wanted, jnp.float32))
    first = np.arange(power.size) == int(np.argmax(power))
    np.testing.assert_array_equal(jax.grad(lambda p: jnp.sum(piecewise_max(p)))(power), first)


def test_hard_leaves_at_most_one_entry():
    power = np.random.default_rng(0).integers(0, 3, size=(50, 4, 5)).astype(np.float32)
    got = np.asarray(quick_jit(piecewise_max)(power))
    assert np.all((got > 0).sum(-1) == (power.max(-1) > 0))
    np.testing.assert_array_equal(got.max(-1), power.max(-1))


@pytest.mark.parametrize("gradient", [0.005, 0.1, 0.3])
def test_published_sharpness(x64, gradient):
    rows = random_rows()
    value, _, _, sharpness = EVERYTHING["published"](rows, gradient)
    for row, got, beta in zip(rows, value, sharpness, strict=True):
        wanted = published_sharpness(row, gradient, 2000.0)
        np.testing.assert_allclose(beta, wanted, rtol=1e-9)
        np.testing.assert_allclose(got, pairs_value(row, wanted), rtol=1e-6)


@pytest.mark.parametrize("gradient", [0.005, 0.1, 0.3, 0.9, 2.0])
def test_weight_is_the_gradient_asked_for(x64, gradient):
    """Yin et al. (2025), Appendix C: min(delta, 1 / (1 + M)), and 1 for the largest entry."""
    # The entries are far apart, so that the smaller ones do not count.
    rows = np.random.default_rng(0).permuted(np.tile(np.linspace(0.1, 0.9, 5), (6, 1)), axis=1)
    larger = (rows[:, None, :] > rows[:, :, None]).sum(-1)
    for variant in ("published", "capped"):
        value = EVERYTHING[variant](rows, gradient)[0]
        wanted = np.where(larger == 0, 1, np.minimum(gradient, 1 / (1 + larger)))
        np.testing.assert_allclose(value / rows, wanted, rtol=1e-9)


def test_the_cap_bounds_the_sharpness(x64):
    rows = random_rows()
    published, capped = (np.asarray(EVERYTHING[variant](rows, 0.01)[3]) for variant in ("published", "capped"))
    np.testing.assert_allclose(capped, np.minimum(published, 2000), rtol=1e-12)
    assert published.max() > 1e4
    lower = adaptive_piecewise_max_sharpness(jnp.asarray(rows), 0.01, cap=50.0)
    np.testing.assert_allclose(lower, np.minimum(published, 50), rtol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_jacobian_has_the_norms_of_eq_20(x64, variant):
    rows = random_rows()
    value, jacobian, reverse, sharpness = EVERYTHING[variant](rows, 0.05)
    np.testing.assert_allclose(reverse, jacobian, rtol=1e-9, atol=1e-12)
    norms = np.stack([l1_norms(row, beta) for row, beta in zip(rows, np.asarray(sharpness), strict=True)])
    np.testing.assert_allclose(np.abs(jacobian).sum(-1), norms, rtol=1e-6)
    np.testing.assert_allclose(value, [pairs_value(*x) for x in zip(rows, np.asarray(sharpness), strict=True)], 1e-9)


@pytest.mark.parametrize("gradient", [1e-4, 0.01, 0.1, 0.3])
def test_safe_keeps_the_promise_with_both_terms(gradient):
    rows = random_rows(400).astype(np.float32)
    larger = (rows[:, None, :] > rows[:, :, None]).sum(-1)
    value, jacobian, _, _ = EVERYTHING["safe"](rows, gradient)
    norms = np.abs(np.asarray(jacobian, float)).sum(-1)
    # Where delta is above what no sharpness gives, there may be none that gives more.
    reachable = (larger > 0) & (gradient < 1 / (1 + larger))
    np.testing.assert_allclose(norms[reachable], gradient, rtol=1e-3)
    assert np.all(norms[larger > 0] <= max(gradient, 0.5) * 1.001)
    assert np.all((norms[larger == 0] > 0.99) & (norms[larger == 0] < 4.5))
    hard = np.asarray(piecewise_max(jnp.asarray(rows)))
    capped = EVERYTHING["capped"](rows, gradient)
    assert np.abs(value - hard).mean() < 0.25 * np.abs(capped[0] - hard).mean()
    assert np.abs(np.asarray(capped[1])).sum(-1).max() > 50


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("gradient", [1e-30, 1e-4, 0.1, 1.0, 3.0])
def test_finite_at_the_edges(variant, gradient):
    rows = np.asarray(list(ROWS.values()), np.float32)
    for result in EVERYTHING[variant](rows, gradient):
        assert np.all(np.isfinite(result))
    value = np.asarray(EVERYTHING[variant](rows, gradient)[0])
    np.testing.assert_array_equal(value[0], np.zeros(4))
    np.testing.assert_allclose(value[1], np.full(4, 0.3 / 4), rtol=1e-6)
    assert np.all((value >= 0) & (value <= rows))


@pytest.mark.parametrize("variant", VARIANTS)
def test_finite_over_the_range_of_float32(variant):
    rng = np.random.default_rng(0)
    rows = 10 ** rng.uniform(-9, 3, (500, 4)) * (rng.random((500, 4)) > 0.2)
    near = rows[:, :1] * (1 + rng.choice([0, 1e-7, -1e-7, 1e-6, 1e-3], (500, 4)))
    rows = np.where(rng.random((500, 4)) < 0.3, near, rows).astype(np.float32)
    for gradient in (1e-9, 1e-4, 0.3):
        value, jacobian, reverse, sharpness = map(np.asarray, EVERYTHING[variant](rows, gradient))
        assert all(np.all(np.isfinite(x)) for x in (value, jacobian, reverse, sharpness))
        assert np.all((value >= 0) & (value <= rows))
        np.testing.assert_allclose(reverse, jacobian, rtol=1e-5, atol=1e-6 * np.abs(jacobian).max())


def test_sharpness_of_each_pair_matches_finite_differences(check_gradients):
    row = random_rows(1, 4)[0]
    beta = np.random.default_rng(1).uniform(0, 30, size=(4, 4))
    np.testing.assert_allclose(smooth_piecewise_max(jnp.asarray(row), beta), pairs_value(row, beta), rtol=1e-9)
    check_gradients(lambda p: smooth_piecewise_max(p, beta), row)


@pytest.mark.parametrize("variant", VARIANTS)
def test_adaptive_gradients_are_those_of_the_frozen_sharpness(x64, variant):
    rows = random_rows(5, 4)
    _, jacobian, _, sharpness = EVERYTHING[variant](rows, 0.05)
    np.testing.assert_allclose(PAIRS_JACOBIAN(rows, sharpness), jacobian, rtol=1e-9, atol=1e-12)


def test_sharpness_passes_no_gradients():
    row = jnp.asarray([0.1, 0.2, 0.4])
    for variant in VARIANTS:
        through = jax.grad(lambda p, v=variant: jnp.sum(adaptive_piecewise_max_sharpness(p, 0.1, variant=v)))
        np.testing.assert_array_equal(quick_jit(through)(row), np.zeros(3))
    for constant in ("sharpness", "gradient"):
        by_constant = jax.grad(lambda x, name=constant: jnp.sum(smooth_piecewise_max(row, **{name: x})))
        assert quick_jit(by_constant)(0.1) == 0.0


def test_one_sharpness_is_a_softmax(check_gradients):
    row, beta = random_rows(1, 5)[0], 20.0
    weight = np.exp(beta * row) / np.exp(beta * row).sum()
    np.testing.assert_allclose(smooth_piecewise_max(jnp.asarray(row), beta), row * weight, rtol=1e-9)
    same = smooth_piecewise_max(jnp.asarray(row), jnp.full((5, 5), beta))
    np.testing.assert_allclose(same, row * weight, rtol=1e-9)
    check_gradients(lambda p: smooth_piecewise_max(p, beta), row)


@pytest.mark.parametrize("sharpness", [0.0, 1.0, 2000.0, 1e9])
def test_given_sharpness_is_finite_at_the_edges(sharpness):
    rows = np.asarray(list(ROWS.values()), np.float32)
    for beta in (jnp.full(8, sharpness), jnp.full((8, 4, 4), sharpness)):
        value = quick_jit(jax.vmap(smooth_piecewise_max))(rows, beta)
        assert np.all((value >= 0) & (value <= rows))
        assert np.all(np.isfinite(PAIRS_JACOBIAN(rows, beta)))


def test_leading_axes_and_vmap_equal_a_loop():
    rows = random_rows(6, 4).astype(np.float32)
    gradient = np.linspace(0.01, 0.3, 6, dtype=np.float32)
    for variant in VARIANTS:

        def smooth(p, d, variant=variant):
            return smooth_piecewise_max(p, gradient=d, variant=variant)

        compiled = quick_jit(smooth)
        loop = np.stack([compiled(row, d) for row, d in zip(rows, gradient, strict=True)])
        np.testing.assert_allclose(quick_jit(jax.vmap(smooth))(rows, gradient), loop, rtol=1e-5)
        reshaped = compiled(rows.reshape(2, 3, 4), gradient.reshape(2, 3, 1))
        np.testing.assert_allclose(reshaped.reshape(6, 4), loop, rtol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_large_batch_jit_equals_eager(variant):
    rng = np.random.default_rng(0)
    gain = jnp.asarray(rng.uniform(size=(32_769, 3, 3)), jnp.float32)
    power = jnp.asarray(rng.uniform(size=(32_769, 3)), jnp.float32)
    # A low cap: what jit rounds differently is magnified by the sharpness.
    batched = jax.vmap(lambda g, p: smooth_piecewise_max(g @ p, gradient=0.1, cap=10.0, variant=variant))
    np.testing.assert_allclose(jax.jit(batched)(gain, power), batched(gain, power), rtol=1e-3, atol=1e-5)


def test_large_batch_hard_jit_equals_eager():
    rng = np.random.default_rng(0)
    gain = jnp.asarray(rng.integers(0, 5, size=(32_769, 3, 3)), jnp.float32)
    power = jnp.asarray(rng.integers(0, 5, size=(32_769, 3)), jnp.float32)
    batched = jax.vmap(lambda g, p: piecewise_max(g @ p))
    np.testing.assert_array_equal(jax.jit(batched)(gain, power), batched(gain, power))


def test_gradient_descent_through_it_changes_the_winner():
    """An entry that loses gets a gradient as well: the hard function would keep the first winner for ever."""
    worth = np.asarray([1.0, 3.0, 2.0], np.float32)
    step = quick_jit(jax.grad(lambda p: worth @ smooth_piecewise_max(p, gradient=0.1, cap=20.0)))
    power = jnp.asarray([0.5, 0.3, 0.2])
    for _ in range(200):
        power = jnp.clip(power + 0.01 * step(power), 0, None)
        power = power / jnp.sum(power)
    assert int(jnp.argmax(piecewise_max(power))) == 1


def test_errors_say_what_to_do(unchecked):
    power = jnp.ones((2, 3))
    with pytest.raises(ValueError, match=r"neither of sharpness and gradient given, wanted exactly one"):
        smooth_piecewise_max(power)
    with pytest.raises(ValueError, match=r"both of sharpness and gradient given"):
        smooth_piecewise_max(power, 1.0, gradient=0.1)
    with pytest.raises(ValueError, match=r"sharpness has shape \(2,\), wanted \(\) or \(2, 3, 3\).*jax\.vmap"):
        smooth_piecewise_max(power, jnp.ones(2))
    with pytest.raises(ValueError, match=r"gradient has shape \(2,\), wanted one that broadcasts to \(2, 3\)"):
        smooth_piecewise_max(power, gradient=jnp.ones(2))
    with pytest.raises(ValueError, match=r"variant is 'fast', wanted one of 'capped', 'published', 'safe'"):
        smooth_piecewise_max(power, gradient=0.1, variant="fast")
    with pytest.raises(ValueError, match=r"cap has shape \(3,\), wanted \(\): use jax\.vmap"):
        adaptive_piecewise_max_sharpness(power, 0.1, cap=jnp.ones(3))
    for shape in ((), (2, 0)):
        with pytest.raises(ValueError, match=r"power has shape .* wanted .* at least one entry"):
            piecewise_max(jnp.ones(shape))
    with pytest.raises(ValueError, match=r"power has shape \(\), wanted"):
        adaptive_piecewise_max_sharpness(jnp.asarray(1.0), 0.1)
