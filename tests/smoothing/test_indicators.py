import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.smoothing import adaptive_indicator_sharpness, indicator, smooth_indicator

from ..compiling import quick_jit


def adaptive(power, gradient):
    return smooth_indicator(power, gradient=gradient)


def value_and_slope(power, gradient):
    """Elementwise, also the sharpness."""
    value, pull = jax.vjp(lambda p: adaptive(p, gradient), power)
    return value, pull(jnp.ones_like(power))[0], adaptive_indicator_sharpness(power, gradient)


ADAPTIVE = quick_jit(value_and_slope)


def steepest():
    """c0 and kappa by bisection of Appendix B of Yin et al. (2025): 1 + e^x + x - x e^x = 0 with x = 2 c0."""
    low, high = 1.0, 2.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if 1 + np.exp(middle) + middle - middle * np.exp(middle) > 0 else (low, middle)
    return low / 2, low / 2 / np.cosh(low / 2) ** 2


C0, KAPPA = steepest()


def reference(slope):
    """The larger root z of z / cosh(z)^2 = slope (power times gradient), by bisection in float64; c0 above kappa."""
    low, high = C0, max(1.0, 4 - 0.5 * np.log(slope))
    for _ in range(200):
        middle = (low + high) / 2
        decay = np.exp(-2 * middle)
        low, high = (middle, high) if 4 * middle * decay / (1 + decay) ** 2 > slope else (low, middle)
    return low if slope < KAPPA else C0


def test_hard():
    power = np.asarray([0.0, -0.0, -1.0, 1e-30, 0.3], np.float32)
    np.testing.assert_array_equal(indicator(jnp.asarray(power)), [0, 0, 0, 1, 1])
    assert indicator(jnp.asarray(power)).dtype == jnp.float32
    np.testing.assert_array_equal(jax.grad(lambda p: jnp.sum(indicator(p)))(jnp.asarray(power)), np.zeros(5))


def test_constants():
    value, slope, sharpness = ADAPTIVE(jnp.ones(1), 100.0)
    np.testing.assert_allclose([C0, KAPPA], [0.7717023, 0.4477432], rtol=1e-6)
    np.testing.assert_allclose(sharpness, C0, 1e-6)
    np.testing.assert_allclose(slope, KAPPA, 1e-6)
    np.testing.assert_allclose(value, np.tanh(C0), 1e-6)


def test_sharpness_is_the_best_one_on_a_grid():
    """Eq. (17) by trying all sharpnesses."""
    grid = np.linspace(1e-3, 400, 400_001)
    for power, gradient in [(0.05, 5.0), (0.02, 20.0), (0.3, 0.1), (0.5, 4.0)]:
        slopes = grid / np.cosh(np.minimum(grid * power, 300)) ** 2
        wanted = grid[slopes >= gradient].max() if slopes.max() >= gradient else grid[slopes.argmax()]
        np.testing.assert_allclose(ADAPTIVE(jnp.full(1, power), gradient)[2], wanted, rtol=2e-3)


def test_float32_against_bisection():
    """Products of power and gradient from 1e-9 to 1e3, also just below the largest slope, where the root is double."""
    slopes = np.concatenate([np.logspace(-9, 3, 400), KAPPA * (1 - np.logspace(-7, -1, 100))]).astype(np.float32)
    root = np.asarray([reference(float(slope)) for slope in slopes])
    value, slope, sharpness = ADAPTIVE(jnp.asarray(slopes), 1.0)
    np.testing.assert_allclose(value, np.tanh(root), rtol=5e-7)
    np.testing.assert_allclose(sharpness, root / slopes.astype(float), rtol=5e-7)
    np.testing.assert_allclose(slope, np.minimum(1, KAPPA / slopes.astype(float)), rtol=5e-7)


@pytest.mark.parametrize("gradient", [1e-6, 0.1, 1.0, 30.0, 300.0, 1e6])
def test_float32_range_of_powers(gradient):
    power = np.concatenate([[0.0, 1e-37, 1e-20], np.logspace(-9, 3, 100)]).astype(np.float32)
    value, slope, sharpness = (np.asarray(x, float) for x in ADAPTIVE(jnp.asarray(power), gradient))
    assert np.all(np.isfinite([value, slope, sharpness]))
    np.testing.assert_allclose(slope[3:], np.minimum(gradient, KAPPA / power[3:].astype(float)), rtol=1e-6)
    assert np.all((value[1:] >= np.tanh(C0) * (1 - 1e-6)) & (value[1:] <= 1))
    assert (value[0], slope[0], sharpness[0]) == (0.0, np.float32(gradient), np.float32(gradient))


