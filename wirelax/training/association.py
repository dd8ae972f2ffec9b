"""What networks for association and power are trained by: rates under a soft association, labels, temperatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wirelax.policies import PolicySpec, PolicyState
from wirelax.policies.association.heads import TEMPERATURE, AssociationMode, choice_logits, chosen, power_of, silenced
from wirelax.problems import NO_BS, AssociationProblem
from wirelax.smoothing import straight_through_argmax, tempered_softmax
from wirelax.training.objectives import Evaluation, Labelled

__all__ = [
    "AssociationObjective",
    "ControlledTemperature",
    "FixedTemperature",
    "LabelObjective",
    "TemperatureRule",
    "TheoremTemperature",
    "relative_utility",
    "theorem_temperature",
]

COLDEST, HOTTEST = 0.02, 5.0
"""Bounds of the temperature, for logits of deviation 1."""
SMALLEST_SUM_RATE = 1e-2
"""bit/s/Hz, where sum rates enter a logarithm."""


class TemperatureRule(Protocol):
    """How the temperature goes on."""

    def __call__(self, temperature: Float[Array, ""], share: Float[Array, "*batch ue bs"]) -> Float[Array, ""]:
        """The next temperature, from this one and the shares that it made; rows of zeros are UEs out of reach."""
        ...


@dataclass(frozen=True)
class FixedTemperature:
    """The temperature stays at `value`, or where it is if that is None: another term of the objective moves it."""

    value: float | None = None

    def __call__(self, temperature: Float[Array, ""], share: Float[Array, "*batch ue bs"]) -> Float[Array, ""]:
        """The value."""
        return temperature if self.value is None else jnp.full_like(temperature, self.value)


@dataclass(frozen=True)
class ControlledTemperature:
    """The temperature at which UEs give their first choice, on average, a share of `target`.

    A controller of the logarithm, ``log T += gain (mean_i max_j x_ij - target)``, which settles from anywhere, where
    the recursion of Zhang et al. (HBGNN), Theorem 5, has no stable point (`theorem_temperature`). What leaks to other
    BSs, I (1 - target) / J a BS, should be far below one UE.

    Attributes:
        target: mean share of the first choice.
        gain: of the controller.
    """

    target: float = 0.95
    gain: float = 0.05

    def __call__(self, temperature: Float[Array, ""], share: Float[Array, "*batch ue bs"]) -> Float[Array, ""]:
        """The next temperature, within `COLDEST` and `HOTTEST`."""
        top = share.max(-1)
        mean = top.sum() / jnp.maximum((top > 0).sum(), 1)
        return jnp.clip(temperature * jnp.exp(self.gain * (mean - self.target)), COLDEST, HOTTEST)


def theorem_temperature(share: Float[ArrayLike, "..."], constant: float = 1.0) -> Float[Array, "..."]:
    """``C x (1 - x) / (2 x - 1)``, Zhang et al. (HBGNN), Theorem 5, as printed.

    Negative below x = 1/2, infinite there. For two classes with logits d apart, x = sigmoid(d / T), and the recursion
    ``T <- |C x (1 - x) / (2 x - 1)|`` equals ``C / (2 sinh(d / T))``: a fixed point needs d < C / 2, and the recursion
    leaves it, as its slope there, ``y coth y`` with y = d / T, is above 1.
    """
    x = jnp.asarray(share)
    return constant * x * (1 - x) / (2 * x - 1)


@dataclass(frozen=True)
class TheoremTemperature:
    """The rule of Zhang et al. (HBGNN), Theorem 5, at the largest share of all, in modulus and within bounds.

    Attributes:
        constant: C.
        bounded: whether it is kept within `COLDEST` and `HOTTEST`.
    """

    constant: float = 1.0
    bounded: bool = True

    def __call__(self, temperature: Float[Array, ""], share: Float[Array, "*batch ue bs"]) -> Float[Array, ""]:
        """The next temperature; this one plays no part but through the shares."""
        new = jnp.abs(theorem_temperature(share.max(), self.constant)).astype(temperature.dtype)
        return jnp.clip(new, COLDEST, HOTTEST) if self.bounded else new


def relative_utility(problem: AssociationProblem, rates: Float[Array, " ue"]) -> Float[Array, ""]:
    """A utility whose differences are alike at all sizes: logarithm of the sum rate, or mean logarithm of a rate."""
    utility = problem.utility_of_rates(rates)
    if problem.objective == "sum-rate":
        return jnp.log(utility + SMALLEST_SUM_RATE)
    return utility / jnp.maximum(problem.reachable.sum(), 1)


def _temperature(policy: PolicyState) -> Array:
    if TEMPERATURE not in policy.collections:
        raise ValueError("the network has no temperature; call declare_temperature(self) in it")
    return policy.params[TEMPERATURE]["value"]


def _rounds(outputs: Mapping[str, Any]) -> Mapping[str, Array]:
    """Outputs of every round, ``{"logits": [round, ue, bs], "power": [round, bs]}``; one round where there are none."""
    last = {name: outputs[name] for name in ("logits", "power")}
    return outputs.get("rounds") or jax.tree.map(lambda leaf: leaf[None], last)


@dataclass(frozen=True, kw_only=True)
class AssociationObjective:
    """Unsupervised: minus the utility of what the outputs say, through the kernels; an `Objective`.

    Utilities are `relative_utility`. Outputs may have "rounds", which all count, the later the more.

    Attributes:
        spec: network and features.
        mode: what is decided: "joint"; "association" at full power; "power" under the strongest BSs.
        gradient: "two-branch", the sum of the utilities of the soft association at the powers as they are and of the
            hard association with the powers' gradient, Zhang et al. (2021); "straight-through", of the hard association
            with the gradient of the soft one; or "soft", of the soft one.
        temperature: its rule.
        entropy: weight of the mean entropy of a UE's choice, which keeps choices open.
        gate: BSs are silent as far as they have no UE, see `AssociationProblem.relaxed_rates`.
        discount: weight of a round over that of the next one.
        every: only every so many rounds count, the last among them.
        starts: of a network with random starts, for every problem.
        keep: whether the metrics hold the best hard allocation of the batch, where that is one problem.
    """

    spec: PolicySpec
    mode: AssociationMode = "joint"
    gradient: Literal["two-branch", "straight-through", "soft"] = "two-branch"
    temperature: TemperatureRule = field(default_factory=ControlledTemperature)
    entropy: float = 0.0
    gate: bool = True
    discount: float = 0.8
    every: int = 1
    starts: int = 1
    keep: bool = False

    def __call__(self, policy: PolicyState, batch: AssociationProblem, key: PRNGKeyArray) -> Evaluation:
        """Loss, metrics and the next temperature for a batch of problems."""
        batch = jax.tree.map(lambda leaf: jnp.repeat(leaf, self.starts, 0), batch)
        temperature = _temperature(policy)
        outputs, variables = self.spec.training_outputs(policy, batch, key=key)
        looks = jax.tree.map(lambda leaf: leaf[:, :: -self.every][:, ::-1], dict(jax.vmap(_rounds)(outputs)))
        one = jax.vmap(self._look, in_axes=(0, None, None))
        gain, seen = jax.vmap(one, in_axes=(0, 0, None))(looks, batch, temperature)
        count = gain.shape[1]
        weight = self.discount ** jnp.arange(count - 1, -1, -1.0)
        loss = -(gain * weight).sum(1).mean() / weight.sum()
        share = seen.pop("share")
        new = jax.lax.stop_gradient(self.temperature(temperature, jax.lax.stop_gradient(share[:, -1])))
        hard = seen.pop("hard")
        metrics = {name: value[:, -1].mean() for name, value in seen.items()}
        metrics |= {"utility": hard[:, -1].mean(), "best_utility": hard.max(1).mean(), "temperature": temperature}
        if self.keep:
            metrics = {**metrics, **self._best(looks, batch, hard)}
        return Evaluation(loss, {}, metrics, {**variables, TEMPERATURE: {"value": new}})

    def _look(self, outputs: Mapping[str, Array], problem: AssociationProblem, temperature: Array) -> tuple:
        """What is to grow, and what is to know, of one round of one problem."""
        logits = choice_logits(outputs["logits"], problem.snr > 0)
        share, power = tempered_softmax(logits, temperature), power_of(outputs, self.mode)
        association = chosen(outputs, problem, self.mode)
        allocation = problem.allocation(association, silenced(problem, association, power))

        def utility(share: Array, power: Array) -> Array:
            return relative_utility(problem, problem.relaxed_rates(share, power, gate=self.gate))

        hard_rates = problem.rates(allocation)
        top = share.max(-1).sum() / jnp.maximum(problem.reachable.sum(), 1)
        seen = {"share": share, "hard": problem.utility_of_rates(hard_rates), "first_choice": top}
        if self.mode == "power":
            return relative_utility(problem, hard_rates), seen
        if self.mode == "association" or self.gradient == "soft":
            gain = utility(share, power)
        elif self.gradient == "straight-through":
            gain = utility(straight_through_argmax(logits, temperature), power)
        else:
            gain = utility(share, jax.lax.stop_gradient(power)) + relative_utility(problem, hard_rates)
        return gain + self.entropy * _entropy(logits, problem), seen

    def _best(self, looks: Mapping[str, Array], batch: AssociationProblem, hard: Array) -> Mapping[str, Array]:
        """The best hard allocation of all starts and rounds."""
        flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), dict(looks))
        best = jnp.argmax(hard.reshape(-1))
        outputs = jax.tree.map(lambda leaf: jax.lax.stop_gradient(leaf[best]), flat)
        problem = jax.tree.map(lambda leaf: leaf[0], batch)
        association = jnp.where(problem.reachable, chosen(outputs, problem, self.mode), NO_BS)
        return {
            "best_utility": hard.reshape(-1)[best],
            "association": association,
            "power": silenced(problem, association, power_of(outputs, self.mode)),
        }


def _entropy(logits: Array, problem: AssociationProblem) -> Array:
    """Mean entropy of a UE's choice at a temperature of 1, nats."""
    held = jnp.isfinite(logits)
    share = tempered_softmax(logits, 1.0)
    each = -jnp.where(held, share * jnp.log(jnp.where(held, jnp.maximum(share, 1e-30), 1.0)), 0.0).sum(-1)
    return each.sum() / jnp.maximum(problem.reachable.sum(), 1)


