"""The heterogeneous bipartite graph network of Zhang et al. (HBGNN), for fixed numbers of UEs and BSs."""

from __future__ import annotations

from typing import Literal, NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float

from wirelax.policies.association.features import LinkFeatures, log_snr
from wirelax.policies.association.heads import declare_temperature
from wirelax.policies.networks import MLP

__all__ = ["HBGNN", "Aggregate", "BipartiteLayer", "Neighbours", "channel_vectors", "neighbours", "weights_of"]

ABSENT = -1.0
"""Entry of a channel vector where there is no neighbour."""
HEAD = 256
BILINEAR = 64
"""States that the two ends of a link compare, in the bilinear head."""
Aggregate = Literal["mean", "sum"]


class Neighbours(NamedTuple):
    """Who is whose neighbour, booleans, or the weights of the sums over them.

    Attributes:
        ue: BSs of every UE, the first order [ue, bs].
        bs: UEs of every BS [bs, ue].
        ue_second: UEs that share a BS with a UE, the second order [ue, ue].
        bs_second: BSs that share a UE with a BS [bs, bs].
    """

    ue: Array
    bs: Array
    ue_second: Array
    bs_second: Array


def neighbours(features: LinkFeatures) -> Neighbours:
    """Links above the noise at full power, and the strongest link of every UE; nobody is its own neighbour."""
    snr, reach = features["snr"], features["reach"]
    first = reach & ((snr > 1) | (snr >= snr.max(-1, keepdims=True)))
    return Neighbours(first, first.T, _joined(first), _joined(first.T))


def _joined(first: Bool[Array, "node other"]) -> Bool[Array, "node node"]:
    """Which nodes have a neighbour in common."""
    count = first.astype(jnp.float32)
    return (count @ count.T > 0) & ~jnp.eye(len(first), dtype=bool)


def weights_of(neighbour: Neighbours, aggregate: Aggregate, dtype: jnp.dtype) -> Neighbours:
    """Weights of the sums over neighbours: 1, or 1 over their number."""

    def one(mask: Array) -> Array:
        weight = mask.astype(dtype)
        return weight if aggregate == "sum" else weight / jnp.maximum(weight.sum(-1, keepdims=True), 1)

    return Neighbours(*map(one, neighbour))


def channel_vectors(features: LinkFeatures, first: Bool[Array, "ue bs"]) -> Float[Array, "ue bs"]:
    """Logarithms of the SNRs at full power in units of 20 dB, -1 where there is no neighbour.

    A row is the feature of a UE, a column that of a BS. So a column means something only if the UEs come in an order
    that means something, such as that of their places.
    """
    return jnp.where(first, log_snr(features), ABSENT)


class BipartiteLayer(nn.Module):
    """One layer, Zhang et al. (HBGNN), Algorithm 1: own state and neighbours' states, of both orders, side by side.

    Attributes:
        width: of the fully connected layer of every order and kind of node.
    """

    width: int

    @nn.compact
    def __call__(
        self, ues: Float[Array, "ue a"], bss: Float[Array, "bs b"], weight: Neighbours
    ) -> tuple[Float[Array, "ue state"], Float[Array, "bs state"]]:
        """States of twice the width and of length 1."""

        def order(name: str, own: Array, heard: Array) -> Array:
            return nn.relu(nn.Dense(self.width, name=name)(jnp.concatenate([own, heard], -1)))

        ue = [order("ue_first", ues, weight.ue @ bss), order("ue_second", ues, weight.ue_second @ ues)]
        bs = [order("bs_first", bss, weight.bs @ ues), order("bs_second", bss, weight.bs_second @ bss)]
        return _unit(jnp.concatenate(ue, -1)), _unit(jnp.concatenate(bs, -1))


def _unit(states: Float[Array, "node state"]) -> Float[Array, "node state"]:
    """States over their lengths, with a finite slope at 0."""
    return states / jnp.sqrt((states**2).sum(-1, keepdims=True) + 1e-12)


class HBGNN(nn.Module):
    """Two layers on the channel vectors, an association head on UEs, a power head on BSs.

    With 120 UEs and 105 BSs it has 471,402 parameters, the 4.7e5 of Zhang et al. (HBGNN), Table II. The paper sums over
    neighbours; in a network whose graph is nearly complete that drowns a node's own state, and a mean is the default.

    Attributes:
        width: of a layer's order.
        layers: how many.
        aggregate: "mean" or "sum" over neighbours.
        head: of the association: "mlp", from a UE's state to all BSs, as published; or "bilinear", from the states of
            both ends of a link and its SNR, which need not learn by heart which BS is which.
    """

    width: int = 128
    layers: int = 2
    aggregate: Aggregate = "mean"
    head: Literal["mlp", "bilinear"] = "mlp"

    @nn.compact
    def __call__(self, features: LinkFeatures) -> dict[str, Array]:
        """Logits of all links [ue, bs] and of the powers [bs]."""
        declare_temperature(self)
        neighbour = neighbours(features)
        ues = channel_vectors(features, neighbour.ue)
        bss = ues.T
        weight = weights_of(neighbour, self.aggregate, ues.dtype)
        for index in range(self.layers):
            ues, bss = BipartiteLayer(self.width, name=f"layer_{index}")(ues, bss, weight)
        if self.head == "bilinear":
            return {"logits": _Bilinear()(ues, bss, features), "power": MLP((BILINEAR,), 1, name="power")(bss)[:, 0]}
        logits = MLP((HEAD,), features["snr"].shape[1], name="association")(ues)
        return {"logits": logits, "power": nn.Dense(1, name="power")(bss)[:, 0]}


class _Bilinear(nn.Module):
    """Logit of a link from the match of its ends, its SNR, and that over the best of the UE and of the BS."""

    @nn.compact
    def __call__(
        self, ues: Float[Array, "ue state"], bss: Float[Array, "bs state"], features: LinkFeatures
    ) -> Float[Array, "ue bs"]:
        match = nn.Dense(BILINEAR)(ues) @ nn.Dense(BILINEAR)(bss).T / BILINEAR**0.5
        reach = features["reach"]
        level = jnp.where(reach, log_snr(features), ABSENT)
        over = [level - level.max(axis, keepdims=True) for axis in (0, 1)]
        seen = jnp.stack([match, level, *over], -1)
        return match + MLP((16,), 1)(seen)[..., 0]
