"""The network of Zhang et al. (2021), for fixed numbers of UEs and BSs: neighbours are sampled in training."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, PRNGKeyArray

from wirelax.policies.association.features import LinkFeatures
from wirelax.policies.association.hbgnn import BipartiteLayer, Neighbours, channel_vectors, neighbours, weights_of
from wirelax.policies.association.heads import declare_temperature

__all__ = ["HGSAGE"]


class HGSAGE(nn.Module):
    """`BipartiteLayer` with means over sampled neighbours, and a linear layer as either head: 405,610 parameters.

    The paper leaves open the aggregate and the sample. Here it is the mean, in training over so many neighbours drawn
    anew for every node, order, layer and step, and over all of them otherwise, of which the former is an estimate.

    Attributes:
        width: of a layer's order.
        layers: how many.
        samples: neighbours of a node and order in training; 10 in the authors' code.
        training: whether neighbours are sampled.
    """

    width: int = 128
    layers: int = 2
    samples: int = 10
    training: bool = False

    @nn.compact
    def __call__(self, features: LinkFeatures) -> dict[str, Array]:
        """Logits of all links [ue, bs] and of the powers [bs]."""
        declare_temperature(self)
        all_of_them = neighbours(features)
        ues = channel_vectors(features, all_of_them.ue)
        bss = ues.T
        for index in range(self.layers):
            heard = all_of_them
            if self.training:
                keys = jax.random.split(self.make_rng("dropout"), 4)
                heard = Neighbours(*(_sample(k, mask, self.samples) for k, mask in zip(keys, heard, strict=True)))
            weight = weights_of(heard, "mean", ues.dtype)
            ues, bss = BipartiteLayer(self.width, name=f"layer_{index}")(ues, bss, weight)
        logits = nn.Dense(features["snr"].shape[1], name="association")(ues)
        return {"logits": logits, "power": nn.Dense(1, name="power")(bss)[:, 0]}


def _sample(key: PRNGKeyArray, mask: Bool[Array, "node other"], count: int) -> Bool[Array, "node other"]:
    """At most `count` neighbours of every node, at random."""
    count = min(count, mask.shape[1])
    score = jnp.where(mask, jax.random.uniform(key, mask.shape), -1.0)
    least = jax.lax.top_k(score, count)[0][:, -1:]
    return mask & (score >= least)
