"""How the HetNet policies are trained: paper 1's supervised training, and what goes beyond it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from wirelax.batching import OverCores
from wirelax.policies import Standardiser, budgeted_power
from wirelax.solvers.energy_efficiency import exhaustive_polish
from wirelax.solvers.exhaustive import search_with_assignments
from wirelax.systems.hetnet_ee.channel import vary_path_gain
from wirelax.systems.hetnet_ee.networks import (
    EquivariantNetwork,
    HetNetCNN,
    HetNetConditioned,
    HetNetDNN,
    raw_of,
)
from wirelax.systems.hetnet_ee.policy_methods import Mode, policy_method
from wirelax.training.batches import fresh, rows
from wirelax.training.loop import LoopConfig
from wirelax.training.losses import classify_and_regress, expected_utility, label_weights
from wirelax.training.recipe import Recipe, Stage
from wirelax.types import Channel

if TYPE_CHECKING:
    from wirelax.systems.hetnet_ee.system import HetNetEE

__all__ = ["recipes"]

LABEL_STREAM = 0x1ABE15
"""Folded into the key of labels, so that no seed of test channels repeats them."""
OFF_LOG_POWER = -6.0
"""Regression target of a link that the search switches off, two decades below the smallest grid level."""
GAP_CHANNELS = 256
"""Labels whose gap to the polished optimum is measured."""


def make_labels(
    system: HetNetEE,
    count: int,
    seed: int,
    *,
    only_source: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> tuple[dict[str, np.ndarray], dict[str, Any], dict[str, Any]]:
    """Channels with the best grid value and log powers of every assignment."""
    config = system.config
    grid = {"levels": config.power_levels, "range_db": config.level_range_db, "spacing": config.level_spacing}
    source = {
        "system": system.name,
        "config": dataclasses.asdict(config),
        "seed": seed,
        "count": count,
        "grid": grid,
    }
    if only_source:
        return {}, source, {}
    report(f"labelling {count} channels by exhaustive search")
    stream = jax.random.fold_in(jax.random.key(seed), LABEL_STREAM)
    keys = jax.vmap(lambda i: jax.random.fold_in(stream, i))(jnp.arange(count))
    channels = jax.jit(jax.vmap(system.sample))(keys)

    def label(channel: Channel) -> tuple[Array, Array]:
        _, each = search_with_assignments(system.problem(channel), **grid)
        assert each is not None
        return each.utility, each.allocation["power_w"]

    value, power_w = OverCores.compile(partial(jax.lax.map, label), channels)(channels)
    gap = mean_gap_to_polish(system, jax.tree.map(lambda leaf: leaf[:GAP_CHANNELS], channels), value.max(1), grid)
    fraction = power_w / jnp.asarray(system.max_power_w)[:, None]
    log_power = jnp.where(fraction > 0, jnp.log10(jnp.where(fraction > 0, fraction, 1.0)), OFF_LOG_POWER)
    arrays = {"gain": channels["gain"], "value": value, "log_power": log_power}
    notes = {"mean_gap_to_polish": gap, "gap_channels": min(count, GAP_CHANNELS)}
    return {name: np.asarray(array) for name, array in arrays.items()}, source, notes


def mean_gap_to_polish(system: HetNetEE, channels: Mapping[str, Array], value: Array, grid: Mapping[str, Any]) -> float:
    """Mean relative distance of grid optima below the polished ones."""
    polish = lambda channel: exhaustive_polish(system.problem(channel), **grid).utility  # noqa: E731
    polished = OverCores.compile(partial(jax.lax.map, polish), channels)(channels)
    return float(jnp.mean(1 - value[: len(polished)] / polished))


def symmetries(system: HetNetEE, limit: int = 64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Renumberings of subchannels, users and BSs that leave the network what it is, at most `limit` of them.

    Returns:
        Index arrays [symmetry, subchannel], [symmetry, user], [symmetry, bs]: users move within their cells,
        micro BSs with their cells; all symmetries where there are few, random ones where there are many.
    """
    config, rng = system.config, np.random.default_rng(0)
    found: dict[tuple, None] = {}
    for _ in range(40 * limit):
        bs = np.concatenate([[0], 1 + rng.permutation(config.num_micro)])
        local = [rng.permutation(config.users_per_bs) for _ in bs]
        user = np.concatenate([config.users_per_bs * b + own for b, own in zip(bs, local, strict=True)])
        found[tuple(rng.permutation(config.num_subchannels)), tuple(user), tuple(bs)] = None
        if len(found) == limit:
            break
    subchannel, user, bs = zip(*sorted(found), strict=True)
    return np.array(subchannel), np.array(user), np.array(bs)


