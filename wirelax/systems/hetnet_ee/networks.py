"""Networks of the HetNet policies: from features [user, bs, subchannel] to logits and log powers."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from wirelax.policies import CNN, MLP

__all__ = ["EquivariantNetwork", "HetNetCNN", "HetNetConditioned", "HetNetDNN"]

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
    """Paper 1's DNN: four dense layers, then a class per assignment and a power per BS and subchannel."""

    classes: int
    hidden: Sequence[int] = (256, 256, 128, 128)

    @nn.compact
    def __call__(self, features: Float[Array, "user bs subchannel"]) -> dict[str, Array]:
        """Logits [class] and log powers [bs, subchannel]."""
        shape = features.shape[1:]
        raw = MLP(self.hidden, self.classes + int(np.prod(shape)))(features.reshape(-1))
        return _split(raw, self.classes, shape)


class HetNetCNN(nn.Module):
    """Paper 1's CNN: four 1x3 SAME convolutions over the [user, bs x subchannel] image, then dense layers."""

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


class EquivariantNetwork(nn.Module):
    """One network for every assignment and subchannel: equivariant in users and subchannels, any number of them.

    An assignment turns every subchannel into one interference system of BSs. A shared network embeds each,
    a mean over the subchannels couples them through the budgets (deep sets), and a shared layer gives the
    powers. Renumbering users or subchannels renumbers the outputs.

    Attributes:
        assignments: [class, bs, subchannel] global user indices, as nested tuples (static).
        width: of every layer.
    """

    assignments: tuple
    width: int = 96

    @nn.compact
    def __call__(self, features: Float[Array, "user bs subchannel"]) -> dict[str, Array]:
        """Logits [class] and log powers [class, bs, subchannel]."""
        assignment = np.array(self.assignments)
        num_bs, num_subchannels = assignment.shape[1:]
        subchannel = np.arange(num_subchannels)[:, None, None]
        link = features[assignment.transpose(0, 2, 1)[..., None], np.arange(num_bs), subchannel]
        system = link.reshape(*link.shape[:2], -1)  # [class, subchannel, served user x bs]
        embedded = nn.relu(nn.Dense(self.width)(nn.relu(nn.Dense(self.width)(system))))
        pooled = embedded.mean(1, keepdims=True)
        joint = nn.relu(nn.Dense(self.width)(embedded) + nn.Dense(self.width, use_bias=False)(pooled))
        raw = nn.Dense(num_bs)(joint)
        logits = nn.Dense(1)(joint.mean(1))[..., 0]
        return {"assignment_logits": logits, "log_power": log_power_of(jnp.swapaxes(raw, -1, -2))}
