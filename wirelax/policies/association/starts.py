"""Decisions of the unfolded network from several starts: the best of all rounds, its powers settled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wirelax.policies.association.unfolded import random_start
from wirelax.policies.policy import PolicySpec, PolicyState
from wirelax.problems import AssociationProblem, evaluate
from wirelax.solvers.association import power_update
from wirelax.types import Allocation, Solution, Status

__all__ = ["UPDATES", "BestOfStarts", "settled"]

UPDATES = 30
"""Steps of the powers after the last round."""
LEAST_START = 1e-3
"""Share of the budget that powers settle from at least, so that BSs come back."""


@dataclass(frozen=True, kw_only=True)
class BestOfStarts:
    """The best decision of all rounds from several starts, as the ``solve`` of a `Method`.

    Rounds end with the powers on their way to the first-order condition that every round moves them towards. So the
    last layers are more steps of that fixed point alone, for the best round of every start.

    The first start is the one without random numbers, so that with one start the decision needs no key and permutes
    with UEs and BSs.

    Attributes:
        spec: of the policy, with an `UnfoldedNetwork`.
        starts: how many.
        rounds: of the network; None for as many as in training.
        updates: steps of the powers after the last round.
    """

    spec: PolicySpec
    starts: int = 1
    rounds: int | None = None
    updates: int = UPDATES

    def __call__(self, state: PolicyState, problem: AssociationProblem, key: PRNGKeyArray) -> Solution:
        """Decide one problem; a decision that is not finite becomes zeros and says so."""
        utility, allocation = self.candidates(state, problem, key)
        best = jnp.argmax(jnp.where(jnp.isfinite(utility), utility, -jnp.inf))
        allocation = jax.tree.map(lambda leaf: leaf[best], dict(allocation))
        finite = jnp.isfinite(utility[best]) & jnp.isfinite(allocation["power_w"]).all()
        allocation = jax.tree.map(lambda leaf: jnp.where(finite, leaf, jnp.zeros_like(leaf)), allocation)
        return evaluate(problem, allocation, status=jnp.where(finite, Status.CONVERGED, Status.NOT_FINITE))

    def candidates(
        self, state: PolicyState, problem: AssociationProblem, key: PRNGKeyArray
    ) -> tuple[Float[Array, " start"], Allocation]:
        """Utility and allocation of the best round from every start."""
        network = self.spec.network if self.rounds is None else self.spec.network.clone(rounds=self.rounds)
        inputs = self.spec.inputs(state, problem)

        def judged(outputs: Mapping[str, Any]) -> tuple[Array, Allocation]:
            allocation = self.spec.head(outputs, problem)
            return problem.utility(allocation), allocation

        def one(start: Array) -> tuple[Array, Allocation]:
            outputs: Any = network.apply(state.params, inputs, start)
            utility, allocation = jax.vmap(judged)(outputs["rounds"])
            best = jnp.argmax(utility)
            allocation = jax.tree.map(lambda leaf: leaf[best], dict(allocation))
            return settled(problem, utility[best], allocation, self.updates)

        drawn = jax.vmap(lambda key: random_start(problem.num_bss, key=key))(jax.random.split(key, self.starts))
        return jax.vmap(one)(drawn.at[0].set(0.0))


def settled(
    problem: AssociationProblem, utility: Float[Array, ""], allocation: Allocation, updates: int
) -> tuple[Float[Array, ""], Allocation]:
    """A decision and its utility with the powers a few steps of their fixed point further, if that is better."""
    start = jnp.maximum(problem.power_share(allocation), LEAST_START)
    power = power_update(problem, allocation["association"], start, updates)
    new = problem.allocation(allocation["association"], power)
    reached = problem.utility(new)
    better = reached > utility
    allocation = jax.tree.map(lambda a, b: jnp.where(better, a, b), dict(new), dict(allocation))
    return jnp.where(better, reached, utility), allocation
