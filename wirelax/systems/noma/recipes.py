"""How the NOMA policies are trained: paper 2's supervised training, and what goes beyond it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from wirelax.batching import OverCores, map_chunks
from wirelax.policies import Standardiser
from wirelax.solvers.noma_power import CHUNK, noma_power
from wirelax.systems.noma.channel import sample_mixed
from wirelax.systems.noma.config import Head
from wirelax.systems.noma.networks import NomaDNN, NomaEquivariant
from wirelax.systems.noma.policy_methods import policy_method
from wirelax.training.batches import fresh, held_out_rows, rows
from wirelax.training.loop import LoopConfig
from wirelax.training.recipe import Recipe, Stage
from wirelax.types import Channel

if TYPE_CHECKING:
    from wirelax.systems.noma.system import Noma

__all__ = ["recipes"]

LABEL_STREAM = 0x1ABE15
"""Folded into the key of labels, so that no seed of test channels repeats them."""
RATE_SCALE = 0.1
"""Sum rates of tens of bit/s/Hz as losses of order 1."""
TARGET_MARGIN = 1.2
"""Primal-dual training asks for R_min times this."""
ACCEPTED_SHORTFALL = 1e-4
"""Mean log shortfall at which the multiplier stays where it is: at most 0.055 % of pairs are below R_min then."""
FIRST_MULTIPLIER = 10.0
HELD_OUT = 0.1
"""Fraction of the labels that is never trained on."""
OTHER_SIZES = ((10, 30), (25, 20))
"""Subchannels and users that the equivariant network also sees: paper 2's largest."""


