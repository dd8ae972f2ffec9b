"""What training minimises: one signature for supervised, unsupervised and semi-supervised objectives of any system."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray

from wirelax.policies import PolicySpec, PolicyState
from wirelax.problems import is_feasible

__all__ = [
    "Evaluation",
    "Labelled",
    "Objective",
    "Term",
    "Weighted",
    "instance_objective",
    "supervised_objective",
    "utility_objective",
    "weighted",
]


class Evaluation(NamedTuple):
    """What an objective says of one batch.

    Attributes:
        loss: scalar to minimise.
        constraints: one number an instance [batch] by name, or several such as [batch, user], positive where the
            constraint is broken; only `primal_dual` acts on them.
        metrics: scalars to log.
        variables: new values of untrained Flax collections, such as ``{"batch_stats": ...}``.
    """

    loss: Float[Array, ""]
    constraints: Mapping[str, Float[Array, "batch *each"]] = {}
    metrics: Mapping[str, Float[Array, ""]] = {}
    variables: Mapping[str, Any] | None = None


Objective = Callable[[PolicyState, Any, PRNGKeyArray], Evaluation]
"""``(policy, batch, key) -> Evaluation``; pure, differentiable in the trained parameters of the policy."""
_Scheduled = TypeVar("_Scheduled", bound=Callable[..., Any])


class Labelled(NamedTuple):
    """A problem and what a policy should say of it, any pytree."""

    problem: Any
    label: Any


def instance_objective(
    spec: PolicySpec,
    measure: Callable[[Any, Any, PRNGKeyArray], Evaluation],
    problem_of: Callable[[Any], Any] = lambda instance: instance,
) -> Objective:
    """The mean over a batch of what is measured of one instance.

    Args:
        spec: network and features, run in training mode.
        measure: ``(outputs, instance, key) -> Evaluation`` of one instance, all of its entries but for constraints
            scalars.
        problem_of: the problem of an instance, for the features.
    """

    def objective(policy: PolicyState, batch: Any, key: PRNGKeyArray) -> Evaluation:
        network_key, measure_key = jax.random.split(key)
        outputs, variables = spec.training_outputs(policy, jax.vmap(problem_of)(batch), key=network_key)
        keys = jax.random.split(measure_key, len(jax.tree.leaves(batch)[0]))
        each = jax.vmap(measure)(outputs, batch, keys)
        metrics = {name: value.mean() for name, value in each.metrics.items()}
        return Evaluation(each.loss.mean(), each.constraints, metrics, variables)

    return objective


def utility_objective(
    spec: PolicySpec,
    *,
    scale: float = 1.0,
    transform: Callable[[Array], Array] = lambda utility: utility,
    shortfall: Callable[[Array], Array] = lambda violation: violation,
) -> Objective:
    """Unsupervised: minus the utility of the policy's allocation, through the kernels, for a batch of problems.

    Args:
        spec: the policy.
        scale: brings utilities to losses of order 1.
        transform: of the utility before it is averaged, such as ``jnp.log``.
        shortfall: of the problem's violations, which become the constraints. The mean over a batch of a plain
            violation lets instances with room pay for others; with ``jax.nn.relu`` none can.
    """

    def measure(outputs: Any, problem: Any, key: PRNGKeyArray) -> Evaluation:
        allocation = spec.head(outputs, problem)
        utility, violations = problem.utility(allocation), problem.violations(allocation)
        constraints = {name: shortfall(value) for name, value in violations.items()}
        metrics = {"utility": utility, "feasible": is_feasible(violations).astype(float)}
        return Evaluation(-scale * transform(utility), constraints, metrics)

    return instance_objective(spec, measure)


def supervised_objective(spec: PolicySpec, error: Callable[[Any, Any, Any], Array]) -> Objective:
    """The mean error over a batch of `Labelled` instances.

    Args:
        spec: the policy.
        error: ``(outputs, problem, label) -> scalar`` of one instance.
    """

    def measure(outputs: Any, row: Labelled, key: PRNGKeyArray) -> Evaluation:
        return Evaluation(error(outputs, row.problem, row.label))

    return instance_objective(spec, measure, lambda row: row.problem)


@dataclass(frozen=True, kw_only=True)
class Term:
    """One part of a weighted objective.

    Attributes:
        objective: what it measures.
        weight: a number, or a schedule of the step of the stage (any of Optax), such as a decay.
        part: of the batch that it sees, where the batch comes from `together`; None for the whole batch.
    """

    objective: Objective
    weight: float | Callable[[Any], Any] = 1.0
    part: str | None = None


@dataclass(frozen=True)
class Weighted:
    """A weighted sum of objectives, as `weighted` makes it; an `Objective` itself, at one step of its schedules."""

    terms: Mapping[str, Term]
    step: Any = field(default=0)

    def at(self, step: Int[ArrayLike, ""]) -> Weighted:
        """The same with the weights of another step."""
        return Weighted(self.terms, step)

    def __call__(self, policy: PolicyState, batch: Any, key: PRNGKeyArray) -> Evaluation:
        """Weighted loss; constraints and metrics of all terms, whose losses are among the metrics."""
        loss, constraints, metrics, variables = jnp.zeros(()), {}, {}, {}
        for index, (name, term) in enumerate(self.terms.items()):
            seen = batch if term.part is None else batch[term.part]
            found = at_step(term.objective, self.step)(
                policy.with_variables(variables), seen, jax.random.fold_in(key, index)
            )
            both = found.constraints.keys() & constraints.keys()
            if both:
                raise ValueError(f"terms share the constraint {min(both)!r}; rename it in one of their objectives")
            weight: Any = term.weight(self.step) if callable(term.weight) else term.weight
            loss = loss + weight * found.loss
            constraints |= found.constraints
            metrics |= {f"{name}_loss": found.loss, **{f"{name}_{key}": v for key, v in found.metrics.items()}}
            variables |= found.variables or {}
        return Evaluation(loss, constraints, metrics, variables or None)


def weighted(**terms: Term) -> Weighted:
    """A weighted sum of objectives: semi-supervised training with a weight that decays, several system sizes.

    Raises:
        ValueError: a term has multipliers already; `primal_dual` goes around the sum.
    """
    if any(hasattr(term.objective, "multipliers") for term in terms.values()):
        raise ValueError("a term of weighted() is a primal_dual; use primal_dual(weighted(...)) instead")
    return Weighted(terms)


def at_step(scheduled: _Scheduled, step: Int[ArrayLike, ""]) -> _Scheduled:
    """An objective at a step of the stage: its schedules, if it has any (a method ``at``), are read there."""
    at = getattr(scheduled, "at", None)
    return scheduled if at is None else at(step)
