"""From the outputs of a network, logits of every link and of every BS's power, to an allocation that is feasible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float, Int

from wirelax.kernels import association_load
from wirelax.problems import AssociationProblem
from wirelax.types import Allocation

__all__ = [
    "MOST_POWER_LOGIT",
    "TEMPERATURE",
    "AssociationHead",
    "AssociationMode",
    "choice_logits",
    "chosen",
    "declare_temperature",
    "power_of",
    "silenced",
    "strongest",
]

AssociationMode = Literal["joint", "association", "power"]
"""What is decided: both; the association at full power; or powers under the association of the strongest signals."""
MOST_POWER_LOGIT = 14.0
"""Bound of a power's logit: shares from 1e-6 to 1 - 1e-6."""
SMALLEST_DEVIATION = 1e-3
TEMPERATURE = "temperature"
"""Flax collection of the temperature that training needs: it travels with checkpoints and weights, never trained."""
FIRST_TEMPERATURE = 0.5


def declare_temperature(network: nn.Module) -> None:
    """Give a network the variable that `wirelax.training.association` keeps its temperature in; call it once in it."""
    network.variable(TEMPERATURE, "value", lambda: jnp.asarray(FIRST_TEMPERATURE, jnp.float32))


def choice_logits(logits: Float[Array, "ue bs"], reach: Bool[Array, "ue bs"]) -> Float[Array, "ue bs"]:
    """Logits with mean 0 and deviation 1 over the BSs that reach a UE, -inf at the others.

    So a temperature means the same for every network, UE and number of BSs. A UE with one BS has a logit of 0.
    """
    count = jnp.maximum(reach.sum(-1, keepdims=True), 1)
    held = jnp.where(reach, logits, 0.0)
    centred = jnp.where(reach, held - held.sum(-1, keepdims=True) / count, 0.0)
    variance = (centred**2).sum(-1, keepdims=True) / count
    return jnp.where(reach, centred / jnp.sqrt(variance + SMALLEST_DEVIATION**2), -jnp.inf)


def strongest(problem: AssociationProblem) -> Int[Array, " ue"]:
    """The BS that every UE hears best at full power."""
    return jnp.argmax(problem.snr, axis=-1)


def chosen(outputs: Mapping[str, Any], problem: AssociationProblem, mode: AssociationMode) -> Int[Array, " ue"]:
    """The BS of every UE: the largest logit among those that reach it."""
    if mode == "power":
        return strongest(problem)
    return jnp.argmax(jnp.where(problem.snr > 0, outputs["logits"], -jnp.inf), axis=-1)


def power_of(outputs: Mapping[str, Any], mode: AssociationMode) -> Float[Array, " bs"]:
    """Powers as shares of the budgets."""
    if mode == "association":
        return jnp.ones_like(outputs["power"])
    return jax.nn.sigmoid(jnp.clip(outputs["power"], -MOST_POWER_LOGIT, MOST_POWER_LOGIT))


def silenced(
    problem: AssociationProblem, association: Int[Array, " ue"], power: Float[Array, " bs"]
) -> Float[Array, " bs"]:
    """Powers with 0 where a BS has no UE."""
    held = jnp.where(problem.reachable, association, -1)
    return jnp.where(association_load(held, problem.num_bss) > 0, power, 0.0)


@dataclass(frozen=True)
class AssociationHead:
    """The allocation that outputs stand for: the BS of the largest logit, sigmoids as powers, empty BSs silent.

    Feasible whatever the outputs are, as long as they are finite.

    Attributes:
        mode: what the network decides.
    """

    mode: AssociationMode = "joint"

    def __call__(self, outputs: Mapping[str, Any], problem: AssociationProblem) -> Allocation:
        """Of ``{"logits": [ue, bs], "power": [bs]}``, further outputs are left alone."""
        association = chosen(outputs, problem, self.mode)
        return problem.allocation(association, silenced(problem, association, power_of(outputs, self.mode)))
