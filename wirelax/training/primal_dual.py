"""Constraints by primal-dual training: gradient descent on the policy, ascent on multipliers, in the same step.

The Lagrangian of a batch is ``loss + sum over constraints of mean(multiplier * constraint)``. Multipliers live in the
training state beside the policy, with an optimiser and a schedule of their own. A constraint is a number an instance,
or several, such as one a user, each with a multiplier. What is multiplied may be a penalty in place of the constraint.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray

from wirelax.policies import BATCH_AXIS, PolicyState
from wirelax.training.objectives import Evaluation, Objective, at_step

__all__ = [
    "ConstantMultipliers",
    "Multipliers",
    "NetworkMultipliers",
    "Penalise",
    "PrimalDual",
    "ScalarMultipliers",
    "primal_dual",
]

PerName = float | Mapping[str, float]
"""A number for all constraints, or one by name."""
Constraints = Mapping[str, Float[Array, "batch *each"]]
Penalise = Callable[[Array, Array], Array]
"""``(constraint, multiplier) -> penalty``, elementwise: what takes the place of the constraint in the Lagrangian."""

_SOFTPLUS_OF_ONE = math.log(math.e - 1)
"""Where softplus is 1."""


def _of(value: PerName, name: str) -> float:
    return value[name] if isinstance(value, Mapping) else value


class Multipliers(Protocol):
    """What gives every constraint its multiplier."""

    def init(self, policy: PolicyState, batch: Any, names: tuple[str, ...], key: PRNGKeyArray) -> Any:
        """First variables of the multipliers of these constraints."""
        ...

    def values(self, variables: Any, policy: PolicyState, batch: Any, names: tuple[str, ...]) -> Mapping[str, Array]:
        """Multipliers, scalars or of the shapes of the constraints, at least 0."""
        ...

    def ascent(self, variables: Any, values: Mapping[str, Array], constraints: Constraints) -> Float[Array, ""]:
        """What ascends: its gradient in the multipliers' variables tells them where to go.

        Constraints are those of `PrimalDual.penalise`, and may depend on the multipliers then.
        """
        ...


@dataclass(frozen=True)
class ConstantMultipliers:
    """Multipliers that stay what they are: fixed weights of the constraints, by name or one for all."""

    value: PerName

    def init(self, policy: PolicyState, batch: Any, names: tuple[str, ...], key: PRNGKeyArray) -> dict[str, Array]:
        """Nothing is learnt."""
        return {}

    def values(
        self, variables: Any, policy: PolicyState, batch: Any, names: tuple[str, ...]
    ) -> dict[str, Float[Array, ""]]:
        """Scalars by name."""
        return {name: jnp.asarray(_of(self.value, name), float) for name in names}

    def ascent(self, variables: Any, values: Mapping[str, Array], constraints: Constraints) -> Float[Array, ""]:
        """Nothing ascends."""
        return jnp.zeros(())


@dataclass(frozen=True, kw_only=True)
class ScalarMultipliers:
    """One multiplier a constraint, for the mean of the constraint over a batch.

    Attributes:
        first: multiplier at the start; a number for all constraints or one by name, as the next two.
        slack: mean of the constraint at which the multiplier stays where it is.
        unit: distance from the slack that is an excess of 1.
        limit: the excess is clipped to +-limit: the first, large ones would set Adam's scale for thousands of steps.
        link: "log", the logarithm of the multiplier is learnt, for orders of magnitude; or "softplus".
    """

    first: PerName = 1.0
    slack: PerName = 0.0
    unit: PerName = 1.0
    limit: float = 1.0
    link: Literal["log", "softplus"] = "log"

    def init(self, policy: PolicyState, batch: Any, names: tuple[str, ...], key: PRNGKeyArray) -> dict[str, Array]:
        """Zeros, which stand for the first multipliers."""
        return {name: jnp.zeros(()) for name in names}

    def values(
        self, variables: Mapping[str, Array], policy: PolicyState, batch: Any, names: tuple[str, ...]
    ) -> dict[str, Float[Array, ""]]:
        """Scalars by name."""
        link = {"log": jnp.exp, "softplus": lambda raw: jax.nn.softplus(raw + _SOFTPLUS_OF_ONE)}[self.link]
        return {name: _of(self.first, name) * link(variables[name]) for name in names}

    def ascent(
        self, variables: Mapping[str, Array], values: Mapping[str, Array], constraints: Constraints
    ) -> Float[Array, ""]:
        """The learnt number itself moves by the excess, whatever the multiplier: steps of equal ratio with "log"."""
        means = {name: jax.lax.stop_gradient(constraint.mean()) for name, constraint in constraints.items()}
        excess = {name: _excess(self, name, mean) for name, mean in means.items()}
        return sum((variables[name] * excess[name] for name in excess), start=jnp.zeros(()))


@dataclass(frozen=True, kw_only=True)
class NetworkMultipliers:
    """Multipliers of every instance from a network of its own, so that the constraint can hold for each.

    Attributes:
        network: Flax module from the inputs of one instance to the numbers that a softplus makes positive: as many as
            there are constraints, in the order of the sorted names; [constraint, ...] where a constraint has several
            values, [constraint, user] for one a user. Batch normalisation over `BATCH_AXIS` is by the statistics of
            the batch; running ones would serve nobody.
        inputs: ``(policy, instance) -> inputs``, such as `PolicySpec.inputs`.
        first: multiplier where the network gives 0; the other fields are those of `ScalarMultipliers`.
        slack: constraint at which the multiplier stays where it is.
        unit: distance from the slack that is an excess of 1.
        limit: the excess is clipped to +-limit.
    """

    network: nn.Module
    inputs: Callable[[PolicyState, Any], Any]
    first: PerName = 1.0
    slack: PerName = 0.0
    unit: PerName = 1.0
    limit: float = 1.0

    def _inputs(self, policy: PolicyState, batch: Any) -> Any:
        return jax.vmap(lambda instance: self.inputs(policy, instance))(batch)

    def init(self, policy: PolicyState, batch: Any, names: tuple[str, ...], key: PRNGKeyArray) -> Any:
        """Flax variables for inputs of the shapes of this batch."""
        first = jax.tree.map(lambda leaf: leaf[0], self._inputs(policy, batch))
        outputs, variables = self.network.init_with_output(key, first)
        if outputs.shape[:1] != (len(names),):
            raise ValueError(
                f"the network of multipliers gives {outputs.shape}; wanted is ({len(names)},), one number for each "
                f"of the constraints {', '.join(names)}, or more axes where these have several values"
            )
        return {"params": variables["params"]}

    def values(
        self, variables: Any, policy: PolicyState, batch: Any, names: tuple[str, ...]
    ) -> dict[str, Float[Array, "batch *each"]]:
        """Multipliers of every instance, by name."""
        network = self.network.clone(training=True) if hasattr(self.network, "training") else self.network

        def apply(inputs: Any) -> Any:
            return network.apply(variables, inputs, mutable=["batch_stats"])[0]

        raw = jax.vmap(apply, axis_name=BATCH_AXIS)(self._inputs(policy, batch))
        each = jax.nn.softplus(raw + _SOFTPLUS_OF_ONE)
        return {name: _of(self.first, name) * each[:, i] for i, name in enumerate(names)}

    def ascent(self, variables: Any, values: Mapping[str, Array], constraints: Constraints) -> Float[Array, ""]:
        """Mean of multiplier times excess: more where the constraint is broken, less where there is room."""
        each = (values[name] * _excess(self, name, constraint) for name, constraint in constraints.items())
        return sum((_instance_mean(product) for product in each), start=jnp.zeros(()))


def _instance_mean(values: Float[Array, "batch *each"]) -> Float[Array, ""]:
    """Mean over instances of the sum over the values of each."""
    return values.mean(0).sum()


def _excess(multipliers: ScalarMultipliers | NetworkMultipliers, name: str, constraint: Array) -> Array:
    excess = (constraint - _of(multipliers.slack, name)) / _of(multipliers.unit, name)
    return jnp.clip(excess, -multipliers.limit, multipliers.limit)


def _as_it_is(constraint: Array, multiplier: Array) -> Array:
    return constraint


@dataclass(frozen=True, kw_only=True)
class PrimalDual:
    """An objective whose constraints get multipliers, as `primal_dual` makes it; the loop knows it."""

    objective: Objective
    multipliers: Multipliers
    optimizer: optax.GradientTransformation
    penalise: Penalise = _as_it_is

    def at(self, step: Int[ArrayLike, ""]) -> PrimalDual:
        """The same with the schedules of its objective and its penalty read at a step."""
        objective, penalise = at_step(self.objective, step), at_step(self.penalise, step)
        return dataclasses.replace(self, objective=objective, penalise=penalise)

    def __call__(self, policy: PolicyState, batch: Any, key: PRNGKeyArray) -> Evaluation:
        """The objective as it is, without multipliers."""
        return self.objective(policy, batch, key)

    def init(self, policy: PolicyState, batch: Any, key: PRNGKeyArray) -> Any:
        """First variables of the multipliers, for batches of these shapes."""
        names = _names(jax.eval_shape(self.objective, policy, batch, key).constraints)
        return self.multipliers.init(policy, batch, names, key)

    def penalty(
        self, variables: Any, constraints: Constraints, policy: PolicyState, batch: Any
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        """What the Lagrangian adds to the loss, with the gradients of descent and ascent, and metrics.

        In the policy its gradient is that of ``mean(multiplier * penalty)``, in the variables of the multipliers minus
        that of their ascent, in which a penalty may depend on the multipliers as well.

        Raises:
            ValueError: multipliers are neither scalars nor of the shapes of the constraints.
        """
        names, fixed = _names(constraints), jax.lax.stop_gradient
        values = self.multipliers.values(variables, fixed(policy), batch, names)
        for name in names:
            if values[name].shape not in ((), constraints[name].shape):
                raise ValueError(
                    f"the multipliers of {name!r} have shape {values[name].shape}, the constraint has "
                    f"{constraints[name].shape}; give the network of multipliers outputs of the shape (constraints, "
                    "*values of each)"
                )
        seen = {name: self.penalise(constraints[name], fixed(values[name])) for name in names}
        product = sum(_instance_mean(fixed(values[name]) * seen[name]) for name in names)
        raised = {name: self.penalise(fixed(constraints[name]), values[name]) for name in names}
        ascent = self.multipliers.ascent(variables, values, raised)
        metrics = {f"multiplier_{name}": values[name].mean() for name in names}
        metrics |= {f"constraint_{name}": constraints[name].mean() for name in names}
        return product - (ascent - fixed(ascent)), fixed(metrics)


def _names(constraints: Mapping[str, Any]) -> tuple[str, ...]:
    if not constraints:
        raise ValueError("primal_dual: the objective gives no constraints; put them into its Evaluation")
    return tuple(sorted(constraints))


def primal_dual(
    objective: Objective,
    multipliers: Multipliers | None = None,
    *,
    optimizer: optax.GradientTransformation | None = None,
    penalise: Penalise | None = None,
) -> PrimalDual:
    """An objective for `train` and `specialise` that holds its constraints by multipliers.

    Args:
        objective: gives loss and constraints.
        multipliers: `ScalarMultipliers`, `NetworkMultipliers` or `ConstantMultipliers`; scalars by default.
        optimizer: of the multipliers, with its own schedule of learning rates; Adam at 1e-3 by default.
        penalise: ``(constraint, multiplier) -> penalty``, elementwise, in place of the constraint in the Lagrangian,
            perhaps with a method ``at`` for its schedules; its gradient in the multiplier counts in the ascent.
    """
    return PrimalDual(
        objective=objective,
        multipliers=multipliers or ScalarMultipliers(),
        optimizer=optimizer or optax.adam(1e-3),
        penalise=penalise or _as_it_is,
    )
