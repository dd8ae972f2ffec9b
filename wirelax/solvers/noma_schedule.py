"""Schedules to start from: which users share which subchannel, within both quotas."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

__all__ = ["greedy_schedule", "random_schedule"]


def _fill(gain: Float[Array, "subchannel user"], score, users: int, subchannels: int) -> Bool[Array, "..."]:
    """Subchannel by subchannel, the users of highest ``score(index, count)`` with quota left."""
    num_users = gain.shape[1]
    first = jnp.arange(num_users) < jnp.arange(num_users)[:, None]

    def pick(count: Array, index: Array) -> tuple[Array, Array]:
        value = jnp.where(count < subchannels, score(index, count), -jnp.inf)
        # By comparisons: vectorised, where XLA sorts a batch row by row.
        rank = ((value > value[:, None]) | ((value == value[:, None]) & first)).sum(1)
        chosen = (rank < min(users, num_users)) & (value > -jnp.inf)
        return count + chosen, chosen

    _, chosen = jax.lax.scan(pick, jnp.zeros(num_users, jnp.int32), jnp.arange(gain.shape[0]))
    return chosen


def random_schedule(
    gain: Float[Array, "subchannel user"], max_users_per_subchannel: int, max_subchannels_per_user: int, *,
    key: PRNGKeyArray,
) -> Bool[Array, "subchannel user"]:  # fmt: skip
    """As many users on every subchannel as both quotas allow, at random, users with fewest subchannels first.

    Args:
        gain: linear power gain (for its shape).
        max_users_per_subchannel: H.
        max_subchannels_per_user: V.
        key: random key.
    """
    noise = jax.random.uniform(key, gain.shape)
    return _fill(gain, lambda i, count: -(count + noise[i]), max_users_per_subchannel, max_subchannels_per_user)


def greedy_schedule(
    gain: Float[Array, "subchannel user"], max_users_per_subchannel: int, max_subchannels_per_user: int
) -> Bool[Array, "subchannel user"]:
    """Subchannel by subchannel the strongest users with quota left; deterministic, reads nothing but gains.

    Args:
        gain: linear power gain.
        max_users_per_subchannel: H.
        max_subchannels_per_user: V.
    """
    return _fill(gain, lambda i, count: gain[i], max_users_per_subchannel, max_subchannels_per_user)