def shuffle_symmetric(gain: Array, tables: tuple[np.ndarray, np.ndarray, np.ndarray], key: PRNGKeyArray) -> Array:
    """The same network, renumbered by one of `symmetries` at random."""
    pick = jax.random.randint(key, (), 0, len(tables[0]))
    subchannel, user, bs = (jnp.asarray(table)[pick] for table in tables)
    return gain[subchannel[:, None, None], user[:, None], bs]


class _Losses:
    """The losses of the HetNet recipes for one network and its feature statistics."""

    def __init__(self, system: HetNetEE, network: Any, standardise: Standardiser, augment: bool = False):
        self.system, self.network, self.standardise, self.augment = system, network, standardise, augment
        self.assignments = jnp.asarray(system.assignments)
        self.symmetries = symmetries(system)

    def _outputs(self, params: Any, gain: Array) -> Mapping[str, Array]:
        return self.network.apply(params, self.standardise(self.system.features({"gain": gain})))

    def _log_efficiency(self, gain: Array, log_power: Array) -> Array:
        """Log EE (Mbit/J) of every assignment, with shared or with own powers."""
        power_w = budgeted_power(log_power, jnp.asarray(self.system.max_power_w))
        problem = self.system.problem({"gain": gain})
        power_w = jnp.broadcast_to(power_w, (len(self.assignments), *power_w.shape[-2:]))
        value = jax.vmap(problem.energy_efficiency)(self.assignments, power_w)
        return jnp.log(jnp.maximum(value, 1.0) * 1e-6)

    def supervised(self, params: Any, batch: Mapping[str, Array], key: PRNGKeyArray):
        """Cross-entropy of the assignment and squared error of the powers, eqs. (10)-(12)."""

        def one(row):
            outputs = self._outputs(params, row["gain"])
            label = jnp.argmax(row["value"])
            if outputs["log_power"].ndim == 2:
                target = raw_of(row["log_power"][label])
                return classify_and_regress(outputs["assignment_logits"], label, raw_of(outputs["log_power"]), target)
            weight = label_weights(row["value"])[:, None, None]
            values, targets = (jnp.sqrt(weight) * raw_of(x) for x in (outputs["log_power"], row["log_power"]))
            return classify_and_regress(outputs["assignment_logits"], label, values, targets)

        return jax.vmap(one)(batch).mean(), {}

    def efficiency(self, params: Any, batch: Mapping[str, Array], key: PRNGKeyArray):
        """Minus the expected log energy efficiency, through the kernels."""

        def one(row, key):
            gain = row["gain"]
            if self.augment:
                gain = shuffle_symmetric(gain, self.symmetries, key)
            outputs = self._outputs(params, gain)
            value = self._log_efficiency(gain, outputs["log_power"])
            if outputs["log_power"].ndim == 2:
                return -expected_utility(outputs["assignment_logits"], value), value.max()
            weight = jax.lax.stop_gradient(label_weights(jnp.exp(value)))
            choice = -expected_utility(outputs["assignment_logits"], jax.lax.stop_gradient(value))
            return choice - (weight * value).sum(), value.max()

        keys = jax.random.split(key, len(batch["gain"]))
        loss, best = jax.vmap(one)(batch, keys)
        return loss.mean(), {"mean_best_log_efficiency": best.mean()}


def _sample_varied(system: HetNetEE, key: PRNGKeyArray) -> dict[str, Array]:
    """A fresh channel, with other path gains on every second draw."""
    sample_key, vary_key = jax.random.split(key)
    return {"gain": vary_path_gain(system.sample(sample_key)["gain"], key=vary_key)}


