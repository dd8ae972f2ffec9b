"""Policies for uplink RBs and powers: features, the network, and the head that makes RBs and powers of its outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from wirelax.policies.policy import BATCH_AXIS
from wirelax.problems import LONG, NONE, SHORT, UplinkQosProblem
from wirelax.smoothing import piecewise_max
from wirelax.solvers.uplink_qos import turn_order
from wirelax.types import Allocation

__all__ = [
    "MultiplierDNN",
    "NormalisedMLP",
    "UplinkDNN",
    "WinningShares",
    "competitors",
    "in_turn_order",
    "log_snr",
    "log_snr_in_turn_order",
    "power_shares",
]

SERVICES = (LONG, SHORT)
FIRST_OUTPUT = 0.5
"""Bias of the policy's last layer: at the start most outputs are above 0, where the ReLU has a gradient."""
SMALLEST_SNR = 1e-12
SMALLEST_SUM = 1e-9


def in_turn_order(problem: UplinkQosProblem) -> UplinkQosProblem:
    """The problem with its RBs in the order in which the users, taking turns, pick the best that is left."""
    return replace(problem, snr=problem.snr[:, turn_order(problem.snr)])


def log_snr(problem: UplinkQosProblem) -> Float[Array, "user rb"]:
    """Natural logarithm of the SNRs at full power."""
    return jnp.log(jnp.maximum(problem.snr, SMALLEST_SNR))


def log_snr_in_turn_order(problem: UplinkQosProblem) -> Float[Array, "user rb"]:
    """The same of `in_turn_order`: what comes first is what a policy will most likely use, in every network."""
    return log_snr(in_turn_order(problem))


class NormalisedMLP(nn.Module):
    """Fully connected layers with Softplus between them and a batch normalisation before each.

    Attributes:
        hidden: widths of the hidden layers.
        outputs: shape of the output.
        first_output: bias of the last layer at the start.
        training: whether a batch is normalised by its own statistics or by running ones.
    """

    hidden: Sequence[int]
    outputs: Sequence[int]
    first_output: float = 0.0
    training: bool = False

    @nn.compact
    def __call__(self, features: Float[Array, "..."]) -> Float[Array, "..."]:
        """Outputs of the last layer for the features of one problem, flattened."""

        def normalise(x: Array) -> Array:
            return nn.BatchNorm(use_running_average=not self.training, momentum=0.99, axis_name=BATCH_AXIS)(x)

        x = jnp.reshape(features, -1)
        for width in self.hidden:
            x = nn.softplus(nn.Dense(width)(normalise(x)))
        bias = nn.initializers.constant(self.first_output)
        return nn.Dense(math.prod(self.outputs), bias_init=bias)(normalise(x)).reshape(self.outputs)


class UplinkDNN(nn.Module):
    """The paper's network: as many inputs as pairs of a user and an RB, an output of at least 0 a service of each.

    Attributes:
        hidden: widths of the hidden layers.
        training: see `NormalisedMLP`.
    """

    hidden: Sequence[int]
    training: bool = False

    @nn.compact
    def __call__(self, features: Float[Array, "user rb"]) -> Float[Array, "user service rb"]:
        """Powers up to a factor, which `power_shares` settles."""
        users, rbs = features.shape
        shape = (users, len(SERVICES), rbs)
        return nn.relu(NormalisedMLP(self.hidden, shape, FIRST_OUTPUT, self.training)(features))


class MultiplierDNN(nn.Module):
    """The paper's networks of multipliers, one for the long and one for the short services, before their Softplus.

    Attributes:
        hidden: widths of the hidden layers.
        training: see `NormalisedMLP`.
    """

    hidden: Sequence[int]
    training: bool = False

    @nn.compact
    def __call__(self, features: Float[Array, "user rb"]) -> Float[Array, "service user"]:
        """A number for every service and user."""
        shape = (features.shape[0],)
        return jnp.stack([NormalisedMLP(self.hidden, shape, training=self.training)(features) for _ in SERVICES])


def power_shares(outputs: Float[Array, "user service rb"]) -> Float[Array, "user service rb"]:
    """Every user's outputs as shares of its power budget, which sum to 1 unless all of them are 0."""
    return outputs / (outputs.sum((1, 2), keepdims=True) + SMALLEST_SUM)


def competitors(share: Float[Array, "user service rb"]) -> Float[Array, "rb entry"]:
    """The shares of all users and services on each RB, between which eq. (13) picks one."""
    return share.reshape(-1, share.shape[-1]).T


@dataclass(frozen=True)
class WinningShares:
    """RBs and powers that outputs stand for: the largest share on an RB gets it, the others are lost, eq. (13).

    Powers stay within the budgets and no RB is shared, whatever the outputs; rates may fall short.

    Attributes:
        sort: whether outputs are for the RBs in turn order, see `in_turn_order`; else for the order of the problem.
    """

    sort: bool = True

    def __call__(self, outputs: Float[Array, "user service rb"], problem: UplinkQosProblem) -> Allocation:
        """Service and power of every user on every RB, in the problem's order of RBs."""
        won = piecewise_max(competitors(power_shares(outputs))).T.reshape(outputs.shape)
        if self.sort:
            won = won[..., jnp.argsort(turn_order(problem.snr))]
        code = jnp.asarray(SERVICES, jnp.int32)[:, None]
        service = jnp.where(won > 0, code, NONE).sum(1)
        return {"service": service, "power_w": won.sum(1) * problem.max_power_w}
