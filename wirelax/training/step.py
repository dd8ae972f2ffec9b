"""One step of training, pure: what the loop and the adaptation to one event repeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PRNGKeyArray

from wirelax.policies import PolicyState
from wirelax.training.objectives import Evaluation, Objective, at_step
from wirelax.training.primal_dual import PrimalDual

__all__ = ["TrainState", "init_state", "take_step"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class TrainState:
    """Everything that a checkpoint must hold.

    Attributes:
        policy: weights and feature statistics.
        optimizer: state of the policy's optimiser.
        step: steps taken.
        multipliers: of `primal_dual`, None without.
        multiplier_optimizer: state of their optimiser.
    """

    policy: PolicyState
    optimizer: Any
    step: Int[Array, ""]
    multipliers: Any = None
    multiplier_optimizer: Any = None


def init_state(
    objective: Objective,
    policy: PolicyState,
    optimizer: optax.GradientTransformation,
    batch: Any,
    key: PRNGKeyArray,
    *,
    multipliers: Any = None,
) -> TrainState:
    """The state before the first step.

    Args:
        objective: what will be minimised.
        policy: where to start.
        optimizer: of the policy.
        batch: one batch; only its shapes matter.
        key: for the first weights of a network of multipliers.
        multipliers: to go on with, of an earlier stage with the same constraints.
    """
    dual_state = None
    if isinstance(objective, PrimalDual):
        multipliers = objective.init(policy, batch, key) if multipliers is None else multipliers
        dual_state = objective.optimizer.init(multipliers)
    return TrainState(
        policy=policy,
        optimizer=optimizer.init(policy.trained),
        step=jnp.zeros((), jnp.int32),
        multipliers=multipliers,
        multiplier_optimizer=dual_state,
    )


def take_step(
    objective: Objective, optimizer: optax.GradientTransformation, state: TrainState, batch: Any, key: PRNGKeyArray
) -> tuple[TrainState, Evaluation, Mapping[str, Array]]:
    """Descend in the policy and, with `primal_dual`, ascend in its multipliers.

    Returns:
        The next state, what the objective says of this one (its loss without multipliers), and the metrics.
    """
    objective = at_step(objective, state.step)

    def lagrangian(trained: Any, multipliers: Any) -> tuple[Array, tuple[Evaluation, Mapping[str, Array]]]:
        policy = state.policy.with_trained(trained)
        found = objective(policy, batch, key)
        if not isinstance(objective, PrimalDual):
            return found.loss, (found, {})
        penalty, metrics = objective.penalty(multipliers, found.constraints, policy, batch)
        return found.loss + penalty, (found, {"lagrangian": found.loss + penalty, **metrics})

    differentiate = jax.value_and_grad(lagrangian, argnums=(0, 1), has_aux=True)
    (value, (found, metrics)), (gradient, ascent) = differentiate(state.policy.trained, state.multipliers)
    norm = optax.tree.norm(gradient)
    rule = optax.with_extra_args_support(optimizer)
    updates, optimizer_state = rule.update(gradient, state.optimizer, state.policy.trained, value=value)
    policy = state.policy.with_trained(optax.apply_updates(state.policy.trained, updates))
    multipliers, dual_state = state.multipliers, state.multiplier_optimizer
    if isinstance(objective, PrimalDual):
        updates, dual_state = objective.optimizer.update(ascent, dual_state, multipliers)
        multipliers = optax.apply_updates(multipliers, updates)
    new = TrainState(
        policy=policy.with_variables(found.variables),
        optimizer=optimizer_state,
        step=state.step + 1,
        multipliers=multipliers,
        multiplier_optimizer=dual_state,
    )
    return new, found, {"loss": found.loss, "gradient_norm": norm, **metrics, **found.metrics}
