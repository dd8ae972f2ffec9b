"""A learned policy: what is traced (`PolicyState`), what is fixed (`PolicySpec`), what a file holds (`Policy`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import PRNGKeyArray

from wirelax.policies.standardiser import Shared, Standardiser
from wirelax.problems import evaluate
from wirelax.types import Allocation, Solution, Status

__all__ = ["BATCH_AXIS", "Policy", "PolicySolve", "PolicySpec", "PolicyState"]

BATCH_AXIS = "batch"
"""Name of the axis of problems in training, for ``nn.BatchNorm(axis_name=BATCH_AXIS)``."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class PolicyState:
    """The arrays of a policy: what its `Method` gets as state, and what training changes.

    Attributes:
        params: Flax variables. Of a mapping with the collection "params" only that one is trained; others, such as
            "batch_stats", are replaced by what an objective returns. Anything else is trained as a whole.
        standardise: feature statistics, never trained.
    """

    params: Any
    standardise: Standardiser

    def _has_collections(self) -> bool:
        return isinstance(self.params, Mapping) and "params" in self.params

    @property
    def trained(self) -> Any:
        """What gradients are taken of."""
        return self.params["params"] if self._has_collections() else self.params

    @property
    def collections(self) -> tuple[str, ...]:
        """Names of the variables beside the trained ones."""
        return tuple(sorted(set(self.params) - {"params"})) if self._has_collections() else ()

    def with_trained(self, trained: Any) -> PolicyState:
        """The same with other trained parameters."""
        params = {**self.params, "params": trained} if self._has_collections() else trained
        return dataclasses.replace(self, params=params)

    def with_variables(self, variables: Mapping[str, Any] | None) -> PolicyState:
        """The same with other values of some collections."""
        return dataclasses.replace(self, params={**self.params, **variables}) if variables else self


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a weights file holds.

    Attributes:
        name: the recipe that the network comes from.
        params: Flax variables.
        standardise: feature statistics.
        meta: plain data: system, configuration, seed, training history in short, versions.
    """

    name: str
    params: Any
    standardise: Standardiser
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_parameters(self) -> int:
        """Trained numbers."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.state.trained))

    @property
    def state(self) -> PolicyState:
        """The arrays, as a pytree to pass to jitted functions."""
        return PolicyState(params=self.params, standardise=self.standardise)


@dataclass(frozen=True)
class PolicySpec:
    """How a policy decides, all but its numbers; hashable by value where its functions are.

    Attributes:
        network: Flax module from the standardised features of one problem to outputs. If it has an attribute
            ``training``, that is True inside `training_outputs` alone.
        features: ``problem -> pytree``: an array or a graph, one problem at a time.
        head: ``(outputs, problem) -> allocation``, feasible whenever it can be.
        sizes: fields of the system's configuration that the network's shape depends on.
        shared_statistics: which features share a mean and a deviation, see `Standardiser.fit`.
    """

    network: nn.Module
    features: Callable[[Any], Any]
    head: Callable[[Any, Any], Allocation]
    sizes: tuple[str, ...] = ()
    shared_statistics: Shared = False

    def init(self, problems: Any, *, key: PRNGKeyArray) -> PolicyState:
        """Fresh weights, and feature statistics of a batch of problems (a leading axis on every leaf)."""
        features = jax.jit(jax.vmap(self.features))(problems)
        standardise = Standardiser.fit(features, shared=self.shared_statistics)
        first = standardise(jax.tree.map(lambda leaf: leaf[0], features))
        return PolicyState(params=jax.jit(self.network.init)(key, first), standardise=standardise)

    def inputs(self, state: PolicyState, problem: Any) -> Any:
        """Standardised features of one problem."""
        return state.standardise(self.features(problem))

    def outputs(self, state: PolicyState, problem: Any) -> Any:
        """Network outputs for one problem."""
        return self.network.apply(state.params, self.inputs(state, problem))

    def allocate(self, state: PolicyState, problem: Any) -> Allocation:
        """Decision for one problem."""
        return self.head(self.outputs(state, problem), problem)

    def training_outputs(self, state: PolicyState, problems: Any, *, key: PRNGKeyArray) -> tuple[Any, Mapping]:
        """Network outputs for a batch of problems during training, and new values of its other collections.

        Statistics of the batch are taken over the axis `BATCH_AXIS`; ``key`` feeds the stream "dropout".
        """
        network = self.network.clone(training=True) if hasattr(self.network, "training") else self.network

        def one(problem: Any, key: PRNGKeyArray) -> tuple[Any, Mapping]:
            inputs = self.inputs(state, problem)
            return network.apply(state.params, inputs, mutable=list(state.collections), rngs={"dropout": key})

        keys = jax.random.split(key, len(jax.tree.leaves(problems)[0]))
        return jax.vmap(one, out_axes=(0, None), axis_name=BATCH_AXIS)(problems, keys)


@dataclass(frozen=True)
class PolicySolve:
    """A policy as the ``solve`` of a `Method`: two of the same spec share their compiled programs."""

    spec: PolicySpec

    def __call__(self, state: PolicyState, problem: Any, key: PRNGKeyArray) -> Solution:
        """Decide one problem and judge the decision; one that is not finite becomes zeros and says so."""
        allocation = self.spec.allocate(state, problem)
        leaves = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(allocation)]
        finite = jnp.stack(leaves).all()
        allocation = jax.tree.map(lambda leaf: jnp.where(finite, leaf, jnp.zeros_like(leaf)), allocation)
        return evaluate(problem, allocation, status=jnp.where(finite, Status.CONVERGED, Status.NOT_FINITE))
