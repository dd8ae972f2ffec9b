"""Networks of the HetNet policies: from features [user, bs, subchannel] to logits and log powers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from wirelax.policies import CNN, MLP

__all__ = ["HetNetCNN", "HetNetConditioned", "HetNetDNN", "log_power_of", "raw_of"]

LOG_POWER_CENTRE, LOG_POWER_SCALE = -2.5, 2.0
"""Raw outputs r mean log10 fractions -2.5 + 2 r: near zero mean and unit size over the useful powers."""


def log_power_of(raw: Array) -> Array:
    """log10 fraction of the budget that a raw network output stands for."""
    return LOG_POWER_CENTRE + LOG_POWER_SCALE * raw


def raw_of(log_power: Array) -> Array:
    """The raw output that stands for a log10 fraction of the budget: the regression target."""
    return (log_power - LOG_POWER_CENTRE) / LOG_POWER_SCALE


def _split(raw: Array, classes: int, shape: tuple[int, ...]) -> dict[str, Array]:
    return {"assignment_logits": raw[:classes], "log_power": log_power_of(raw[classes:].reshape(shape))}


class HetNetDNN(nn.Module):
    """The paper's DNN: four dense layers, then a class per assignment and a power per BS and subchannel."""

    classes: int
    hidden: Sequence[int] = (256, 256, 128, 128)

    @nn.compact
    def __call__(self, features: Float[Array, "user bs subchannel"]) -> dict[str, Array]:
        """Logits [class] and log powers [bs, subchannel]."""
        shape = features.shape[1:]
        raw = MLP(self.hidden, self.classes + int(np.prod(shape)))(features.reshape(-1))
        return _split(raw, self.classes, shape)


class HetNetCNN(nn.Module):
    """The paper's CNN: four 1x3 SAME convolutions over the [user, bs x subchannel] image, then dense layers."""

    classes: int
    channels: Sequence[int] = (16, 16, 32, 32)
    hidden: Sequence[int] = (256, 256, 128)

    @nn.compact
    def __call__(self, features: Float[Array, "user bs subchannel"]) -> dict[str, Array]:
        """Logits [class] and log powers [bs, subchannel]."""
        shape = features.shape[1:]
        image = features.reshape(features.shape[0], -1, 1)
        raw = CNN(self.channels, self.hidden, self.classes + int(np.prod(shape)))(image)
        return _split(raw, self.classes, shape)


class HetNetConditioned(nn.Module):
    """A dense network that gives every assignment powers of its own."""

    classes: int
    hidden: Sequence[int] = (512, 512, 512)

    @nn.compact
    def __call__(self, features: Float[Array, "user bs subchannel"]) -> dict[str, Array]:
        """Logits [class] and log powers [class, bs, subchannel]."""
        shape = (self.classes, *features.shape[1:])
        raw = MLP(self.hidden, self.classes + int(np.prod(shape)))(features.reshape(-1))
        return _split(raw, self.classes, shape)