def _loop(steps: int, seed: int) -> LoopConfig:
    return LoopConfig(
        steps=steps,
        learning_rate=1e-3,
        warmup_steps=min(200, steps // 10),
        checkpoint_every=max(steps // 1000 * 100, 100),
        seed=seed,
    )


_LABELS = {"smoke": 500, "quick": 5000, "paper": 20000}
_STEPS = {"smoke": (200, 100), "quick": (2000, 1000), "paper": (8000, 12000)}
"""Steps of the supervised and of the fine-tuning stage, per preset."""
_CNN_STEPS = {**_STEPS, "smoke": (100, 100), "quick": (1000, 500)}
_ENDLESS_STEPS = {"smoke": (100, 100), "quick": (1000, 2000), "paper": (3000, 12000)}


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What tells the recipes apart."""

    name: str
    summary: str
    network: Any
    steps: Mapping[str, tuple[int, int]]
    batch: int = 256
    labels: Mapping[str, int] = field(default_factory=lambda: _LABELS)
    fine_tune: bool = False
    endless: bool = False
    """Fine-tune on fresh channels instead of renumbered training channels."""
    shared_statistics: bool = False
    mode: Mode = "class"


def _recipe(system: HetNetEE, plan: _Plan) -> Recipe:
    def stages(preset: str, standardise: Standardiser, seed: int) -> list[Stage]:
        losses = _Losses(system, plan.network, standardise, augment=not plan.endless)
        supervised, tuned = plan.steps[preset]
        draw = rows(plan.batch)
        found = [Stage(name="supervised", loss=losses.supervised, batches=draw, loop=_loop(supervised, seed))]
        if plan.fine_tune:
            draw = fresh(partial(_sample_varied, system), plan.batch) if plan.endless else draw
            loop = _loop(tuned, seed + 1)
            found.append(Stage(name="efficiency", loss=losses.efficiency, batches=draw, loop=loop))
        return found

    return Recipe(
        name=plan.name,
        summary=plan.summary,
        network=plan.network,
        num_labels=plan.labels,
        make_labels=partial(make_labels, system),
        stages=stages,
        method=lambda policy: policy_method(system, plan.name, plan.summary, plan.network, lambda: policy, plan.mode),
        shared_statistics=plan.shared_statistics,
    )


def _paper_plans(kind: str, network: Any, steps: Mapping[str, tuple[int, int]]) -> list[_Plan]:
    """Paper 1's network on all, 5,000 and 10,000 labels, and fine-tuned on the efficiency itself."""
    title = kind.upper()
    common: dict[str, Any] = {"network": network, "steps": steps}
    sized = [{preset: min(count, 1000 * size) for preset, count in _LABELS.items()} for size in (5, 10)]
    return [
        _Plan(name=kind, summary=f"paper 1's {title}, supervised on exhaustive-search labels", **common),
        _Plan(name=f"{kind}-5k", summary=f"{title} on 5,000 labels", labels=sized[0], **common),
        _Plan(name=f"{kind}-10k", summary=f"{title} on 10,000 labels", labels=sized[1], **common),
        _Plan(name=f"{kind}+ee", summary=f"{title} fine-tuned on the energy efficiency", fine_tune=True, **common),
    ]


def recipes(system: HetNetEE) -> Mapping[str, Recipe]:
    """Policies of the HetNet system that can be trained, by name."""
    classes = len(system.assignments)
    nested = tuple(tuple(tuple(int(u) for u in bs) for bs in choice) for choice in system.assignments)
    beyond: dict[str, Any] = {
        "steps": _ENDLESS_STEPS,
        "batch": 128,
        "fine_tune": True,
        "endless": True,
        "mode": "best",
    }
    plans = [
        *_paper_plans("dnn", HetNetDNN(classes), _STEPS),
        *_paper_plans("cnn", HetNetCNN(classes), _CNN_STEPS),
        _Plan(
            name="conditioned",
            summary="powers conditioned on the assignment, endless channels, best of all assignments",
            network=HetNetConditioned(classes),
            **beyond,
        ),
        _Plan(
            name="equivariant",
            summary="permutation-equivariant network, endless channels, best of all assignments",
            network=EquivariantNetwork(nested),
            shared_statistics=True,
            **beyond,
        ),
    ]
    return {plan.name: _recipe(system, plan) for plan in plans}
