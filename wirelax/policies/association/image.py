"""Networks that take the SNRs as a vector or an image: what Zhang et al. (HBGNN) compare theirs with."""

from __future__ import annotations

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array

from wirelax.policies.association.features import LinkFeatures
from wirelax.policies.association.hbgnn import channel_vectors
from wirelax.policies.association.heads import declare_temperature
from wirelax.policies.networks import MLP, patches

__all__ = ["AssociationCNN", "AssociationFCNN"]


class AssociationFCNN(nn.Module):
    """Fully connected: all SNRs in, all logits out; 64,428,449 parameters with 120 UEs, 105 BSs and four times 2048.

    Attributes:
        width: of the hidden layers.
        depth: hidden layers.
    """

    width: int = 2048
    depth: int = 4

    @nn.compact
    def __call__(self, features: LinkFeatures) -> dict[str, Array]:
        """Logits of all links [ue, bs] and of the powers [bs]."""
        declare_temperature(self)
        ues, bss = features["snr"].shape
        image = channel_vectors(features, features["reach"])
        outputs = MLP((self.width,) * self.depth, ues * bss + bss)(jnp.reshape(image, -1))
        return {"logits": outputs[: ues * bss].reshape(ues, bss), "power": outputs[ues * bss :]}


class AssociationCNN(nn.Module):
    """Convolutions over the image UEs by BSs, whose neighbouring columns have nothing to do with each other.

    The paper says: four layers, 64 x 3 x 3 kernels each, which "produce three channels", all outputs concatenated for
    the next layer, 5.0e5 parameters. Here: three stacks of four layers of 64 kernels, concatenated, then a linear layer
    that gives a link's logit and another one from the mean over the UEs to the power of a BS; 334,658 parameters for
    any numbers of UEs and BSs. One stack would have 1.1e5, stacks that all see each other 1.0e6: the paper's number
    comes out of no reading.

    Attributes:
        channels: kernels of a layer and stack.
        layers: of a stack.
        stacks: side by side.
    """

    channels: int = 64
    layers: int = 4
    stacks: int = 3

    @nn.compact
    def __call__(self, features: LinkFeatures) -> dict[str, Array]:
        """Logits of all links [ue, bs] and of the powers [bs]."""
        declare_temperature(self)
        image = channel_vectors(features, features["reach"])[..., None]
        maps = jnp.concatenate([self._stack(image) for _ in range(self.stacks)], -1)
        return {"logits": nn.Dense(1)(maps)[..., 0], "power": nn.Dense(1)(maps.mean(0))[:, 0]}

    def _stack(self, image: Array) -> Array:
        for _ in range(self.layers):
            image = nn.relu(nn.Dense(self.channels)(patches(image, (3, 3))))
        return image
