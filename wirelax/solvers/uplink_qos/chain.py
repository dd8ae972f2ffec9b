"""A chain of subsets from the worst RBs to the best ones: candidates for S among sets too large to enumerate."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from wirelax.solvers.uplink_qos.levels import Candidates, OwnSet, long_nats

__all__ = ["Chain", "best_in_chain", "nothing_found"]


class Chain(NamedTuple):
    """The best candidate: RBs before `first`, RB `middle`, RBs from `tail` on.

    Attributes:
        value: its f, nats; -inf where no candidate is admissible.
        first: of its best RBs.
        middle: a slot.
        tail: a slot.
        possible: whether the bound leaves room for any S that reaches a.
    """

    value: Float[Array, ""]
    first: Int[Array, ""]
    middle: Int[Array, ""]
    tail: Int[Array, ""]
    possible: Bool[Array, ""]


def nothing_found(own: OwnSet) -> Chain:
    """No candidate."""
    zero = jnp.zeros((), jnp.int32)
    return Chain(jnp.full((), -jnp.inf, own.depth.dtype), zero, zero, zero, jnp.zeros((), bool))


class _State(NamedTuple):
    own: OwnSet
    best: Chain
    pending: Bool[Array, ""]
    step: Int[Array, ""]


def best_in_chain(own: OwnSet, wanted: Bool[Array, ""], thorough: Bool[Array, ""]) -> Chain:
    """Subsets that grow from the worst RBs to the best, one RB moving up by one slot at a time.

    Between two nodes, q best and s - q worst RBs, the middle RB passes all others. f is concave in the sum of depths,
    so that for every s the best sum of the relaxed problem bounds f and tells between which nodes to look first.

    Args:
        own: the RBs.
        wanted: where not, nothing is found, at no cost in a batch in which no user wants it.
        thorough: whether to look between all nodes, as long as nothing reaches a.
    """

    def step(state: _State) -> _State:
        here = _between_nodes(state.own, state.step)
        best = jax.tree.map(lambda new, old: jnp.where(here.value > state.best.value, new, old), here, state.best)
        best = best._replace(possible=here.possible)
        more = thorough & here.possible & (best.value < state.own.need) & (state.step + 1 < state.own.count)
        # XLA computes before a loop whatever does not change in it, here for all users that do not want it.
        kept = jax.tree.map(lambda x: jnp.where(more, x, jnp.zeros_like(x)), state.own)
        return _State(kept, best, more, state.step + 1)

    start = _State(own, nothing_found(own), wanted, jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(lambda state: state.pending, step, start).best


def _between_nodes(own: OwnSet, step: Int[Array, ""]) -> Chain:
    """For every s the subsets between two nodes: around the best sum in step 0, from node ``step - 1`` on later."""
    slots, dtype, count = len(own.depth), own.depth.dtype, own.count
    slot = jnp.arange(slots)
    number = slot[1:]
    size, fewer = number.astype(dtype), number < count
    prefix = jnp.pad(jnp.cumsum(own.depth), (1, 0))

    def behind(slot: Array) -> Array:
        return own.whole - prefix[jnp.clip(slot, 0, slots)]

    level = jnp.log1p(own.spare / jnp.maximum(count, 1).astype(dtype))
    best = size * level - own.short_need(jnp.sqrt(size))
    lowest = prefix[number]
    relaxed = jnp.clip(best, lowest, jnp.maximum(lowest, behind(count - number)))
    free = -jnp.ones_like(size)
    bound, _ = long_nats(own, Candidates(number, jnp.sqrt(size), relaxed, free, free))
    nodes = prefix[slot] + behind(count - number[:, None] + slot)
    after = (slot >= 1) & (slot < number[:, None]) & (nodes >= best[:, None])
    first = jnp.where(step == 0, after.sum(-1), jnp.minimum(step - 1, number - 1))
    end = count - number + first  # the middle RB is one of the slots from `first` to here
    tail = end + 1
    grid = Candidates(
        count=number[:, None],
        root=jnp.sqrt(size)[:, None],
        depth=(prefix[first] + behind(tail))[:, None] + own.depth,
        last=jnp.where((tail < count)[:, None], own.depth[jnp.maximum(count - 1, 0)], own.depth),
        last_long=own.depth[jnp.clip(end[:, None] - (slot == end[:, None]), 0, slots - 1)],
    )
    value, admissible = long_nats(own, grid)
    between = (slot >= first[:, None]) & (slot <= end[:, None]) & fewer[:, None]
    value = jnp.where(admissible & between, value, -jnp.inf)
    index = jnp.argmax(value)
    row, middle = index // slots, index % slots
    whole = [x.astype(jnp.int32) for x in (first[row], middle, tail[row])]
    return Chain(value.max(), *whole, (fewer & (bound >= own.need)).any())
