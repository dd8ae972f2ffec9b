"""Whether a user can get both services on exactly the RBs that it holds: Yin et al. (2025), problem (4).

A set S of the RBs carries the short-blocklength service, the others the long one, all powers are positive and the
budget is spent; eqs. (5) to (9) then give what the long service gets, f, in closed form. S is admissible where both
water levels are above the inverse gains of their own RBs, (6) and (7), and the user is served where an admissible S
reaches f >= a. Taking the nearest subset sum to the targets of Property 2 instead, without these conditions of the
subset itself, loses solutions.

Why the first set of the nested ones (best RBs first) that passes is the least one: (i) exchanging an occupied RB for a
better free one, at the same SNR, takes less power, so that some optimum holds the best RBs; (ii) an RB without power
could be left out, which makes b smaller, so that at the first size that is feasible all powers are positive; (iii) for
given S and positive powers (9) is the optimum.

Sets of up to `EXACT` RBs are enumerated. For larger ones f is first bounded by its maximum over all sums between the
extreme ones, which settles most of them, then subsets next to that maximum are tried; what is still open is enumerated
up to `ENUMERATED` RBs and counts as rejected but not proven beyond. Gains enter as depths, `wirelax.solvers.uplink_qos.
water`: levels are in nats over the best RB's inverse gain.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from wirelax.problems import UplinkQosProblem
from wirelax.solvers.uplink_qos.water import HIGHEST

__all__ = ["ENUMERATED", "EXACT", "Tested", "own_set_test", "tolerance"]

EXACT = 8
"""Up to this many RBs the subset of largest f is taken; beyond, one that reaches a."""
ENUMERATED = 14
"""Up to this many RBs a rejection is always proven."""
_LOW = 5
_BITS = (np.arange(2**_LOW)[:, None] >> np.arange(_LOW)) & 1


class Tested(NamedTuple):
    """What a test of the users' own sets found; a test may return the first two alone.

    Attributes:
        accepted: users that get both services on the RBs they hold [user].
        short: RBs of the short service, in the order of the RBs handed over [user, slot].
        proven: users that are accepted, or proven to be infeasible on exactly these RBs [user].
    """

    accepted: Bool[Array, "user"]
    short: Bool[Array, "user slot"]
    proven: Bool[Array, "user"] | None = None


def tolerance(dtype: jnp.dtype) -> float:
    """Relative shortfall that counts as rounding in the solvers: a tenth of what `evaluate` allows, or less."""
    return max(8 * float(jnp.finfo(dtype).eps), 1e-11)


class _Set(NamedTuple):
    """The RBs of one user, best first, and what it needs on them."""

    depth: Float[Array, " slot"]
    count: Int[Array, ""]
    budget: Float[Array, ""]  # over the best RB's inverse gain: its SNR at full power
    spare: Float[Array, ""]  # budget plus the sum of (best gain / gain - 1)
    whole: Float[Array, ""]  # sum of the depths
    need: Float[Array, ""]  # a, less the tolerance
    base: Float[Array, ""]
    slope: Float[Array, ""]

    def short_need(self, root: ArrayLike) -> Array:
        """Need of the short service on as many RBs as the square of `root`."""
        return self.base + self.slope * root


class _Short(NamedTuple):
    """Candidates for the RBs of the short service: how many, the sum of their depths, the deepest in and outside."""

    count: Array
    root: ArrayLike
    depth: Array
    last: Array
    last_long: Array


class _Chain(NamedTuple):
    """The best candidate in a chain: RBs before `first`, RB `middle`, RBs from `tail` on; whether any may exist."""

    value: Float[Array, ""]
    first: Int[Array, ""]
    middle: Int[Array, ""]
    tail: Int[Array, ""]
    possible: Bool[Array, ""]
    pending: Bool[Array, ""]


def own_set_test(problem: UplinkQosProblem, ln_gain: Float[Array, "user slot"], count: Int[Array, "user"]) -> Tested:
    """The exact test of all users at once, the `accept` of `wirelax.solvers.uplink_qos.grow`.

    Args:
        problem: one cell.
        ln_gain: logarithm of the SNR at full power of every user's RBs, falling along `slot`; of RBs from `count` on
            anything [user, slot].
        count: RBs of every user [user].
    """
    base, slope = problem.short_need(0), problem.short_need(1) - problem.short_need(0)
    padding = max(_LOW - ln_gain.shape[-1], 0)
    padded = jnp.pad(ln_gain, ((0, 0), (0, padding)))

    def one(ln_gain: Array, count: Array) -> Tested:
        inside = jnp.arange(ln_gain.shape[-1]) < count
        best = jnp.where(count > 0, ln_gain[0], 0.0)
        depth = jnp.where(inside, jnp.clip(best - ln_gain, 0.0, HIGHEST), 0.0)
        budget = jnp.where(count > 0, jnp.exp(best), 0.0)
        need = problem.long_need * (1 - tolerance(depth.dtype))
        own = _Set(depth, count, budget, budget + jnp.expm1(depth).sum(), depth.sum(), need, base, slope)
        return _test(own, problem.rate_long > 0, problem.rate_short > 0)

    tested = jax.vmap(one)(padded, count)
    return tested._replace(short=tested.short[:, : ln_gain.shape[-1]])


def _test(own: _Set, has_long: Bool[Array, ""], has_short: Bool[Array, ""]) -> Tested:
    both, count = has_long & has_short, own.count
    wide = both & (count > _LOW) & (_ceiling(own) >= own.need)
    chain = _best_in_chain(own, wide & (len(own.depth) > _LOW))
    found = chain.value >= own.need
    listed = wide & chain.possible & ((count <= EXACT) | (~found & (count <= ENUMERATED)))
    blocks = jnp.where(listed, 1 << jnp.clip(count - _LOW, 0, ENUMERATED - _LOW), 0)
    value, mask = _best_of_masks(own, blocks)
    slot = jnp.arange(len(own.depth))
    of_mask = ((mask >> jnp.minimum(slot, ENUMERATED)) & 1).astype(bool) & (slot < ENUMERATED)
    of_chain = (slot < chain.first) | (slot == chain.middle) | ((slot >= chain.tail) & (slot < count))
    in_order = chain.value > value
    alone = jnp.where(has_long, _long_alone(own), jnp.where(has_short, _short_alone(own), True))
    accepted = jnp.where(both, jnp.maximum(value, chain.value) >= own.need, alone)
    short = jnp.where(both, jnp.where(in_order, of_chain, of_mask), has_short & (slot < count))
    settled = ~wide | ~chain.possible | (count <= ENUMERATED)
    return Tested(accepted, short, accepted | settled)


def _long_nats(own: _Set, short: _Short) -> tuple[Array, Bool[Array, " candidate"]]:
    """F of eq. (9) at candidates for S, nats, and where S is admissible by (6) and (7)."""
    count = jnp.maximum(short.count, 1).astype(own.depth.dtype)
    num_long = (own.count - short.count).astype(own.depth.dtype)
    level = (own.short_need(short.root) + short.depth) / count
    left = own.spare - count * jnp.expm1(jnp.minimum(level, HIGHEST))
    long_level = jnp.log1p(jnp.maximum(left, 0.0) / jnp.maximum(num_long, 1.0))
    admissible = (short.count > 0) & (num_long > 0) & (level > short.last) & (long_level > short.last_long)
    return num_long * long_level - (own.whole - short.depth), admissible


def _ceiling(own: _Set) -> Float[Array, ""]:
    """What the long service gets if one RB's worth of b could be split off at one level of all: no S gets more."""
    count = jnp.maximum(own.count, 1).astype(own.depth.dtype)
    return count * jnp.log1p(own.spare / count) - own.whole - own.short_need(1.0)


