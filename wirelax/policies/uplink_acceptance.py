"""A policy for any number of users and RBs: users take RBs in turns, a network says when one of them has enough.

The exact test of a user's own set of RBs (`wirelax.solvers.uplink_qos.own_set_test`) looks at every split of the set
into the two services, 2^N of them. Here a small network decides instead, from a few numbers of the set that do not
depend on the order of users or RBs, so that one file of weights serves all sizes and the time does not grow with the
load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float, Int

from wirelax.policies.networks import MLP
from wirelax.problems import UplinkQosProblem

__all__ = ["AcceptanceNetwork", "RbSet", "best_window", "network_test", "set_of"]

MOST_SHORT = 6
"""RBs of the short service that the network chooses from."""
DEEPEST = 30.0
"""Nats below the best RB: deeper ones look alike."""
STEEPNESS = 20.0
"""Logits a nat of margin."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class RbSet:
    """The RBs that one user holds, best first, and what it needs on them.

    Attributes:
        depth: ``ln(best gain / gain)`` of its RBs, 0 beyond them [slot].
        inside: which slots it has [slot].
        common: ln(1 + SNR) of the best RB with all RBs at one water level and the budget spent, nats.
        long_need: a, nats.
        short_need: b of 1, 2, ... RBs, nats [number].
    """

    depth: Float[Array, " slot"]
    inside: Bool[Array, " slot"]
    common: Float[Array, ""]
    long_need: Float[Array, ""]
    short_need: Float[Array, " number"]

    @property
    def count(self) -> Float[Array, ""]:
        """N, as a float."""
        return jnp.maximum(self.inside.sum(), 1).astype(self.depth.dtype)

    @property
    def nats(self) -> Float[Array, " slot"]:
        """ln(1 + SNR) of every RB at the common level."""
        return jnp.where(self.inside, self.common - self.depth, 0.0)

    @property
    def margin(self) -> Float[Array, ""]:
        """What is left of the nats at the common level if one RB carries the short service: eq. (11)'s bound on f."""
        return self.nats.sum() - self.long_need - self.short_need[0]


def set_of(problem: UplinkQosProblem, ln_gain: Float[Array, " slot"], count: Int[Array, ""]) -> RbSet:
    """A user's own set as the network sees it.

    Args:
        problem: one cell.
        ln_gain: logarithm of the SNR at full power of its RBs, falling; anything from `count` on [slot].
        count: RBs of the user.
    """
    inside = jnp.arange(ln_gain.shape[0]) < count
    best = jnp.where(count > 0, ln_gain[0], 0.0)
    depth = jnp.where(inside, jnp.clip(best - ln_gain, 0.0, DEEPEST), 0.0)
    number = jnp.maximum(count, 1).astype(depth.dtype)
    spare = jnp.exp(jnp.minimum(best, 2 * DEEPEST)) + jnp.expm1(depth).sum()
    return RbSet(
        depth=depth,
        inside=inside,
        common=jnp.log1p(spare / number),
        long_need=problem.long_need,
        short_need=problem.short_need(jnp.arange(1, MOST_SHORT + 1)),
    )


def windows(own: RbSet) -> tuple[Float[Array, "number slot"], Bool[Array, "number slot"]]:
    """RBs next to each other as those of the short service: how far their mean is from the best one, and which exist.

    At the maximum of f over the sum of gains both water levels are equal, eq. (11): the RBs of the short service then
    carry b together at the common level. The distance is per RB, in nats.
    """
    slots = own.depth.shape[0]
    sums = jnp.pad(jnp.cumsum(own.nats), (1, 0))
    numbers = jnp.arange(1, MOST_SHORT + 1)[:, None]
    end = jnp.arange(slots) + numbers
    mean = (sums[jnp.minimum(end, slots)] - sums[:-1]) / numbers
    exists = (end <= own.inside.sum()) & (numbers < own.inside.sum())
    return jnp.where(exists, jnp.abs(mean - own.short_need[:, None] / numbers), jnp.inf), exists


def best_window(own: RbSet, number: Int[Array, ""]) -> Bool[Array, " slot"]:
    """The window of so many RBs, 1 to `MOST_SHORT`, that is nearest to the common level."""
    distance, _ = windows(own)
    first = jnp.argmin(distance[number - 1])
    slot = jnp.arange(own.depth.shape[0])
    return (slot >= first) & (slot < first + number)


class AcceptanceNetwork(nn.Module):
    """From an own set to a logit that it suffices, and logits of how many of its RBs carry the short service.

    Attributes:
        hidden: widths of the hidden layers.
    """

    hidden: tuple[int, ...] = (32, 32)

    @nn.compact
    def __call__(self, own: RbSet | Mapping[str, Array]) -> Mapping[str, Array]:
        """``accept``, scalar, and ``number`` [MOST_SHORT]; the set may be its fields by name."""
        own = own if isinstance(own, RbSet) else RbSet(**own)
        distance, exists = windows(own)
        nearest = jnp.minimum(distance.min(-1), 2.0)
        nats, count = own.nats, own.count
        last = jnp.where(own.inside, nats, jnp.inf).min()
        spread = jnp.sqrt(jnp.where(own.inside, (nats - nats.sum() / count) ** 2, 0.0).sum() / count + 1e-12)
        terms = [
            jnp.clip(own.margin, -2.0, 2.0),
            jnp.tanh(5 * own.margin),
            count / 8,
            own.long_need / 8,
            jnp.clip(nats.sum() / count, 0, 10) / 4,
            jnp.clip(last, -4, 4) / 2,
            jnp.minimum(spread, 4.0),
        ]
        terms += [*nearest, *jnp.sqrt(nearest), *(own.short_need / 4), *exists.any(-1).astype(nats.dtype)]
        raw = MLP(self.hidden, 1 + MOST_SHORT)(jnp.stack(terms))
        accept = STEEPNESS * own.margin - nn.softplus(raw[0])
        return {"accept": accept, "number": jnp.where(exists.any(-1), raw[1:], -jnp.inf)}


def network_test(network: nn.Module, params: Any, threshold: float = 0.0) -> Any:
    """The network in place of the exact test: the ``accept`` of `wirelax.solvers.uplink_qos.grow`.

    Args:
        network: an `AcceptanceNetwork`.
        params: its variables.
        threshold: logit from which on a set is accepted.
    """

    def test(problem: UplinkQosProblem, ln_gain: Array, count: Array) -> tuple[Array, Array]:
        def one(ln_gain: Array, count: Array) -> tuple[Array, Array]:
            own = set_of(problem, ln_gain, count)
            outputs: Any = network.apply(params, own)
            short = best_window(own, 1 + jnp.argmax(outputs["number"]))
            return (outputs["accept"] >= threshold) & (count > 1), short & own.inside

        return jax.vmap(one)(ln_gain, count)

    return test
