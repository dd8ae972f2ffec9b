"""Policies for the energy-efficiency problem: features, networks, and heads that decide on an assignment and powers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float, Int

from wirelax.policies.heads import LogPowerBounds, budgeted_power
from wirelax.policies.networks import CNN, MLP
from wirelax.problems import EnergyEfficiencyProblem, assignments
from wirelax.types import Allocation
from wirelax.units import linear_to_db

__all__ = [
    "BestAssignment",
    "HetNetCNN",
    "HetNetConditioned",
    "HetNetDNN",
    "LikeliestAssignment",
    "candidates",
    "log_power_of",
    "raw_of",
    "snr_features",
]

SNR_FLOOR = 1e-4
"""Links below -40 dB at full power look alike to a policy; unreachable ones must have finite features."""


def snr_features(problem: EnergyEfficiencyProblem) -> Float[Array, "user bs subchannel"]:
    """Full-power SNR in tens of dB, user first: the paper's H[6 users x (3 BS x 2 subchannels)].

    Standardised, it is the log10 gain; unstandardised, it also tells other budgets and noises apart.
    """
    return jnp.moveaxis(linear_to_db(jnp.maximum(problem.snr, SNR_FLOOR)) / 10, 0, -1)


def candidates(problem: EnergyEfficiencyProblem) -> Int[Array, "class bs subchannel"]:
    """All assignments of global user indices: the classes of the paper's policies."""
    return jnp.asarray(assignments(problem.num_bs, problem.users_per_bs, problem.num_subchannels))


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


@dataclass(frozen=True)
class LikeliestAssignment:
    """The likeliest assignment and the powers for it, scaled into the budgets."""

    bounds: LogPowerBounds

    def __call__(self, outputs: Mapping[str, Array], problem: EnergyEfficiencyProblem) -> Allocation:
        """Decide by ``assignment_logits`` [class] and ``log_power``.

        The latter, log10 fractions of the budgets, is [bs, subchannel], or [class, bs, subchannel] where powers
        depend on the assignment.
        """
        chosen = jnp.argmax(outputs["assignment_logits"])
        log_power = outputs["log_power"]
        log_power = log_power[chosen] if log_power.ndim == 3 else log_power
        power_w = budgeted_power(log_power, problem.max_power_w, self.bounds)
        return {"assignment": candidates(problem)[chosen], "power_w": power_w}


@dataclass(frozen=True)
class BestAssignment:
    """Every assignment scored by the kernels with the powers that the network gives it; the best one."""

    bounds: LogPowerBounds

    def __call__(self, outputs: Mapping[str, Array], problem: EnergyEfficiencyProblem) -> Allocation:
        """Decide by ``log_power``, see `LikeliestAssignment`."""
        listed = candidates(problem)
        power_w = budgeted_power(outputs["log_power"], problem.max_power_w, self.bounds)
        power_w = jnp.broadcast_to(power_w, (len(listed), *power_w.shape[-2:]))
        rate_bps = jax.vmap(problem.sum_rate_bps)(listed, power_w)
        best = jnp.argmax(problem.score(rate_bps, power_w.sum((-2, -1))))
        return {"assignment": listed[best], "power_w": power_w[best]}