def _long_alone(own: _Set) -> Bool[Array, ""]:
    count = jnp.maximum(own.count, 1).astype(own.depth.dtype)
    level = jnp.log1p(own.spare / count)
    return (own.count > 0) & (level > own.depth.max()) & (count * level - own.whole >= own.need)


def _short_alone(own: _Set) -> Bool[Array, ""]:
    count = jnp.maximum(own.count, 1).astype(own.depth.dtype)
    level = (own.short_need(jnp.sqrt(count)) + own.whole) / count
    left = own.spare - count * jnp.expm1(jnp.minimum(level, HIGHEST))
    return (own.count > 0) & (level > own.depth.max()) & (left >= -tolerance(level.dtype) * own.budget)


def _block(own: _Set, high: Int[Array, ""]) -> tuple[Float[Array, ""], Int[Array, ""]]:
    """Largest f of the 32 subsets with given bits for all slots but the first five, and its mask."""
    slot, low = jnp.arange(_LOW, ENUMERATED), own.depth[:_LOW]
    size = min(len(own.depth), ENUMERATED)
    upper, slot = own.depth[_LOW:size], slot[: size - _LOW]
    inside = slot < own.count
    taken = ((high >> (slot - _LOW)) & 1).astype(bool) & inside
    number = _BITS.sum(-1) + taken.sum(dtype=jnp.int32)
    free_low = (1 - _BITS) * low
    last_long = jnp.where(inside & ~taken, upper, 0.0).max(initial=0.0)
    short = _Short(
        count=number,
        root=jnp.sqrt(number.astype(low.dtype)),
        depth=(_BITS * low).sum(-1) + jnp.where(taken, upper, 0.0).sum(),
        last=jnp.maximum((_BITS * low).max(-1), jnp.where(taken, upper, 0.0).max(initial=0.0)),
        last_long=jnp.maximum(free_low.max(-1), last_long),
    )
    value, admissible = _long_nats(own, short)
    mask = np.arange(2**_LOW, dtype=np.int32)
    value = jnp.where(admissible & (mask < (1 << jnp.minimum(own.count, _LOW))), value, -jnp.inf)
    best = value.max()
    return best, jnp.where(value == best, mask, 2**_LOW - 1).min() + (high << _LOW)


