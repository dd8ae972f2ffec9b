"""A network for one size trained on the event alone from where its weights start: SRL of Zhang et al. (HBGNN)."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PRNGKeyArray

from wirelax.policies import PolicySpec, PolicyState
from wirelax.problems import AssociationProblem, evaluate
from wirelax.training import specialise
from wirelax.training.association import AssociationObjective
from wirelax.types import Solution

__all__ = ["Adapted"]


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """The best decision on the way of some steps on one event, the first and the last included.

    Attributes:
        spec: of the policy.
        steps: of training.
        learning_rate: of Adam.
        entropy: weight of the entropy of the choices, 1e-2 in the paper.
    """

    spec: PolicySpec
    steps: int = 150
    learning_rate: float = 1e-3
    entropy: float = 1e-2

    def __call__(self, state: PolicyState, problem: AssociationProblem, key: PRNGKeyArray) -> Solution:
        """Decide one problem."""
        still = jax.lax.stop_gradient(problem)
        objective = AssociationObjective(spec=self.spec, gradient="soft", entropy=self.entropy, keep=True)
        optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(self.learning_rate))
        _, seen = specialise(objective, state, still, steps=self.steps + 1, optimizer=optimizer, key=key)
        utility = seen["best_utility"]
        best = jnp.argmax(jnp.where(jnp.isfinite(utility), utility, -jnp.inf))
        allocation = problem.allocation(seen["association"][best], seen["power"][best])
        return evaluate(problem, allocation, iterations=self.steps)
