"""Policies for the NOMA problem: features, networks, and heads that make powers of logits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from wirelax.policies.heads import masked_split
from wirelax.policies.networks import MLP
from wirelax.problems import NomaProblem
from wirelax.types import Allocation
from wirelax.units import db_to_linear, linear_to_db

__all__ = ["Head", "NomaDNN", "NomaEquivariant", "Powers", "schedule_features"]

Head = Literal["raw", "split", "simplex"]
"""From logits to powers: a softmax split of P_c over pairs as it is, repaired to meet R_min, or a split of what the
least powers leave over, which meets R_min by construction."""
UNSCHEDULED = -1.0
"""Feature of pairs that are not scheduled, in tens of dB of SNR at full power."""
SNR_FLOOR_DB = -8.0
"""Scheduled users below it look alike; far lower values would drown the differences between the others."""


def schedule_features(problem: NomaProblem) -> Float[Array, "subchannel user"]:
    """SNR at full power in tens of dB of every scheduled pair, `UNSCHEDULED` for the others."""
    level_db = linear_to_db(jnp.maximum(problem.snr, db_to_linear(SNR_FLOOR_DB)))
    return jnp.where(problem.schedule, level_db / 10, UNSCHEDULED)


class NomaDNN(nn.Module):
    """The paper's network: three dense layers with ReLU, as many inputs and outputs as pairs.

    The gap of every user to the strongest one of its subchannel, times a learnt slope, is added to the outputs: with
    any schedule at the input, dense layers alone take far more data to tell strong from weak users than there are
    labels, and end at equal powers.

    With `floor` every user gets some power on top, about what R_min takes: a learnt share of the power of the
    stronger users, against interference, and a learnt power that grows as its gain falls, against noise. A softmax
    alone gives weak users powers that are wrong by orders of magnitude, of which the sum rate feels nothing.
    """

    hidden: Sequence[int] = (200, 80, 80)
    first_slope: float = 100.0
    """Nepers of power per standard deviation of the features; the best powers go to the strongest user alone, however
    narrow its lead, but for what R_min takes. The logarithm is learnt, so that the slope can change by factors."""
    floor: bool = False

    @nn.compact
    def __call__(self, features: Float[Array, "subchannel user"]) -> Float[Array, "subchannel user"]:
        """Logits of all pairs."""
        slope = jnp.exp(self.param("log_slope", nn.initializers.constant(math.log(self.first_slope)), ()))
        gap = features - features.max(-1, keepdims=True)
        logits = MLP(self.hidden, features.size)(features.reshape(-1)).reshape(features.shape) + slope * gap
        if not self.floor:
            return logits
        interference, noise, falls = self.param("floor", lambda key: jnp.asarray([-4.7, -4.7, 3.6]))
        share = jax.nn.softmax(logits.reshape(-1)).reshape(features.shape)
        stronger = features[:, None, :] > features[:, :, None]
        heard = jnp.where(stronger, share[:, None, :], 0.0).sum(-1)
        return jnp.log(share + jnp.exp(interference) * heard + jnp.exp(noise - falls * features))


class NomaEquivariant(nn.Module):
    """One network for any numbers of subchannels and users: equivariant in both.

    The powers of a schedule depend on the gains of the scheduled users alone, in the order of SIC. A shared
    network embeds the sorted gains of a subchannel, the mean over subchannels couples them through the total power
    (deep sets), and a shared layer gives one logit per slot.

    Attributes:
        slots: users that a subchannel carries at most (H).
        width: of every layer.
    """

    slots: int
    width: int = 64

    @nn.compact
    def __call__(self, features: Float[Array, "subchannel user"]) -> Float[Array, "subchannel user"]:
        """Logits, 0 for all but the `slots` strongest of a subchannel."""
        size = min(self.slots, features.shape[1])
        strongest, user = jax.lax.top_k(features, size)
        strongest = jnp.pad(strongest, ((0, 0), (0, self.slots - size)), constant_values=features.min())
        count = jnp.full((*strongest.shape[:-1], 1), jnp.log(features.shape[0]))
        hidden = jnp.concatenate([strongest, count], axis=-1)
        for _ in range(2):
            hidden = nn.relu(nn.Dense(self.width)(hidden))
        for _ in range(2):
            pooled = hidden.mean(0, keepdims=True)
            hidden = nn.relu(nn.Dense(self.width)(hidden) + nn.Dense(self.width, use_bias=False)(pooled))
        logits = nn.Dense(self.slots)(hidden)[:, :size]
        at = user[..., None] == jnp.arange(features.shape[1])
        return jnp.where(at, logits[..., None], 0.0).sum(-2)


@dataclass(frozen=True)
class Powers:
    """Powers in W that logits stand for, P_c in all; feasible if the schedule is, but for "raw"."""

    kind: Head = "split"

    def shares(self, logits: Float[Array, "subchannel user"], problem: NomaProblem) -> Float[Array, "subchannel user"]:
        """Shares of P_c, before any repair."""
        share = masked_split(logits, problem.schedule, 1.0)
        if self.kind != "simplex":
            return share
        slots = problem.slots()
        return slots.scatter(problem.simplex(slots).power(slots.gather(share)), problem.num_users)

    def __call__(self, logits: Float[Array, "subchannel user"], problem: NomaProblem) -> Allocation:
        """The schedule of the problem with powers."""
        share = self.shares(logits, problem)
        if self.kind == "split":
            slots = problem.slots()
            share = slots.scatter(problem.simplex(slots).repair(slots.gather(share)), problem.num_users)
        return {"assignment": problem.schedule, "power_w": share * problem.total_power_w}
