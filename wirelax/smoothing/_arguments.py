"""Checks of arguments that several smoothers share."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

__all__ = ["as_constant", "check_one_of"]


def as_constant(
    name: str, value: Float[ArrayLike, "..."] | None, variable_name: str, variable: Float[Array, "..."]
) -> Float[Array, "..."]:
    """A constant of a smoother, in the dtype of its variable and in its own shape.

    Raises:
        ValueError: it does not broadcast to the shape of the variable.
    """
    constant = jnp.asarray(value, variable.dtype)
    try:
        fits = jnp.broadcast_shapes(constant.shape, variable.shape) == variable.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{name} has shape {constant.shape}, wanted one that broadcasts to {variable.shape}, the shape of "
            f"{variable_name}: a scalar, or one number an entry with axes of length 1 where they are the same"
        )
    return constant


def check_one_of(first: str, first_value: object, second: str, second_value: object) -> None:
    """Of two arguments exactly one must be given, and not be None.

    Raises:
        ValueError: both or none are given.
    """
    if (first_value is None) == (second_value is None):
        given = "neither" if first_value is None else "both"
        raise ValueError(
            f"{given} of {first} and {second} given, wanted exactly one: a fixed {first}, or the {second} that it "
            "adapts to"
        )
