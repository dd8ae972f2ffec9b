"""How the networks of the papers, and the network on links, are trained: semi-supervised, for one size each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from jaxtyping import Array, PRNGKeyArray

from wirelax.kernels import association_load
from wirelax.policies import PolicySpec, PolicyState
from wirelax.policies.association.edge import EdgeGNN
from wirelax.policies.association.features import link_features
from wirelax.policies.association.hbgnn import HBGNN
from wirelax.policies.association.heads import AssociationHead, AssociationMode, silenced, strongest
from wirelax.policies.association.hgsage import HGSAGE
from wirelax.policies.association.image import AssociationCNN, AssociationFCNN
from wirelax.problems import NO_BS, AssociationProblem
from wirelax.solvers.association import association_juapcmwser, association_uamwser, power_update
from wirelax.systems.hudn.adapted import Adapted
from wirelax.systems.hudn.catalogue import METHODS, RECIPES
from wirelax.systems.hudn.config import HudnConfig
from wirelax.systems.hudn.system import Hudn
from wirelax.systems.policies import shipped_method
from wirelax.systems.recipe import Labels, Recipe, Stage, fresh_problems, labelled_rows
from wirelax.training import Evaluation, LoopConfig, Source
from wirelax.training.association import AssociationObjective, ControlledTemperature, LabelObjective
from wirelax.types import Method

__all__ = ["fcnn_width", "label", "policy", "recipe"]

HELD_OUT, HELD_OUT_KEY = 32, 0x5EED
"""Channels of the metrics while training, the same for every recipe and seed."""
FCNN_WIDTH, FCNN_LINKS = 2048, 120 * 105
"""Width of the paper's fully connected network, and the links that it is for."""
LABEL_WEIGHT, LABEL_POWER, LABELLED_FOR = 0.5, 0.5, 0.5
"""First weight of the labels, that of the powers among them, and the part of the steps in which the former decays."""
ENDINGS: dict[str, AssociationMode] = {"-ua": "association", "-pa": "power"}
LABEL_STEPS = 60
"""Of the power update, in labels of powers under a given association."""


@dataclass(frozen=True, kw_only=True)
class _Effort:
    """How long a preset trains: steps, problems in a batch, steps between two looks, channels with labels."""

    steps: int
    batch: int
    chunk: int
    labels: int


_EFFORTS = {
    "smoke": _Effort(steps=4, batch=2, chunk=2, labels=8),
    "quick": _Effort(steps=1500, batch=16, chunk=50, labels=256),
    "paper": _Effort(steps=10000, batch=64, chunk=100, labels=4096),
}
_QUICK_STEPS = {"cnn": 100, "edge": 600}
"""Of networks whose steps take longer."""
SMALL_LINKS, SMALL_STEPS = 1000, 600
"""Most links of a network that learns in so many steps of the quick preset: that of the paper's curves in small."""


def fcnn_width(num_ues: int, num_bss: int) -> int:
    """Width of the hidden layers: the paper's at its size, in proportion to the root of the links at others."""
    width = FCNN_WIDTH * (num_ues * num_bss / FCNN_LINKS) ** 0.5
    return max(64, 64 * round(width / 64))


def _network(config: HudnConfig, name: str) -> nn.Module:
    """The network that a recipe's name begins with."""
    return {
        "hbgnn": lambda: HBGNN(),
        "hbgnn-bilinear": lambda: HBGNN(head="bilinear"),
        "hgsage": lambda: HGSAGE(),
        "cnn": lambda: AssociationCNN(),
        "fcnn": lambda: AssociationFCNN(width=fcnn_width(config.num_ues, config.num_bss)),
        "edge": lambda: EdgeGNN(),
    }[name]()


def label(mode: AssociationMode, problem: AssociationProblem) -> dict[str, Array]:
    """What the best cheap baseline decides of what the network decides: an association, powers, and its utility.

    Args:
        mode: "joint", of JUAPCMWSER; "association", of UAMWSER at full power; "power", powers of the power update under
            the strongest BSs, and an association of `NO_BS`, which no network learns from.
        problem: one downlink.
    """
    if mode == "power":
        association = strongest(problem)
        power = power_update(problem, association, jnp.ones_like(problem.max_power_w), LABEL_STEPS)
        told = jnp.full_like(association, NO_BS)
    else:
        found = (association_juapcmwser if mode == "joint" else association_uamwser)(problem).allocation
        association = told = found["association"]
        power = problem.power_share(found)
    value = problem.utility(problem.allocation(association, silenced(problem, association, power)))
    return {"association": told.astype(jnp.int32), "power": power, "value": value}


@dataclass(frozen=True)
class _Label:
    mode: AssociationMode

    def __call__(self, problem: AssociationProblem, key: PRNGKeyArray) -> Mapping[str, Array]:
        return label(self.mode, problem)


