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

Whatever S is, f is at most what one level of all RBs would leave over from the budget; sets that pass this test are
enumerated up to `EXACT` RBs. For larger ones f is bounded once more, for every number of RBs in S, by its maximum over
all sums between the extreme ones, and subsets next to that maximum are tried; what is still open is enumerated up to
`ENUMERATED` RBs and counts as rejected but not proven beyond. Gains enter as depths, see `wirelax.solvers.uplink_qos.
water`: levels are in nats over the best RB's inverse gain.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from wirelax.problems import UplinkQosProblem
from wirelax.solvers.uplink_qos.chain import best_in_chain, nothing_found
from wirelax.solvers.uplink_qos.levels import Candidates, OwnSet, ceiling, long_alone, long_nats, short_alone, tolerance
from wirelax.solvers.uplink_qos.water import HIGHEST

__all__ = ["ENUMERATED", "EXACT", "Tested", "own_set_test"]

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
        own = OwnSet(depth, count, budget, budget + jnp.expm1(depth).sum(), depth.sum(), need, base, slope)
        return _test(own, problem.rate_long > 0, problem.rate_short > 0)

    tested = jax.vmap(one)(padded, count)
    return tested._replace(short=tested.short[:, : ln_gain.shape[-1]])


def _test(own: OwnSet, has_long: Bool[Array, ""], has_short: Bool[Array, ""]) -> Tested:
    both, count = has_long & has_short, own.count
    hopeful = both & (ceiling(own) >= own.need)
    wide = hopeful & (count > EXACT)
    chain = best_in_chain(own, wide, count > ENUMERATED) if len(own.depth) > EXACT else nothing_found(own)
    found = chain.value >= own.need
    listed = hopeful & (~wide | (chain.possible & ~found & (count <= ENUMERATED)))
    blocks = jnp.where(listed, 1 << jnp.clip(count - _LOW, 0, ENUMERATED - _LOW), 0)
    value, mask = _best_of_masks(own, blocks)
    slot = jnp.arange(len(own.depth))
    of_mask = ((mask >> jnp.minimum(slot, ENUMERATED)) & 1).astype(bool) & (slot < ENUMERATED)
    of_chain = (slot < chain.first) | (slot == chain.middle) | ((slot >= chain.tail) & (slot < count))
    in_order = chain.value > value
    alone = jnp.where(has_long, long_alone(own), jnp.where(has_short, short_alone(own), True))
    accepted = jnp.where(both, jnp.maximum(value, chain.value) >= own.need, alone)
    short = jnp.where(both, jnp.where(in_order, of_chain, of_mask), has_short & (slot < count))
    settled = ~wide | ~chain.possible | (count <= ENUMERATED)
    return Tested(accepted, short, accepted | settled)


def _block(own: OwnSet, high: Int[Array, ""]) -> tuple[Float[Array, ""], Int[Array, ""]]:
    """Largest f of the 32 subsets with given bits for all slots but the first five, and its mask."""
    low, upper = own.depth[:_LOW], own.depth[_LOW:ENUMERATED]
    slot = jnp.arange(_LOW, _LOW + len(upper))
    taken = ((high >> (slot - _LOW)) & 1).astype(bool)
    deep, left = (jnp.where(of, upper, 0.0) for of in (taken, ~taken))  # depths are 0 behind the user's RBs
    inside = [jnp.asarray(_BITS[:, i]) * low[i] for i in range(_LOW)]
    outside = [jnp.asarray(1 - _BITS[:, i]) * low[i] for i in range(_LOW)]
    number = _BITS.sum(-1) + taken.sum(dtype=jnp.int32)
    short = Candidates(
        count=number,
        root=jnp.sqrt(number.astype(low.dtype)),
        depth=sum(inside, deep.sum()),
        last=functools.reduce(jnp.maximum, inside, deep.max(initial=0.0)),
        last_long=functools.reduce(jnp.maximum, outside, left.max(initial=0.0)),
    )
    value, admissible = long_nats(own, short)
    mask = np.arange(2**_LOW, dtype=np.int32)
    value = jnp.where(admissible & (mask < (1 << jnp.minimum(own.count, _LOW))), value, -jnp.inf)
    best = value.max()
    return best, jnp.where(value == best, mask, 2**_LOW - 1).min() + (high << _LOW)


def _best_of_masks(own: OwnSet, blocks: Int[Array, ""]) -> tuple[Float[Array, ""], Int[Array, ""]]:
    """Largest f over the subsets in `blocks` blocks of 32, and its mask; -inf where none is admissible."""

    def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        value, mask, block = state
        here, there = _block(own, block)
        better = (here > value) & (block < blocks)
        return jnp.where(better, here, value), jnp.where(better, there, mask), block + 1

    zero = jnp.zeros((), jnp.int32)
    start = (jnp.full((), -jnp.inf, own.depth.dtype), zero, zero)
    return jax.lax.while_loop(lambda state: state[2] < blocks, step, start)[:2]