def _best_of_masks(own: _Set, blocks: Int[Array, ""]) -> tuple[Float[Array, ""], Int[Array, ""]]:
    """Largest f over the subsets of the first five slots, and over `blocks` blocks of them; its mask."""

    def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        value, mask, block = state
        here, there = _block(own, block)
        return jnp.maximum(value, here), jnp.where(here > value, there, mask), block + 1

    zero = jnp.zeros((), jnp.int32)
    start = (*_block(own, zero), zero + 1)
    return jax.lax.while_loop(lambda state: state[2] < blocks, step, start)[:2]


def _best_in_chain(own: _Set, wanted: Bool[Array, ""]) -> _Chain:
    """For every number of RBs of the short service subsets around the sum of depths at which f is largest.

    A loop of one step or none: of a batch in which no user wants it it costs nothing.
    """
    zero, none = jnp.zeros((), jnp.int32), jnp.zeros((), bool)
    start = _Chain(jnp.asarray(-jnp.inf, own.depth.dtype), zero, zero, zero, none, wanted)
    return jax.lax.while_loop(lambda chain: chain.pending, lambda _: _search_chain(own), start)


def _search_chain(own: _Set) -> _Chain:
    """Subsets that grow from the worst RBs to the best, one RB moving up by one slot at a time.

    Between two of its nodes, q best and s - q worst RBs, one RB in the middle passes all others. f is concave in the
    sum of depths, so that the best sum of the relaxed problem tells between which nodes to look, and bounds f.
    """
    slots, dtype = len(own.depth), own.depth.dtype
    slot = jnp.arange(slots)
    number, count = slot[1:], own.count
    prefix = jnp.pad(jnp.cumsum(own.depth), (1, 0))
    size = number.astype(dtype)
    need = own.short_need(jnp.sqrt(size))
    best = size * jnp.log1p(own.spare / jnp.maximum(count, 1).astype(dtype)) - need
    fewer = number < count

    def node(first: Array) -> Array:
        return prefix[first] + own.whole - prefix[jnp.clip(count - number[:, None] + first, 0, slots)]

    nodes = node(slot[None] + jnp.zeros_like(number)[:, None])
    inner = (slot >= 1) & (slot < number[:, None])
    first = (inner & (nodes >= best[:, None])).sum(-1)
    lowest, highest = prefix[number], own.whole - prefix[jnp.clip(count - number, 0, slots)]
    relaxed = jnp.clip(best, lowest, jnp.maximum(lowest, highest))
    bound, _ = _long_nats(own, _Short(number, jnp.sqrt(size), relaxed, -jnp.ones_like(size), -jnp.ones_like(size)))
    # Between nodes `first` and `first + 1`: the middle RB is one of the slots from `first` to `end`.
    end = count - number + first
    tail = end + 1
    depth = prefix[first][:, None] + own.depth + (own.whole - prefix[jnp.clip(tail, 0, slots)])[:, None]
    last_long = own.depth[jnp.where(slot == end[:, None], end[:, None] - 1, end[:, None])]
    last = jnp.where((tail < count)[:, None], own.depth[count - 1], own.depth)
    grid = _Short(number[:, None], jnp.sqrt(size)[:, None], depth, last, last_long)
    value, admissible = _long_nats(own, grid)
    between = (slot >= first[:, None]) & (slot <= end[:, None]) & fewer[:, None]
    value = jnp.where(admissible & between, value, -jnp.inf)
    index = jnp.argmax(value)
    row, middle = index // slots, index % slots
    whole = [x.astype(jnp.int32) for x in (first[row], middle, tail[row])]
    possible = (fewer & (bound >= own.need)).any()
    return _Chain(value.max(), *whole, possible, jnp.zeros((), bool))
