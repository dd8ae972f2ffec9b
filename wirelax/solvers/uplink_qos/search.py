"""Search for fewer RBs than the users find in turns, and a bound on how few they can be."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from wirelax.problems import NONE, UplinkQosProblem
from wirelax.solvers.uplink_qos.exhaustive import MOST_RBS, fewest_rbs
from wirelax.solvers.uplink_qos.growing import Grown, decided, grow, ln_gains
from wirelax.solvers.uplink_qos.numerical import better_of
from wirelax.solvers.uplink_qos.own_set import ENUMERATED, own_set_test
from wirelax.types import Solution

__all__ = ["rb_lower_bound", "uplink_search"]

NOISE = 0.1
"""Largest standard deviation of what is added to the logarithms of the gains."""


def rb_lower_bound(problem: UplinkQosProblem) -> Int[Array, ""]:
    """RBs that all users need together if each had the whole cell to itself: no allocation occupies fewer.

    Args:
        problem: one cell.

    Returns:
        The sum of the users' fewest RBs, F + 1 of a user that cannot be served at all.
    """
    still = jax.lax.stop_gradient(problem)

    def alone(snr: Float[Array, " rb"]) -> Array:
        cell = replace(still, snr=snr[None])
        found = grow(cell, partial(own_set_test, cell))
        count = jnp.where(found.served[0], (found.service != NONE).sum(dtype=jnp.int32), len(snr) + 1)
        return jnp.where(found.proven, count, jnp.minimum(count, ENUMERATED + 1))

    return jax.vmap(alone)(still.snr).sum()


def uplink_search(problem: UplinkQosProblem, *, key: PRNGKeyArray, starts: int = 16) -> Solution:
    """The best of many ways to take turns, `uplink_numerical` among them; the optimum of cells of up to 10 RBs.

    In every start the users take turns in an order of its own, and score an RB by its gain less a share of what the
    others could do with it. Cells where the first start meets the bound are left at that, at no cost in batches of
    nothing else.

    Args:
        problem: one cell.
        key: random key.
        starts: ways to take turns (static).

    Returns:
        `Solution`; its iterations are the rounds of the start that found it. ``residuals`` holds ``rb_gap``, RBs more
        than `rb_lower_bound`; ``proven`` is true where there is no gap, or where all allocations were searched.
    """
    still = jax.lax.stop_gradient(problem)
    accept = partial(own_set_test, still)
    bound = rb_lower_bound(still)
    if still.num_rbs <= MOST_RBS:
        best, exact = fewest_rbs(still), True
        # Of a cell that cannot serve all users, what the turns make of it.
        turns = grow(still, accept, wanted=~best.served.all())
        best = jax.tree.map(lambda a, b: jnp.where(best.served.all(), a, b), best, turns)
    else:
        best, exact = grow(still, accept), False
        if starts > 1 and still.num_users > 1:
            wanted = (_count(best) > bound) & (bound <= still.num_rbs)  # beyond, nothing serves all users
            others = jax.vmap(lambda key: _start(still, wanted, key))(jax.random.split(key, starts - 1))
            best = _best_of(best, others)
    served = best.served.all()
    gap = jnp.where(served, _count(best) - bound, 0)
    proven = exact | jnp.where(served, gap <= 0, bound > still.num_rbs)
    return decided(problem, best, proven=proven, rb_gap=gap.astype(still.snr.dtype))


def _count(grown: Grown) -> Int[Array, ""]:
    """RBs that are occupied, and more than there are where a user is not served."""
    count = (grown.service != NONE).sum(dtype=jnp.int32)
    return jnp.where(grown.served.all(), count, grown.service.size + 1)


def _start(problem: UplinkQosProblem, wanted: Bool[Array, ""], key: PRNGKeyArray) -> Grown:
    """Turns in a random order with prices on the RBs that others want."""
    order_key, price_key, kind_key, width_key, noise_key = jax.random.split(key, 5)
    order = jax.random.permutation(order_key, problem.num_users)
    ln_gain = ln_gains(problem.snr)
    level = jnp.where(ln_gain > -jnp.inf, ln_gain, ln_gain.min(where=ln_gain > -jnp.inf, initial=0.0))
    level = level - level.mean(-1, keepdims=True)
    mean = (level.sum(0) - level) / max(problem.num_users - 1, 1)
    most = jax.vmap(lambda user: jnp.where(jnp.arange(len(level))[:, None] == user, -jnp.inf, level).max(0))(
        jnp.arange(len(level))
    )
    price = jax.random.uniform(price_key, (), level.dtype) * jnp.where(jax.random.bernoulli(kind_key), mean, most)
    width = NOISE * jax.random.uniform(width_key, (), level.dtype)
    noise = width * jax.random.normal(noise_key, level.shape, level.dtype)
    score = level - price + noise
    cell = replace(problem, snr=problem.snr[order])
    found = grow(cell, partial(own_set_test, cell), jnp.zeros(level.shape, bool), score=score[order], wanted=wanted)
    back = jnp.argsort(order)
    return found._replace(service=found.service[back], served=found.served[back])


def _best_of(first: Grown, others: Grown) -> Grown:
    """The best of all, the first of equals."""
    best, _ = jax.lax.scan(lambda best, other: (better_of(best, other)[0], None), first, others)
    return best
