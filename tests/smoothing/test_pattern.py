import jax
import jax.numpy as jnp
import numpy as np

from wirelax.smoothing._pattern import closed_form_jvp


def _cubed_tangent(x_dot, value, x, scale):
    return 3 * scale * x**2 * x_dot


@closed_form_jvp(_cubed_tangent)
def cubed(x, scale):
    """A cube."""
    return scale * x**3


def test_derivative_is_the_closed_form_and_constants_have_none():
    np.testing.assert_allclose(jax.grad(cubed)(2.0, 5.0), 60.0)
    np.testing.assert_allclose(jax.jvp(cubed, (2.0, 5.0), (1.0, 1.0))[1], 60.0)
    assert jax.grad(cubed, argnums=1)(2.0, 5.0) == 0.0
    np.testing.assert_allclose(jax.grad(lambda x: cubed(x, x))(2.0), 24.0)


def test_mixed_second_derivative_of_a_constant_is_zero():
    assert jax.grad(jax.grad(cubed), argnums=1)(2.0, 5.0) == 0.0


def test_to_any_order_and_under_every_transform(check_gradients):
    check_gradients(lambda x: cubed(x, 5.0), 2.0)
    assert jax.grad(jax.grad(jax.grad(cubed)))(2.0, 5.0) == 30.0
    batch = jnp.asarray([1.0, 2.0, 3.0])
    got = jax.jit(jax.vmap(jax.grad(cubed), in_axes=(0, None)))(batch, 5.0)
    np.testing.assert_allclose(got, 15 * batch**2)


def test_name_and_docstring_are_kept():
    assert (cubed.__name__, cubed.__doc__) == ("cubed", "A cube.")
