"""Line of sight among box-shaped buildings."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

__all__ = ["line_of_sight"]


def line_of_sight(
    rx_position: Float[Array, "rx 3"],
    tx_position: Float[Array, "tx 3"],
    box_min: Float[Array, "boxes 3"],
    box_max: Float[Array, "boxes 3"],
    transparent: Bool[Array, "tx boxes"] | None = None,
) -> Bool[Array, "rx tx"]:
    """Which segments between receivers and transmitters pass through no box (slab test).

    A box blocks a segment that crosses its open interior. Grazing contacts do not block: a segment along a
    face, through an edge or a corner, or an end point on a face; nor does a cut shorter than a few rounding
    errors of the segment's length. Boxes are taken one at a time, so memory grows with rx * tx only.

    Args:
        rx_position: receivers [rx, 3], m.
        tx_position: transmitters [tx, 3], m.
        box_min: smallest corner of every axis-aligned box [boxes, 3], m; no boxes at all is fine.
        box_max: largest corner [boxes, 3], m.
        transparent: True where a box never blocks that transmitter [tx, boxes], e.g. the building that
            carries it on its roof; None for no such boxes.

    Returns:
        True where the view is clear [rx, tx].
    """
    if transparent is None:
        transparent = jnp.zeros((tx_position.shape[0], box_min.shape[0]), dtype=bool)
    start = rx_position[:, None, :]
    direction = tx_position[None, :, :] - start

    def step(clear, box):
        low, high, ignored = box
        return clear & (ignored | ~_crosses(start, direction, low, high)), None

    clear = jnp.ones((rx_position.shape[0], tx_position.shape[0]), dtype=bool)
    return jax.lax.scan(step, clear, (box_min, box_max, transparent.T))[0]


def _crosses(
    start: Float[Array, "rx 1 3"],
    direction: Float[Array, "rx tx 3"],
    low: Float[Array, "3"],
    high: Float[Array, "3"],
) -> Bool[Array, "rx tx"]:
    """Whether ``start + t * direction``, 0 < t < 1, meets the open box (low, high)."""
    parallel = direction == 0
    divisor = jnp.where(parallel, 1.0, direction)
    to_low, to_high = (low - start) / divisor, (high - start) / divisor
    # A ray parallel to a slab is inside it for all t or for none.
    inside = (low < start) & (start < high)
    enter = jnp.where(parallel, jnp.where(inside, -jnp.inf, jnp.inf), jnp.minimum(to_low, to_high))
    leave = jnp.where(parallel, jnp.where(inside, jnp.inf, -jnp.inf), jnp.maximum(to_low, to_high))
    first = jnp.maximum(jnp.max(enter, axis=-1), 0.0)
    last = jnp.minimum(jnp.min(leave, axis=-1), 1.0)
    return last - first > 8 * jnp.finfo(direction.dtype).eps
