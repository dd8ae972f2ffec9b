"""How the unfolded network is trained: cities of many sizes drawn inside the steps, no labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from wirelax.policies import PolicySpec, PolicyState
from wirelax.policies.association.features import link_features
from wirelax.policies.association.heads import AssociationHead, AssociationMode
from wirelax.policies.association.starts import BestOfStarts
from wirelax.policies.association.unfolded import UnfoldedNetwork
from wirelax.problems import AssociationProblem
from wirelax.systems.hudn.catalogue import RECIPES
from wirelax.systems.hudn.system import Hudn
from wirelax.systems.recipe import Recipe, Stage
from wirelax.training import LoopConfig, Source, Term, fresh, mapped, together, weighted
from wirelax.training.association import AssociationObjective, ControlledTemperature, FixedTemperature, TemperatureRule
from wirelax.training.objectives import Weighted

__all__ = ["City", "city_problems", "recipe", "unfolded_spec", "without_some"]

HELD_OUT, HELD_OUT_KEY = 8, 0x5EED
"""Channels of the metrics while training, the same for every seed."""


@dataclass(frozen=True, kw_only=True)
class City:
    """Cities of one size in the batches.

    Attributes:
        sizes: fields of the configuration that are not the defaults.
        batch: problems a batch.
        weight: of the loss.
        temperature: its rule; by default another term moves it.
        thinned: whether UEs, BSs and weak links are left out at random, see `without_some`.
    """

    sizes: Mapping[str, Any] = field(default_factory=dict)
    batch: int
    weight: float = 1.0
    temperature: TemperatureRule = field(default_factory=FixedTemperature)
    thinned: bool = False


SMALL = {"num_ues": 30, "num_bss": 23, "num_macro": 3, "side_m": 100.0, "points_per_side": 20, "num_buildings": 5}
MIDDLE = {"num_ues": 80, "num_bss": 40, "num_macro": 4, "side_m": 150.0, "points_per_side": 30, "num_buildings": 10}
TINY = {"num_ues": 6, "num_bss": 4, "num_macro": 1, "num_buildings": 15}
FIRST = {"small": City(sizes=SMALL, batch=16, temperature=ControlledTemperature(0.9))}
"""Small cities alone, on which a network learns most of what there is to learn in a minute."""
ALL = {
    "full": City(batch=4, temperature=ControlledTemperature(0.95)),
    "middle": City(sizes=MIDDLE, batch=2, weight=0.25, thinned=True),
    "small": City(sizes=SMALL, batch=8, weight=0.25, thinned=True),
    "tiny": City(sizes=TINY, batch=32, weight=0.25),
}
TRIAL = {"tiny": City(sizes=TINY, batch=2, temperature=ControlledTemperature(0.9))}
"""What compiles and runs in seconds."""


def without_some(problem: AssociationProblem, key: PRNGKeyArray) -> AssociationProblem:
    """The problem without some of its UEs, BSs and weak links: rows, columns and entries of zeros.

    Half of the problems lose up to 80 % of their UEs, half up to 80 % of their BSs, and half all links weaker than a
    level between -10 and 20 dB, so that networks see other ratios of UEs to BSs, and links that are absent.
    """
    keys = jax.random.split(key, 6)
    kept = [jnp.where(jax.random.bernoulli(k), jax.random.uniform(k, minval=0.2), 1.0) for k in keys[:2]]
    ues, bss = (
        jax.random.bernoulli(k, share, (n,)) for k, share, n in zip(keys[2:4], kept, problem.snr.shape, strict=True)
    )
    level = 10 ** jax.random.uniform(keys[4], minval=-1.0, maxval=2.0)
    level = jnp.where(jax.random.bernoulli(keys[5]), level, 0.0)
    held = ues[:, None] & bss & (problem.snr >= level)
    return replace(problem, snr=jnp.where(held, problem.snr, 0.0))


def city_problems(system: Hudn, city: City) -> Source:
    """Batches of problems of fresh cities of one size, with the radio of `system`."""
    fields = {"utility": system.config.utility, **city.sizes}
    other = type(system)(**fields)
    side = {"side_m": other.config.side_m}

    def sample(constants: Mapping[str, Any], key: PRNGKeyArray) -> AssociationProblem:
        bound: Any = other.with_constants({"numbers": {**constants["numbers"], **side}, "data": None})
        return bound.problem(bound.sample(key))

    source = fresh(sample, city.batch)
    source = mapped(source, without_some) if city.thinned else source
    return Source(lambda data, key: source.draw(data["constants"], key))


def unfolded_spec(system: Hudn, mode: AssociationMode = "joint", **network: Any) -> PolicySpec:
    """The unfolded network for the utility of a system, of any size."""
    fair = system.config.utility == "proportional-fair"
    return PolicySpec(UnfoldedNetwork(fair=fair, **network), link_features, AssociationHead(mode), (), "none")


@dataclass(frozen=True)
class _Effort:
    """How long a preset trains: steps of both stages, and steps between two looks at the metrics.

    Proportional fairness, a smooth utility in which all UEs count, is learned in a fraction of the steps.
    """

    first: int
    steps: int
    fair_steps: int
    chunk: int


_EFFORTS = {
    "smoke": _Effort(first=4, steps=4, fair_steps=4, chunk=2),
    "quick": _Effort(first=1500, steps=12000, fair_steps=1500, chunk=100),
    "paper": _Effort(first=3000, steps=60000, fair_steps=12000, chunk=100),
}


def _objective(spec: PolicySpec, cities: Mapping[str, City]) -> Weighted:
    """The weighted sum over sizes; one of them moves the temperature."""
    terms = {
        name: Term(
            objective=AssociationObjective(spec=spec, temperature=city.temperature, every=2),
            weight=city.weight,
            part=name,
        )
        for name, city in cities.items()
    }
    return weighted(**terms)


def _source(system: Hudn, cities: Mapping[str, City]) -> Source:
    drawn = together(**{name: city_problems(system, city) for name, city in cities.items()})
    return Source(lambda data, key: drawn.draw(dict.fromkeys(cities, data), key))


def recipe(system: Hudn, name: str) -> Recipe:
    """The unfolded network on cities of all sizes, whatever the sizes and the scenario of `system`."""
    spec = unfolded_spec(system)

    def stages(preset: str, seed: int) -> list[Stage]:
        effort = _EFFORTS[preset]
        steps = effort.fair_steps if system.config.utility == "proportional-fair" else effort.steps

        def stage(name: str, cities: Mapping[str, City], steps: int, rate: float) -> Stage:
            loop = LoopConfig(
                steps=steps,
                learning_rate=rate,
                final_learning_rate_fraction=0.05,
                warmup_steps=steps // 20,
                chunk=effort.chunk,
                checkpoint_every=5 * effort.chunk if effort.chunk > 2 else effort.chunk,
                seed=seed,
            )
            objective, source = _objective(spec, cities), _source(system, cities)
            return Stage(name=name, objective=objective, source=source, loop=loop, evaluate=_HeldOut(system, spec))

        first, cities = (TRIAL, TRIAL) if preset == "smoke" else (FIRST, ALL)
        return [stage("small", first, effort.first, 2e-3), stage("all", cities, steps, 2e-3)]

    return Recipe(
        name=name,
        summary=RECIPES[name].summary,
        spec=spec,
        stages=stages,
        solve=BestOfStarts(spec=spec),
    )


@dataclass(frozen=True)
class _HeldOut:
    """Metrics of the policy as it decides with one start, on full-size cities that no step draws."""

    system: Hudn
    spec: PolicySpec

    def __call__(self, policy: PolicyState, data: Any) -> dict[str, Array]:
        """Mean utility over the channels."""
        source = city_problems(self.system, City(batch=HELD_OUT))
        problems = source.draw(data, jax.random.key(HELD_OUT_KEY))
        solve = BestOfStarts(spec=self.spec)
        found = jax.vmap(lambda problem: solve(policy, problem, jax.random.key(0)))(problems)
        return {"held_out": found.utility.mean()}
