"""One training loop for all systems: jitted steps in chunks, exact resumption.

Everything random in step ``i`` comes from ``fold_in(key, i)``, so a run that is killed and resumed from a
checkpoint takes the same steps as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, PRNGKeyArray

from wirelax.policies import PolicyState
from wirelax.training.config import LoopConfig, make_optimizer
from wirelax.training.objectives import Objective
from wirelax.training.sources import Source
from wirelax.training.step import TrainState, init_state, take_step

__all__ = ["Checkpoints", "Log", "train"]


class Checkpoints(Protocol):
    """Where states of a stage are kept."""

    def restore(self, like: TrainState) -> TrainState:
        """The newest state, in the structure of `like`; `like` itself where there is none."""
        ...

    def save(self, step: int, state: TrainState) -> None:
        """Keep a state and return when it is safe; its buffers are used again after that."""
        ...

    def close(self) -> None:
        """Nothing more will be asked."""
        ...


class Log(Protocol):
    """Where metrics go."""

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Mean metrics of the chunk that ends with this step.

        In a resumed run the first call may be for a step that was written before; it replaces that and all after.
        """
        ...


Evaluate = Callable[[PolicyState, Any], Mapping[str, Array]]
"""``(policy, data) -> metrics``."""


def _all_finite(tree: Any) -> Bool[Array, ""]:
    floats = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in floats]).all()


def _make_chunk(
    objective: Objective,
    source: Source,
    optimizer: optax.GradientTransformation,
    length: int,
    evaluate: Evaluate,
) -> Callable[[TrainState, Any, PRNGKeyArray], tuple[TrainState, dict[str, Array], Bool[Array, " step"]]]:
    """A program of `length` steps: the state, mean metrics, and after which steps all was finite."""

    def step(state: TrainState, data: Any, key: PRNGKeyArray):
        batch_key, loss_key = jax.random.split(jax.random.fold_in(key, state.step))
        batch = source.draw(data, batch_key)
        new, _, metrics = take_step(objective, optimizer, state, batch, loss_key)
        return new, (metrics, jnp.isfinite(metrics["loss"]) & jnp.isfinite(metrics["gradient_norm"]))

    def chunk(state: TrainState, data: Any, key: PRNGKeyArray):
        state, (metrics, finite) = jax.lax.scan(lambda s, _: step(s, data, key), state, None, length=length)
        # Weights that broke earlier show in the loss of the next step; those of the last step must be looked at.
        finite = finite.at[-1].set(finite[-1] & _all_finite((state.policy.params, state.multipliers)))
        return state, {**jax.tree.map(jnp.mean, metrics), **evaluate(state.policy, data)}, finite

    return jax.jit(chunk, donate_argnums=0)


def train(
    objective: Objective,
    policy: PolicyState,
    data: Any,
    source: Source,
    config: LoopConfig,
    *,
    name: str = "train",
    optimizer: optax.GradientTransformation | None = None,
    multipliers: Any = None,
    checkpoints: Checkpoints | None = None,
    log: Log | None = None,
    report: Callable[[int, Mapping[str, float]], None] = lambda step, metrics: None,
    evaluate: Evaluate = lambda policy, data: {},
) -> TrainState:
    """Minimise an objective over batches and return the last state; its ``policy`` is the trained one.

    Args:
        objective: of one batch; with constraints, `primal_dual` of one.
        policy: where to start; stays as it is.
        data: arrays on the device that the source draws from, passed to the compiled steps as an argument.
        source: of the batches.
        config: steps, optimiser, chunk and checkpoint intervals.
        name: of this stage, in errors.
        optimizer: any of Optax, in place of the one that `config` describes.
        multipliers: of an earlier stage, to go on with.
        checkpoints: continued from if it holds a state, saved to while training, closed at the end.
        log: gets the metrics of every chunk.
        report: called with the same.
        evaluate: further metrics, taken once after every chunk, such as the loss on held-out rows of `data`.

    Raises:
        ValueError: `steps` or `checkpoint_every` is not a multiple of `chunk`.
        FloatingPointError: the loss, its gradient or the weights are not finite; the message names the stage and the
            step. Such a state is never saved: the last good checkpoint stays.
    """
    config.check()
    optimizer, key = optimizer or make_optimizer(config), jax.random.key(config.seed)

    @jax.jit
    def start(policy: PolicyState, multipliers: Any, data: Any, key: PRNGKeyArray) -> TrainState:
        batch = source.draw(data, key)  # of the batch only the shapes are used: the draw is never compiled
        return init_state(objective, policy, optimizer, batch, key, multipliers=multipliers)

    # The loop donates its state, never the caller's arrays: `jnp.array` copies what `start` may pass through.
    state = jax.tree.map(jnp.array, start(policy, multipliers, data, key))
    try:
        if checkpoints:
            state = jax.tree.map(jnp.array, checkpoints.restore(state))
        chunk = _make_chunk(objective, source, optimizer, config.chunk, evaluate)
        while (before := int(state.step)) < config.steps:
            state, metrics, finite = chunk(state, data, key)
            _check_finite(name, before, finite)
            step, values = int(state.step), {k: float(v) for k, v in metrics.items()}
            report(step, values)
            if log:
                log.write(step, values)
            if checkpoints and (step % config.checkpoint_every == 0 or step == config.steps):
                checkpoints.save(step, state)
    finally:
        if checkpoints:
            checkpoints.close()
    return state


def _check_finite(name: str, before: int, finite: Bool[Array, " step"]) -> None:
    good = np.asarray(finite)
    if not good.all():
        raise FloatingPointError(
            f"stage {name!r}: the loss, its gradient or the weights are not finite in step "
            f"{before + int(np.argmin(good)) + 1}; lower learning_rate or clip_norm"
        )
