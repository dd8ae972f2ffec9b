"""Shape checks at trace time, with messages that say what to do."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import ArrayLike

__all__ = ["check_network", "check_same_shape"]

_BATCH = "use jax.vmap for a batch"


def check_network(gain: ArrayLike, power: ArrayLike, noise: ArrayLike, *, square: bool) -> None:
    """Raise unless the arrays describe one network.

    Args:
        gain: wanted as [rx, tx], or as [link, link] where `square`.
        power: wanted as [tx].
        noise: wanted as a scalar or [rx].
        square: whether there must be as many receivers as transmitters.

    Raises:
        ValueError: a shape is wrong; the message gives the shape got, the shape wanted and the fix.
    """
    shape = jnp.shape(gain)
    axes = "[link, link]" if square else "[rx, tx]"
    if len(shape) != 2:
        raise ValueError(f"gain has shape {shape}, wanted {axes} of one network: {_BATCH}")
    rx, tx = shape
    if square and rx != tx:
        raise ValueError(
            f"gain has shape {shape}, wanted {axes}, link i going from transmitter i to receiver i: "
            "use all_pairs_sinr where receivers and transmitters differ in number"
        )
    if jnp.shape(power) != (tx,):
        raise ValueError(
            f"power has shape {jnp.shape(power)}, wanted ({tx},), one power per transmitter "
            f"(last axis of the gain {axes} of shape {shape}): {_BATCH}"
        )
    if jnp.shape(noise) not in ((), (rx,)):
        raise ValueError(
            f"noise has shape {jnp.shape(noise)}, wanted () or ({rx},), one noise power per receiver "
            f"(first axis of the gain {axes} of shape {shape}): {_BATCH}"
        )


def check_same_shape(name: str, value: ArrayLike, other_name: str, other: ArrayLike) -> None:
    """Raise unless two arrays have the same shape.

    Args:
        name: what to call `value` in the message.
        value: the array to check.
        other_name: what to call `other` in the message.
        other: the array whose shape is wanted.

    Raises:
        ValueError: the shapes differ; the message gives both and the fix.
    """
    got, want = jnp.shape(value), jnp.shape(other)
    if got != want:
        raise ValueError(
            f"{name} has shape {got}, wanted {want}, the shape of {other_name}: "
            f"use jnp.broadcast_to to repeat it along an axis, or {_BATCH}"
        )
