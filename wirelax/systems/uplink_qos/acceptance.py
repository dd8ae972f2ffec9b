"""The policy `learned`: users take RBs in turns, a network trained here says when one of them has enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from wirelax.policies import PolicySpec, PolicyState
from wirelax.policies.uplink_acceptance import AcceptanceNetwork, network_test, set_of
from wirelax.problems import UplinkQosProblem
from wirelax.solvers import uplink_qos as solvers
from wirelax.systems.recipe import Recipe, Stage, fresh_problems
from wirelax.systems.uplink_qos.catalogue import RECIPES
from wirelax.training import LoopConfig, mapped
from wirelax.training.uplink_acceptance import acceptance_objective, with_varied_targets
from wirelax.types import Allocation, Solution

__all__ = ["AcceptanceSolve", "recipe"]

STEPS = {"smoke": 100, "quick": 2000, "paper": 6000}
BATCH = 256


def first_set(problem: UplinkQosProblem) -> dict[str, Array]:
    """The three best RBs of the first user, by field: shows the network what its inputs are like."""
    ln_gain = -jnp.sort(-jnp.log(jnp.maximum(problem.snr[0], 1e-12)))
    return dict(vars(set_of(problem, ln_gain, jnp.minimum(3, problem.num_rbs))))


@dataclass(frozen=True)
class _Turns:
    """The allocation that the network's decisions lead to; the outputs are its state."""

    def __call__(self, outputs: Any, problem: UplinkQosProblem) -> Allocation:
        raise NotImplementedError("an acceptance network decides set by set; run it by AcceptanceSolve")


@dataclass(frozen=True)
class AcceptanceSolve:
    """Turn taking with the network in place of the exact test.

    Attributes:
        spec: of the policy.
        threshold: logit from which on a set is accepted.
    """

    spec: PolicySpec
    threshold: float = 0.0

    def __call__(self, state: PolicyState, problem: UplinkQosProblem, key: PRNGKeyArray) -> Solution:
        """Decide one problem."""
        still = jax.lax.stop_gradient(problem)
        test = network_test(self.spec.network, state.params, self.threshold)
        grown = solvers.grow(still, lambda ln_gain, count: test(still, ln_gain, count))
        return solvers.decided(problem, grown)


def recipe(system: Any, name: str) -> Recipe:
    """The acceptance network, trained on sets of RBs of endless channels with varied targets."""
    spec = PolicySpec(AcceptanceNetwork(), first_set, _Turns(), sizes=(), shared_statistics="none")

    def stages(preset: str, seed: int) -> list[Stage]:
        steps = STEPS[preset]
        loop = LoopConfig(steps=steps, learning_rate=3e-3, seed=seed, checkpoint_every=max(steps // 1000 * 100, 100))
        source = mapped(fresh_problems(system, BATCH), with_varied_targets)
        return [Stage(name="sets", objective=acceptance_objective(spec), source=source, loop=loop)]

    return Recipe(
        name=name,
        summary=RECIPES[name].summary,
        spec=spec,
        stages=stages,
        solve=AcceptanceSolve(spec),
        chunk=solvers.CHUNK,
    )