def make_labels(
    system: Noma,
    count: int,
    seed: int,
    *,
    only_source: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> tuple[dict[str, np.ndarray], dict[str, Any], dict[str, Any]]:
    """Channels, schedules between random and greedy, and their powers by interior point."""
    source = {"system": system.name, "config": dataclasses.asdict(system.config), "seed": seed, "count": count}
    if only_source:
        return {}, source, {}
    report(f"labelling {count} channels by interior point")
    stream = jax.random.fold_in(jax.random.key(seed), LABEL_STREAM)
    keys = jax.vmap(lambda i: jax.random.fold_in(stream, i))(jnp.arange(count))
    channels = jax.jit(jax.vmap(lambda key: sample_mixed(system.config, system.munich, key=key)))(keys)

    def label(pair: tuple[Channel, PRNGKeyArray]) -> tuple[Array, Array]:
        channel, key = pair
        problem = system.problem(channel)
        slots = problem.slots(channel["assignment"])
        found = noma_power(problem, slots, starts=1, key=key)
        return slots.scatter(found.allocation["power_w"], problem.num_users), found.feasible

    run = OverCores.compile(lambda batch: map_chunks(label, batch, CHUNK), (channels, keys))
    began = time.perf_counter()
    power_w, feasible = run((channels, keys))
    notes = {
        "labels_per_second": count / (time.perf_counter() - began),
        "infeasible": int(count - feasible.sum()),
    }
    report(f"{notes['labels_per_second']:,.0f} labels a second, {notes['infeasible']} schedules cannot meet R_min")
    return {name: np.asarray(array) for name, array in {**channels, "power_w": power_w}.items()}, source, notes


class _Losses:
    """The losses of the NOMA recipes for one network and its feature statistics."""

    def __init__(self, system: Noma, network: Any, standardise: Standardiser, head: Head):
        self.system, self.network, self.standardise, self.head = system, network, standardise, head

    def _power(self, system: Noma, params: Any, channel: Channel) -> Array:
        outputs = self.network.apply(params, self.standardise(system.features(channel)))
        return system.power(outputs, channel, self.head)

    def _error(self, params: Any, batch: Mapping[str, Array]) -> Array:
        """Squared error of the shares of P_c, eq. (12), mean over the batch."""

        def one(row: Mapping[str, Array]) -> Array:
            error = self._power(self.system, params, row) - row["power_w"]
            return jnp.square(error / self.system.total_power_w).sum()

        return jax.vmap(one)(batch).mean()

    def supervised(self, params: Any, batch: Mapping[str, Array], key: PRNGKeyArray):
        """Squared error on a batch of labels."""
        return self._error(params, batch), {}

    def held_out(self, params: Any, labels: Mapping[str, Array]) -> Mapping[str, Array]:
        """The same on the labels that are held out."""
        return {"held_out_loss": self._error(params, held_out_rows(labels, HELD_OUT))}

    def _rate_and_shortfall(self, system: Noma, params: Any, channel: Channel) -> tuple[Array, Array, Array]:
        """Sum rate, mean log shortfall from R_min, fraction of pairs below R_min."""
        problem, assignment = system.problem(channel), channel["assignment"]
        rates = problem.rates(assignment, self._power(system, params, channel))
        reachable = problem.simplex(problem.slots(assignment)).feasible
        count = jnp.maximum(assignment.sum(), 1)
        target = max(system.config.min_rate, 1e-9)
        short = jax.nn.relu(jnp.log(TARGET_MARGIN * target / jnp.maximum(rates, 1e-20)))
        mean = lambda v: jnp.where(assignment & reachable, v, 0.0).sum() / count  # noqa: E731
        return rates.sum(), mean(short), mean(rates < target)

    def rate(self, params: Any, batch: tuple[Channel, ...], key: PRNGKeyArray, *, constrained: bool = False):
        """Minus the sum rate through the kernels; with R_min as a constraint, its multiplier trained against it."""
        loss, metrics = 0.0, {}
        dual = params["dual"]["min_rate"]
        multiplier = FIRST_MULTIPLIER * jnp.exp(jax.lax.stop_gradient(dual))
        for system, channels in zip(self._systems(), batch, strict=True):
            measure = jax.vmap(partial(self._rate_and_shortfall, system, params))
            rate, short, below = (value.mean() for value in measure(channels))
            loss -= RATE_SCALE * rate
            if constrained:
                # Clipped: the first, large shortfalls would set Adam's scale for thousands of steps.
                excess = jnp.clip(jax.lax.stop_gradient(short) / ACCEPTED_SHORTFALL - 1, -1, 1)
                ascent = -dual * excess
                loss += multiplier * short + ascent - jax.lax.stop_gradient(ascent)
            metrics = metrics or {"sum_rate": rate, "violated_pairs": below, "multiplier": multiplier}
        return loss, metrics

    def _systems(self) -> tuple[Noma, ...]:
        return _sizes(self.system) if isinstance(self.network, NomaEquivariant) else (self.system,)


def _sizes(system: Noma) -> tuple[Noma, ...]:
    """The system, and the same at the sizes that the equivariant network also sees."""
    if system.config.scenario != "rayleigh":
        return (system,)
    others = [type(system)(dataclasses.replace(system.config, num_subchannels=n, num_users=m)) for n, m in OTHER_SIZES]
    return (system, *others)


def _draw(systems: tuple[Noma, ...], key: PRNGKeyArray) -> tuple[Channel, ...]:
    return tuple(sample_mixed(system.config, system.munich, key=key) for system in systems)


_LABELS = {"smoke": 256, "quick": 10000, "paper": 20000}
_STEPS = {
    "smoke": {"supervised": 100, "sum-rate": 100, "primal-dual": 100},
    "quick": {"supervised": 6000, "sum-rate": 3000, "primal-dual": 6000},
    "paper": {"supervised": 40000, "sum-rate": 20000, "primal-dual": 40000},
}
"""Steps of the stages, per preset."""
_EQUIVARIANT_STEPS = {
    "smoke": {"supervised": 100, "sum-rate": 100},
    "quick": {"supervised": 3000, "sum-rate": 1500},
    "paper": {"supervised": 10000, "sum-rate": 10000},
}
_CURVE_STEPS = {"smoke": 100, "quick": 2000, "paper": 40000}


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What tells the recipes apart."""

    name: str
    summary: str
    network: Any
    fine_tuned: Literal["sum-rate", "primal-dual"] | None = None
    steps: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: _STEPS)
    batch: int = 50
    learning_rate: float = 1e-3
    head: Head = "split"
    shared_statistics: bool = False


def _recipe(system: Noma, plan: _Plan) -> Recipe:
    def stages(preset: str, standardise: Standardiser, seed: int) -> list[Stage]:
        losses = _Losses(system, plan.network, standardise, plan.head)
        systems = _sizes(system) if isinstance(plan.network, NomaEquivariant) else (system,)
        draw = fresh(partial(_draw, systems), 128 // len(systems))

        def loop(index: int, name: str, **options: Any) -> LoopConfig:
            steps = plan.steps[preset][name]
            every = max(steps // 1000 * 100, 100)
            return LoopConfig(steps=steps, seed=seed + index, checkpoint_every=every, **options)

        supervised = Stage(
            name="supervised",
            loss=losses.supervised,
            batches=rows(plan.batch, HELD_OUT),
            loop=loop(0, "supervised", optimizer="rmsprop", learning_rate=plan.learning_rate),
            evaluate=losses.held_out,
        )
        if not plan.fine_tuned:
            return [supervised]
        finer = Stage(
            name=plan.fine_tuned,
            loss=partial(losses.rate, constrained=plan.fine_tuned == "primal-dual"),
            batches=draw,
            loop=loop(1, plan.fine_tuned, learning_rate=1e-3, warmup_steps=50),
        )
        return [supervised, finer]

    return Recipe(
        name=plan.name,
        summary=plan.summary,
        network=plan.network,
        num_labels=_LABELS,
        make_labels=partial(make_labels, system),
        stages=stages,
        method=lambda policy: policy_method(system, plan.name, plan.summary, plan.network, lambda: policy, plan.head),
        shared_statistics=plan.shared_statistics,
        batch_size=plan.batch,
    )


def recipes(system: Noma) -> Mapping[str, Recipe]:
    """Policies of the NOMA system that can be trained, by name."""
    network = NomaDNN()
    curve = {preset: {"supervised": steps} for preset, steps in _CURVE_STEPS.items()}
    plans = [
        _Plan(name="dnn", summary="paper 2's DNN, supervised on interior-point labels", network=network),
        _Plan(name="dnn+rate", summary="that DNN fine-tuned on the sum rate", network=network,
              fine_tuned="sum-rate"),
        _Plan(name="dnn+qos", summary="that DNN with learnt floors, fine-tuned with R_min by primal-dual",
              network=NomaDNN(floor=True), fine_tuned="primal-dual"),
        _Plan(
            name="dnn+simplex",
            summary="that DNN splitting what R_min leaves over, fine-tuned on the sum rate: feasible by construction",
            network=network,
            fine_tuned="sum-rate",
            head="simplex",
        ),
        _Plan(
            name="equivariant",
            summary="one network for any numbers of subchannels and users, feasible by construction",
            network=NomaEquivariant(system.config.max_users_per_subchannel),
            fine_tuned="sum-rate",
            head="simplex",
            steps=_EQUIVARIANT_STEPS,
            shared_statistics=True,
        ),
        *(
            _Plan(name=f"dnn-batch-{b}", summary=f"dnn with batches of {b}", network=network, steps=curve, batch=b)
            for b in (20, 50, 100, 200)
        ),
        *(
            _Plan(name=f"dnn-rate-{r}", summary=f"dnn at learning rate {r}", network=network, steps=curve,
                  learning_rate=float(r))
            for r in ("0.01", "0.001", "0.0001")
        ),
    ]  # fmt: skip
    return {plan.name: _recipe(system, plan) for plan in plans}
