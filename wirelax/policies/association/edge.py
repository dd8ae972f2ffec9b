"""A network on the links of a downlink, for any numbers of UEs and BSs."""

from __future__ import annotations

import jax.numpy as jnp
import jraph
from flax import linen as nn
from jaxtyping import Array

from wirelax.policies.association.features import LinkFeatures
from wirelax.policies.association.heads import declare_temperature
from wirelax.policies.association.links import link_inputs, links_of, mean_and_max

__all__ = ["EdgeGNN"]


class EdgeGNN(nn.Module):
    """States on links, which UEs and BSs pool by mean and maximum: the same weights for any numbers of UEs and BSs.

    Renumbering UEs or BSs renumbers the outputs. It runs on arrays [ue, bs] and on the edges of a graph alike.

    Attributes:
        width: of all states.
        layers: exchanges between the links of a UE and of a BS.
        remat: whether the backward pass computes the layers again, for graphs that fill the memory.
    """

    width: int = 24
    layers: int = 2
    remat: bool = False

    @nn.compact
    def __call__(self, features: LinkFeatures | jraph.GraphsTuple) -> dict[str, Array]:
        """Logits of all links, [ue, bs] or [edge], and of the powers, [bs] or [node]; 0 where there is no link."""
        declare_temperature(self)
        links = links_of(features)
        state = nn.relu(nn.Dense(self.width)(link_inputs(links)))
        layer = nn.remat(_Exchange) if self.remat else _Exchange
        for index in range(self.layers):
            state = layer(self.width, name=f"layer_{index}")(state, features)
        bss = nn.relu(nn.Dense(2 * self.width)(mean_and_max(links, state, "bs")))
        logits = nn.Dense(1)(nn.relu(nn.Dense(self.width)(state)))[..., 0]
        return {"logits": links.where(logits), "power": nn.Dense(1)(bss)[..., 0]}


class _Exchange(nn.Module):
    """Every link learns of the other links of its UE and of its BS, and of the whole network."""

    width: int

    @nn.compact
    def __call__(self, state: Array, features: LinkFeatures | jraph.GraphsTuple) -> Array:
        links = links_of(features)
        ues = nn.relu(nn.Dense(self.width)(mean_and_max(links, state, "ue")))
        bss = nn.relu(nn.Dense(self.width)(mean_and_max(links, state, "bs")))
        whole = jnp.concatenate([links.overall(ues, "ue"), links.overall(bss, "bs")], -1)
        heard = links.spread(nn.Dense(self.width)(ues), "ue") + links.spread(nn.Dense(self.width)(bss), "bs")
        change = nn.Dense(self.width)(state) + heard + links.everywhere(nn.Dense(self.width)(whole))
        return nn.LayerNorm()(state + nn.Dense(self.width)(nn.relu(change)))
