"""The one way in which the smoothers of this package get their derivatives.

Plain autodiff through a sharp surrogate is right on paper and wrong in float32: ``1 - tanh(z)^2`` has no
digit left beyond z = 8, ``exp`` of a large argument turns into inf * 0. Here the derivative is a closed form
instead, written beside the value. To add a smoother:

1. Write the value as a private function ``_name(x, *constants)`` of arrays: x is what gradients go to, the
   constants (sharpness, temperature, a hard decision) are what they never go to. Static choices (an axis, a
   mode) belong to the public function, which moves axes and checks shapes before it calls the private one.
2. Write ``_name_tangent(x_dot, value, x, *constants)``: the directional derivative, *linear in x_dot* (JAX
   transposes it for reverse mode), finite for every finite x_dot. `value` is the output already computed:
   use it where the closed form is shorter in it.
3. Make both safe at zero and at infinity: no division by something that can be 0, ``where`` around what
   must not be evaluated, and never ``0 * inf``. Group what multiplies x_dot into one finite factor first:
   the transpose multiplies in the opposite order.
4. Decorate: ``@closed_form_jvp(_name_tangent)``.
5. Test the derivative against finite differences in float64 with the constants frozen, and for finiteness in
   float32 at the edges (0, ties, the extreme constants).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
from jaxtyping import Array

__all__ = ["closed_form_jvp"]


def closed_form_jvp(tangent: Callable[..., Array]) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Decorate ``value(x, *constants)`` so that its derivative is ``tangent(x_dot, value, x, *constants)``.

    Args:
        tangent: the directional derivative along `x_dot`, linear in it, of the shape and dtype of the value.

    Returns:
        A decorator. The decorated function has that derivative with respect to x, in forward and in reverse
        mode and to any order, and a zero derivative with respect to every constant, also where the constants
        are traced or computed from x.
    """

    def decorate(value: Callable[..., Array]) -> Callable[..., Array]:
        smooth = jax.custom_jvp(value)

        def rule(primals: tuple, tangents: tuple) -> tuple:
            x, *constants = primals
            constants = jax.lax.stop_gradient(constants)
            # Through `smooth`, not `value`: so the second derivative is a closed form as well.
            out = smooth(x, *constants)
            return out, tangent(tangents[0], out, x, *constants)

        smooth.defjvp(rule)
        return functools.wraps(value)(smooth)

    return decorate
