"""What the acceptance network for uplink RBs is trained by: whether sets of RBs suffice, computed as they are drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from wirelax.policies import PolicySpec, PolicyState
from wirelax.policies.uplink_acceptance import MOST_SHORT, RbSet, best_window, set_of
from wirelax.problems import UplinkQosProblem
from wirelax.solvers.uplink_qos import two_level_power
from wirelax.training.objectives import Evaluation, Objective
from wirelax.types import FEASIBILITY_TOLERANCE

__all__ = ["acceptance_objective", "drawn_set", "reached", "with_varied_targets"]

LARGEST_SET = 24
"""RBs of the sets that are drawn, at most."""
FALSE_ACCEPTANCE = 4.0
"""How much worse it is to accept a set that does not suffice than to take one RB too many."""
CLOSE = 0.3
"""Nats of margin within which a set is worth learning from; others count by `FAR`."""
FAR = 0.02


def drawn_set(
    problem: UplinkQosProblem, user: Int[Array, ""], *, key: PRNGKeyArray
) -> tuple[Float[Array, " slot"], Int[Array, ""]]:
    """A set of RBs that a user may come to hold: its best ones of those that others have left.

    How many others leave is drawn; the size is drawn near the one from which on the set suffices.
    """
    left_key, kept_key, size_key = jax.random.split(key, 3)
    share = jax.random.uniform(left_key, minval=0.3, maxval=1.0)
    left = jax.random.bernoulli(kept_key, share, problem.snr.shape[1:])
    ln_gain = jnp.log(jnp.maximum(problem.snr[user], 1e-12))
    slots = min(LARGEST_SET, problem.num_rbs)
    ln_gain = jax.lax.top_k(jnp.where(left, ln_gain, ln_gain - 100.0), slots)[0]  # taken RBs come last
    sizes = jnp.arange(min(2, slots), slots + 1)
    margin = jax.vmap(lambda size: set_of(problem, ln_gain, size).margin)(sizes)
    return ln_gain, sizes[jax.random.categorical(size_key, -jnp.abs(margin) / CLOSE)]


def reached(
    problem: UplinkQosProblem, ln_gain: Float[Array, " slot"], own: RbSet, number: Int[Array, ""]
) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """Nats of the long service over its need, with the nearest window of `number` RBs; whether both services fit."""
    short = best_window(own, number) & own.inside
    long = own.inside & ~short
    snr = jnp.exp(jnp.where(own.inside, ln_gain, 0.0))
    power = two_level_power(snr, long, short, problem.short_need(number))
    nats = jnp.where(own.inside, jnp.log1p(snr * power), 0.0)
    spent = power.sum() <= 1 + FEASIBILITY_TOLERANCE / 10
    carried = jnp.where(short, nats, 0.0).sum() >= problem.short_need(number) * (1 - FEASIBILITY_TOLERANCE / 10)
    excess = jnp.where(long, nats, 0.0).sum() - problem.long_need
    exists = number < own.inside.sum()
    return jnp.where(exists & spent & carried, excess, -jnp.inf), exists & spent & carried & (excess >= 0)


def acceptance_objective(spec: PolicySpec) -> Objective:
    """Cross-entropies of acceptance and of the number of RBs of the short service, over one set a user of a batch.

    Args:
        spec: an `AcceptanceNetwork`; its features are not used, sets are drawn in their place.
    """
    network = spec.network

    def one(params: Any, problem: UplinkQosProblem, user: Array, key: PRNGKeyArray) -> tuple[Array, ...]:
        ln_gain, count = drawn_set(problem, user, key=key)
        own = set_of(problem, ln_gain, count)
        outputs: Any = network.apply(params, own)
        excess, good = jax.vmap(lambda number: reached(problem, ln_gain, own, number))(1 + jnp.arange(MOST_SHORT))
        suffices = good[jnp.argmax(outputs["number"])]  # with the window that the network would take
        weight = jnp.where(suffices, 1.0, FALSE_ACCEPTANCE) * (FAR + jnp.exp(-jnp.abs(own.margin) / CLOSE))
        accept = optax.sigmoid_binary_cross_entropy(outputs["accept"], suffices.astype(float))
        finite = jnp.isfinite(outputs["number"])
        scores = jax.nn.log_softmax(jnp.where(finite, outputs["number"], -1e9))
        number = -jnp.where(good.any(), scores[jnp.argmax(excess)], 0.0)
        accepted = outputs["accept"] >= 0
        return weight * accept + number, accepted & ~suffices, good.any() & ~accepted

    def objective(policy: PolicyState, batch: UplinkQosProblem, key: PRNGKeyArray) -> Evaluation:
        count, users = batch.snr.shape[:2]
        keys = jax.random.split(key, (count, users))
        each = jax.vmap(jax.vmap(one, in_axes=(None, None, 0, 0)), in_axes=(None, 0, None, 0))
        loss, wrong, missed = each(policy.params, batch, jnp.arange(users), keys)
        metrics = {"accepted_wrongly": wrong.mean(), "rejected_wrongly": missed.mean()}
        return Evaluation(loss.mean(), metrics=metrics)

    return objective


def with_varied_targets(problem: UplinkQosProblem, key: PRNGKeyArray) -> UplinkQosProblem:
    """A problem with other SNRs (by up to 15 dB), targets (by up to 3 and 8 times) and errors (1e-7 to 1e-2)."""
    level, long, short, error = jax.random.uniform(key, (4,), minval=-1.0, maxval=1.0)
    return replace(
        problem,
        snr=problem.snr * 10 ** (1.5 * level),
        rate_long=problem.rate_long * 3.0**long,
        rate_short=problem.rate_short * 8.0**short,
        error_probability=problem.error_probability ** (0.9 + 0.5 * error),
    )
