"""Adaptation of a policy to one event: a few steps on its problem alone, pure, so that it can be vmapped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from wirelax.policies import PolicyState
from wirelax.training.objectives import Evaluation, Objective
from wirelax.training.sources import event as event_source
from wirelax.training.step import init_state, take_step
from wirelax.types import FEASIBILITY_TOLERANCE

__all__ = ["specialise"]

_Score = tuple[Float[Array, ""], Float[Array, ""]]


def _score(found: Evaluation) -> _Score:
    """Worst excess over a constraint, then loss; both are to be low."""
    worst = jnp.stack([value.max() for value in found.constraints.values()] or [jnp.zeros(())]).max()
    worst = jnp.where(worst <= FEASIBILITY_TOLERANCE, 0.0, worst)
    return jnp.asarray(worst, float), jnp.asarray(found.loss, float)


def _better(new: _Score, old: _Score) -> Bool[Array, ""]:
    return (new[0] < old[0]) | ((new[0] == old[0]) & (new[1] < old[1]))  # never where one is NaN


def specialise(
    objective: Objective,
    policy: PolicyState,
    event: Any,
    *,
    steps: int,
    optimizer: optax.GradientTransformation,
    key: PRNGKeyArray,
    keep_best: bool = False,
    multipliers: Any = None,
) -> tuple[PolicyState, Mapping[str, Float[Array, " step"]]]:
    """Train on one instance alone. Pure and under scan: jit it, and vmap it over events, policies or keys.

    Args:
        objective: of a batch, which here has one instance; also one of `primal_dual`.
        policy: where to start.
        event: one instance, no leading axis: a problem, or `Labelled`.
        steps: to take (static).
        optimizer: any of Optax.
        key: of everything random; step ``i`` uses ``fold_in(key, i)``.
        keep_best: return the best of all policies on the way, the first and the last included, rather than the last:
            the lowest loss among those that meet all constraints, else the lowest excess.
        multipliers: of `train`, to go on with.

    Returns:
        The adapted policy, and the metrics of the policy before every step.
    """
    batch = event_source().draw(event, key)
    first = init_state(objective, policy, optimizer, batch, key, multipliers=multipliers)

    def step(carry: tuple, index: Array) -> tuple[tuple, Mapping[str, Array]]:
        state, best, score = carry
        new, found, metrics = take_step(objective, optimizer, state, batch, jax.random.fold_in(key, index))
        if keep_best:
            found_score = _score(found)
            wins = _better(found_score, score)
            best, score = jax.tree.map(lambda a, b: jnp.where(wins, a, b), (state.policy, found_score), (best, score))
        return (new, best, score), metrics

    # The best needs one look more, at the policy after the last step; what follows from it is dropped.
    never = (jnp.asarray(jnp.inf), jnp.asarray(jnp.inf))
    (last, best, _), metrics = jax.lax.scan(step, (first, policy, never), jnp.arange(steps + keep_best))
    return (best if keep_best else last.policy), jax.tree.map(lambda values: values[:steps], metrics)