@dataclass(frozen=True, kw_only=True)
class LabelObjective:
    """Supervised: cross entropy of the association of a `Labelled` batch, the last round's; an `Objective`.

    A term of `wirelax.training.weighted` beside `AssociationObjective`, with a weight that decays, makes the
    semi-supervised objective of Zhang et al. (HBGNN).

    Attributes:
        spec: network and features.
        power: weight of the cross entropy of the powers, where labels have "power", shares of the budgets.
    """

    spec: PolicySpec
    power: float = 0.0

    def __call__(self, policy: PolicyState, batch: Labelled, key: PRNGKeyArray) -> Evaluation:
        """Loss for a batch whose labels hold "association" [ue], -1 for a UE that does not count."""
        temperature = _temperature(policy)
        outputs, variables = self.spec.training_outputs(policy, batch.problem, key=key)

        def one(outputs: Mapping[str, Array], row: Labelled) -> Array:
            logits = choice_logits(outputs["logits"], row.problem.snr > 0)
            counts = row.problem.reachable & (row.label["association"] >= 0)
            scaled = jnp.where(jnp.isfinite(logits), logits / temperature, -1e30)
            own = jnp.maximum(row.label["association"], 0)
            log_share = jnp.take_along_axis(jax.nn.log_softmax(scaled), own[:, None], 1)[:, 0]
            loss = -jnp.where(counts, log_share, 0.0).sum() / jnp.maximum(counts.sum(), 1)
            if not self.power:
                return loss
            wanted, q = row.label["power"], outputs["power"]
            return loss - self.power * (wanted * jax.nn.log_sigmoid(q) + (1 - wanted) * jax.nn.log_sigmoid(-q)).mean()

        loss = jax.vmap(one)(outputs, batch).mean()
        return Evaluation(loss, {}, {}, variables)