def test_slope_is_that_of_tanh_with_the_sharpness_frozen(x64):
    power = jnp.asarray(np.logspace(-6, 1, 60))
    for gradient in (0.1, 3.0, 300.0):
        value, slope, sharpness = ADAPTIVE(power, gradient)
        np.testing.assert_allclose(value, np.tanh(sharpness * power), rtol=1e-10)
        frozen = np.asarray(jax.vmap(jax.grad(lambda p, s: jnp.tanh(s * p)))(power, sharpness))
        # Plain autodiff has lost its digits where tanh is 1, in float64 only for very small powers.
        clear = np.asarray(value) < 1 - 1e-6
        np.testing.assert_allclose(frozen[clear], np.asarray(slope)[clear], rtol=1e-8)
        np.testing.assert_allclose(slope, np.minimum(gradient, KAPPA / np.asarray(power)), rtol=1e-12)


def test_gradient_of_each_entry_and_below_zero():
    power = jnp.asarray([[0.01, 0.5], [-0.2, 0.0]])
    gradient = jnp.asarray([[10.0], [3.0]])
    value, slope, _ = ADAPTIVE(power, gradient)
    np.testing.assert_allclose(slope, [[10.0, KAPPA / 0.5], [3.0, 3.0]], rtol=1e-6)
    np.testing.assert_array_equal(value[1], [0.0, 0.0])


def test_constants_have_no_gradient_and_the_sharpness_passes_none():
    power = jnp.asarray([0.1, 0.4])
    assert np.all(quick_jit(jax.grad(lambda d: jnp.sum(adaptive(power, d))))(5.0) == 0)
    assert np.all(quick_jit(jax.grad(lambda t: jnp.sum(smooth_indicator(power, t))))(5.0) == 0)
    through = quick_jit(jax.grad(lambda p: jnp.sum(jnp.tanh(adaptive_indicator_sharpness(p, 5.0) * p))))(power)
    np.testing.assert_allclose(through, np.minimum(5.0, KAPPA / np.asarray(power)), rtol=1e-4)


def test_fixed_sharpness(check_gradients):
    power = np.asarray([0.0, 0.03, 0.4, -0.1, 2.0])
    np.testing.assert_allclose(smooth_indicator(jnp.asarray(power), 7.0), np.tanh(7.0 * power), rtol=1e-6)
    check_gradients(lambda p: smooth_indicator(p, 7.0), power)


def test_fixed_sharpness_keeps_its_digits_in_float32():
    power = np.logspace(-9, 3, 200).astype(np.float32)
    for sharpness in (1.0, 50.0, 1e4):
        slope = np.asarray(quick_jit(jax.grad(lambda p, s: jnp.sum(smooth_indicator(p, s))))(power, sharpness), float)
        argument = np.float32(sharpness) * power
        decay = np.exp(-2.0 * argument.astype(float))
        wanted = 4 * sharpness * decay / (1 + decay) ** 2
        # The rounding of the argument is in the exponent.
        np.testing.assert_allclose(slope, wanted, rtol=2e-5, atol=1e-36)


def test_second_derivatives_are_finite():
    power = jnp.asarray([0.0, 1e-38, 1e-9, 0.1, 1e3])
    for smooth in (lambda p: adaptive(p, 5.0), lambda p: smooth_indicator(p, 5.0)):
        assert np.all(np.isfinite(quick_jit(jax.vmap(jax.grad(jax.grad(smooth))))(power)))


def test_vmap_equals_loop():
    power = np.random.default_rng(0).uniform(size=(4, 3)).astype(np.float32)
    gradient = np.asarray([0.1, 1.0, 10.0, 100.0], np.float32)
    loop = [ADAPTIVE(p, d) for p, d in zip(power, gradient, strict=True)]
    for got, *wanted in zip(quick_jit(jax.vmap(value_and_slope))(power, gradient), *loop, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_large_batch_jit_equals_eager():
    rng = np.random.default_rng(0)
    gain = jnp.asarray(rng.uniform(size=(32_769, 3, 3)), jnp.float32)
    power = jnp.asarray(rng.uniform(size=(32_769, 3)), jnp.float32)
    batched = jax.vmap(lambda g, p: adaptive(g @ p, 5.0))
    np.testing.assert_allclose(jax.jit(batched)(gain, power), batched(gain, power), 1e-5)


def test_errors_say_what_to_do(unchecked):
    power = jnp.ones((2, 3))
    with pytest.raises(ValueError, match=r"neither of sharpness and gradient given, wanted exactly one"):
        smooth_indicator(power)
    with pytest.raises(ValueError, match=r"both of sharpness and gradient given"):
        smooth_indicator(power, 1.0, gradient=1.0)
    with pytest.raises(ValueError, match=r"gradient has shape \(2,\), wanted .* to \(2, 3\), .* power"):
        smooth_indicator(power, gradient=jnp.ones(2))
    with pytest.raises(ValueError, match=r"sharpness has shape \(2, 2, 3\), wanted"):
        smooth_indicator(power, jnp.ones((2, 2, 3)))
    with pytest.raises(ValueError, match=r"gradient has shape \(4,\), wanted"):
        adaptive_indicator_sharpness(power, jnp.ones(4))
