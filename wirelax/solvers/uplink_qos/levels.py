"""Two water levels on the RBs of one user: what the long service gets if a set S of them carries the short one.

Gains enter as depths, see `wirelax.solvers.uplink_qos.water`; levels are in nats over the best RB's inverse gain.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from wirelax.solvers.uplink_qos.water import HIGHEST

__all__ = ["Candidates", "OwnSet", "ceiling", "long_alone", "long_nats", "short_alone", "tolerance"]


def tolerance(dtype: jnp.dtype) -> float:
    """Relative shortfall that counts as rounding in the solvers: a tenth of what `evaluate` allows, or less."""
    return max(8 * float(jnp.finfo(dtype).eps), 1e-11)


class OwnSet(NamedTuple):
    """The RBs of one user, best first, and what it needs on them.

    Attributes:
        depth: of every RB, 0 behind the last one [slot].
        count: RBs.
        budget: over the best RB's inverse gain, that is its SNR at full power.
        spare: budget plus the sum of ``best gain / gain - 1``.
        whole: sum of the depths.
        need: a, less what counts as rounding, nats.
        base: b without its part for errors, nats.
        slope: of b in the root of the number of RBs, nats.
    """

    depth: Float[Array, " slot"]
    count: Int[Array, ""]
    budget: Float[Array, ""]
    spare: Float[Array, ""]
    whole: Float[Array, ""]
    need: Float[Array, ""]
    base: Float[Array, ""]
    slope: Float[Array, ""]

    def short_need(self, root: ArrayLike) -> Array:
        """Need of the short service on as many RBs as the square of `root`."""
        return self.base + self.slope * root


class Candidates(NamedTuple):
    """Candidates for S, arrays of any one shape.

    Attributes:
        count: RBs in S.
        root: its square root.
        depth: sum of their depths.
        last: the largest of their depths.
        last_long: the largest depth of the RBs of the long service.
    """

    count: Array
    root: ArrayLike
    depth: Array
    last: Array
    last_long: Array


def long_nats(own: OwnSet, short: Candidates) -> tuple[Array, Bool[Array, " candidate"]]:
    """The f of eq. (9) at candidates for S, nats, and where S is admissible by (6) and (7)."""
    count = jnp.maximum(short.count, 1).astype(own.depth.dtype)
    num_long = (own.count - short.count).astype(own.depth.dtype)
    level = (own.short_need(short.root) + short.depth) / count
    left = own.spare - count * jnp.expm1(jnp.minimum(level, HIGHEST))
    long_level = jnp.log1p(jnp.maximum(left, 0.0) / jnp.maximum(num_long, 1.0))
    admissible = (short.count > 0) & (num_long > 0) & (level > short.last) & (long_level > short.last_long)
    return num_long * long_level - (own.whole - short.depth), admissible


def ceiling(own: OwnSet) -> Float[Array, ""]:
    """What the long service gets if one RB's worth of b could be split off at one level of all: no S gets more."""
    count = jnp.maximum(own.count, 1).astype(own.depth.dtype)
    return count * jnp.log1p(own.spare / count) - own.whole - own.short_need(1.0)


def long_alone(own: OwnSet) -> Bool[Array, ""]:
    """Whether the long service reaches a on all of the RBs, the short one being absent, with positive powers."""
    count = jnp.maximum(own.count, 1).astype(own.depth.dtype)
    level = jnp.log1p(own.spare / count)
    return (own.count > 0) & (level > own.depth.max()) & (count * level - own.whole >= own.need)


def short_alone(own: OwnSet) -> Bool[Array, ""]:
    """Whether the short service reaches b on all of the RBs, the long one being absent, with positive powers."""
    count = jnp.maximum(own.count, 1).astype(own.depth.dtype)
    level = (own.short_need(jnp.sqrt(count)) + own.whole) / count
    left = own.spare - count * jnp.expm1(jnp.minimum(level, HIGHEST))
    return (own.count > 0) & (level > own.depth.max()) & (left >= -tolerance(level.dtype) * own.budget)
