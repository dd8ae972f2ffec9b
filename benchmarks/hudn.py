"""Methods of the ultra-dense network, batched, timed against the same algorithms in NumPy on the same events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from wirelax.execution import map_chunks, timed
from wirelax.policies import PolicySpec, PolicyState
from wirelax.problems import AssociationProblem
from wirelax.solvers import association as solvers
from wirelax.systems import Recipe, System, get
from wirelax.systems.hudn.methods import CHUNK
from wirelax.systems.run import make_problems, sample_channels
from wirelax.training import TrainState, init_state, make_optimizer, take_step
from wirelax.types import Solution

from . import numpy_hudn
from .hudn_matching import best_log_rates, efficiencies
from .numpy_hudn import Event, Found
from .timing import Row, add_ratios, compile_call, measure, row

__all__ = ["METHODS", "POLICIES", "Batched", "Forward", "hudn_rows"]

BATCH, LOOP, ASSIGNMENT = "batched", "NumPy loop", "SciPy's assignment"
POLICIES = ("unfolded", "hbgnn")
STEPS = 2
"""Training steps in one timed call."""


def _polished(problem: AssociationProblem) -> Solution:
    return solvers.association_polish(problem, solvers.association_maramp(problem).allocation)


def _judged(problem: AssociationProblem) -> Mapping[str, Any]:
    """What an allocation is worth, every UE at its strongest BS."""
    association = jnp.argmax(problem.snr, -1)
    return problem.metrics(problem.allocation(association, jnp.ones(problem.num_bss)))


class Compared(NamedTuple):
    """A method of ours and what does the same in NumPy, one event after the other."""

    ours: Callable[[AssociationProblem], Any]
    numpy: Callable[[Event], Any]
    assignment: bool = False


METHODS = {
    "evaluation": Compared(_judged, lambda event: numpy_hudn.evaluate(event, numpy_hudn.maramp(event))),
    "msuamp": Compared(solvers.association_msuamp, numpy_hudn.msuamp, assignment=True),
    "uamwser": Compared(solvers.association_uamwser, numpy_hudn.uamwser),
    "juapcmwser": Compared(solvers.association_juapcmwser, numpy_hudn.juapcmwser),
    "maramp and polish": Compared(_polished, lambda event: numpy_hudn.power_polish(event, numpy_hudn.maramp(event))),
}


@dataclass(frozen=True)
class Batched:
    """A function of one event over a batch, in chunks; equal ones are compiled once."""

    function: Callable[[AssociationProblem], Any]

    def __call__(self, problems: AssociationProblem) -> Any:
        """What it returns, with a leading axis."""
        return map_chunks(self.function, problems, CHUNK)


@dataclass(frozen=True)
class Forward:
    """One pass of a policy over a batch, in chunks: features, network, head, and the judge."""

    spec: PolicySpec

    def __call__(self, problems: AssociationProblem, policy: PolicyState) -> Any:
        """Utilities."""
        return map_chunks(lambda problem: problem.utility(self.spec.allocate(policy, problem)), problems, CHUNK)


def hudn_rows(*, events: int, numpy_events: int, repeats: int, training: bool = False) -> list[Row]:
    """Two rows a method and one a policy.

    Args:
        events: in the batch, each in a city of its own.
        numpy_events: of these, the ones that NumPy solves one after the other.
        repeats: timed runs of each.
        training: also a step of the training of policies that need no labels, which takes minutes to compile.
    """
    system = get("hudn")
    problems = make_problems(system, sample_channels(system, events, seed=0))
    rows = [each for name in METHODS for each in _rows_of(name, problems, numpy_events, repeats)]
    recipes = system.recipes
    for name in POLICIES:
        if name in recipes:
            rows += _policy_rows(system, recipes[name], problems, repeats, training)
    return rows


def _rows_of(name: str, problems: AssociationProblem, numpy_events: int, repeats: int) -> list[Row]:
    method, events = METHODS[name], len(problems.snr)
    first = [Event(snr) for snr in np.asarray(problems.snr[:numpy_events], np.float64)]
    call, compile_seconds = compile_call(Batched(method.ours), problems)
    calls: dict[str, Callable[[], Any]] = {BATCH: call, LOOP: lambda: [method.numpy(event) for event in first]}
    if method.assignment:
        calls[ASSIGNMENT] = lambda: [_assigned(event) for event in first]
    timings = measure(calls, repeats)
    ours = _sum_rates(timings[BATCH].result)
    own = row(
        f"{name}, {BATCH}",
        timings[BATCH],
        events,
        unit="event",
        compile_seconds=compile_seconds,
        notes="float32, all cores",
        mean_sum_rate=float(ours.mean()),
        compared_events=len(first),
    )
    others = []
    for label in list(calls)[1:]:
        theirs = np.array([_sum_rate(event, found) for event, found in zip(first, timings[label].result, strict=True)])
        notes = "float64, one event after the other on one core"
        other = row(f"{name}, {label}", timings[label], len(first), unit="event", notes=notes)
        other["mean_sum_rate"] = float(theirs.mean())
        own[f"largest_difference_to_{_key(label)}"] = float(np.max(np.abs(ours[: len(first)] / theirs - 1)))
        others.append((_key(label), other))
    add_ratios(own, others)
    return [own, *(other for _, other in others)]


def _key(label: str) -> str:
    return label.lower().replace("'", "").replace(" ", "_")


def _assigned(event: Event) -> Found:
    power = np.ones(event.snr.shape[1])
    return Found(best_log_rates(efficiencies(event.snr, power)), power)


def _sum_rates(found: Any) -> np.ndarray:
    return np.asarray(found.utility if isinstance(found, Solution) else found["sum_rate"], float)


def _sum_rate(event: Event, found: Any) -> float:
    return (found if isinstance(found, dict) else numpy_hudn.evaluate(event, found))["sum_rate"]


def _policy_rows(
    system: System, recipe: Recipe, problems: AssociationProblem, repeats: int, training: bool
) -> list[Row]:
    first = jax.tree.map(lambda leaf: leaf[: min(8, len(leaf))], problems)
    policy = recipe.spec.init(first, key=jax.random.key(0))
    call, compile_seconds = compile_call(Forward(recipe.spec), problems, policy)
    timing = measure({recipe.name: call}, repeats)[recipe.name]
    parameters = sum(leaf.size for leaf in jax.tree.leaves(policy.params))
    forward = row(
        f"policy {recipe.name}, {BATCH}",
        timing,
        len(problems.snr),
        unit="event",
        compile_seconds=compile_seconds,
        notes="float32, all cores, fresh weights, one start",
        parameters=parameters,
    )
    timed_too = training and not recipe.labels
    return [forward, _step_row(system, recipe, policy, repeats)] if timed_too else [forward]


def _step_row(system: System, recipe: Recipe, policy: PolicyState, repeats: int) -> Row:
    """A step of the last stage at the size of the preset "quick": its batch drawn, its loss and slope, its update."""
    stage = recipe.stages("quick", 0)[-1]
    optimizer, objective, key = make_optimizer(stage.loop), stage.objective, jax.random.key(0)
    data = {"constants": system.constants()}

    def start(policy: PolicyState, data: Any) -> TrainState:
        return init_state(objective, policy, optimizer, stage.source.draw(data, key), key)

    def steps(state: TrainState, data: Any) -> TrainState:
        def one(state: TrainState, _: None) -> tuple[TrainState, None]:
            draw, loss = jax.random.split(jax.random.fold_in(key, state.step))
            return take_step(objective, optimizer, state, stage.source.draw(data, draw), loss)[0], None

        return jax.lax.scan(one, state, None, length=STEPS)[0]

    state = jax.jit(start)(policy, data)
    call, compile_seconds = _compiled_steps(steps, state, data)
    timing = measure({recipe.name: call}, repeats)[recipe.name]
    return row(
        f"training step of {recipe.name}",
        timing,
        STEPS,
        unit="step",
        compile_seconds=compile_seconds,
        notes="float32, batches drawn inside",
    )


def _compiled_steps(steps: Callable[..., Any], *arguments: Any) -> tuple[Callable[[], Any], float]:
    """The call, compiled, and the seconds that this took."""
    program, seconds = timed(lambda: jax.jit(steps).lower(*arguments).compile())
    return lambda: program(*arguments), seconds