@dataclass(frozen=True, kw_only=True)
class _SemiSupervised:
    """Minus the utility, and the error of labels with a weight that decays: L of Zhang et al. (HBGNN)."""

    utility: AssociationObjective
    labels: LabelObjective
    weight: Callable[[Any], Any]
    step: Any = 0

    def at(self, step: Any) -> _SemiSupervised:
        """The same with the weight of another step."""
        return replace(self, step=step)

    def __call__(self, policy: PolicyState, batch: Mapping[str, Any], key: PRNGKeyArray) -> Evaluation:
        """Loss, and the mean and the largest utility of what is decided in the batch."""
        keys = jax.random.split(key)
        found = self.utility(policy, batch["problems"], keys[0])
        supervised = self.labels(policy, batch["labels"], keys[1])
        weight = self.weight(self.step)
        metrics = dict(found.metrics)
        what = "rate" if batch["problems"].objective == "sum-rate" else "utility"
        metrics |= {f"mean_{what}": metrics.pop("utility"), f"max_{what}": metrics.pop("best_utility")}
        metrics |= {"label_loss": supervised.loss, "label_weight": jnp.asarray(weight)}
        return Evaluation(found.loss + weight * supervised.loss, {}, metrics, found.variables)


@dataclass(frozen=True)
class _HeldOut:
    """Metrics of the policy as it decides, on channels that no step draws, and the mean utility of the labels."""

    system: Hudn
    spec: PolicySpec

    def __call__(self, policy: PolicyState, data: Any) -> dict[str, Array]:
        """Means over the channels."""
        problems = fresh_problems(self.system, HELD_OUT).draw(data, jax.random.key(HELD_OUT_KEY))

        def one(problem: AssociationProblem) -> tuple[Array, Array]:
            allocation = self.spec.allocate(policy, problem)
            return problem.utility(allocation), (association_load(allocation["association"], problem.num_bss) > 0).sum()

        utility, serving = jax.vmap(one)(problems)
        label = data["labels"].label["value"].mean()
        return {"held_out": utility.mean(), "serving_bss": serving.mean(dtype=float), "label": label}


def _source(system: Hudn, batch: int) -> Source:
    """Fresh problems, and a quarter as many labelled ones."""
    fresh, labelled = fresh_problems(system, batch), labelled_rows(max(batch // 4, 1))

    def draw(data: Any, key: PRNGKeyArray) -> dict[str, Any]:
        keys = jax.random.split(key)
        return {"problems": fresh.draw(data, keys[0]), "labels": labelled.draw(data, keys[1])}

    return Source(draw)


def recipe(system: Hudn, name: str) -> Recipe:
    """One of the networks; "-ua" learns the association at full power, "-pa" powers under the strongest BSs."""
    ending = next((ending for ending in ENDINGS if name.endswith(ending)), "")
    base, mode = name.removesuffix(ending), ENDINGS.get(ending, "joint")
    network = _network(system.config, base)
    sizes = () if base == "edge" else ("num_ues", "num_bss")
    spec = PolicySpec(network, link_features, AssociationHead(mode), sizes, "none")

    def stages(preset: str, seed: int) -> list[Stage]:
        effort = _EFFORTS[preset]
        steps = _QUICK_STEPS.get(base, effort.steps) if preset == "quick" else effort.steps
        if preset == "quick" and system.config.num_ues * system.config.num_bss <= SMALL_LINKS:
            steps = min(steps, SMALL_STEPS)
        loop = LoopConfig(
            steps=steps,
            learning_rate=1e-4 if preset == "paper" else 1e-3,
            final_learning_rate_fraction=0.05,
            warmup_steps=steps // 20,
            chunk=effort.chunk,
            checkpoint_every=5 * effort.chunk,
            seed=seed,
        )
        decided = AssociationObjective(
            spec=spec,
            mode=mode,
            gradient="two-branch" if base in ("hgsage", "edge") else "soft",
            temperature=ControlledTemperature(0.95 if system.config.num_ues > 60 else 0.8),
        )
        objective = _SemiSupervised(
            utility=decided,
            labels=LabelObjective(spec=spec, power=0.0 if mode == "association" else LABEL_POWER),
            weight=optax.linear_schedule(LABEL_WEIGHT, 0.0, max(int(LABELLED_FOR * steps), 1)),
        )
        source, held_out = _source(system, effort.batch), _HeldOut(system, spec)
        return [Stage(name="semi-supervised", objective=objective, source=source, loop=loop, evaluate=held_out)]

    count = {preset: effort.labels for preset, effort in _EFFORTS.items()}
    what = {"joint": "juapcmwser", "association": "uamwser", "power": "power update"}[mode]
    labels = Labels(count=count, label=_Label(mode), what=what, chunk=8, settings={"labels": what})
    return Recipe(name=name, summary=RECIPES[name].summary, spec=spec, stages=stages, labels=labels)


def policy(system: Hudn, name: str) -> Method:
    """The method of a network of the papers with the weights that come with the package: GRL, or SRL from there."""
    base, _, kind = name.rpartition("-")
    trained = recipe(system, base)
    how = {"solve": Adapted(spec=trained.spec)} if kind == "srl" else {}
    return shipped_method(system, name, METHODS[name].summary, trained, chunk=8, **how)
