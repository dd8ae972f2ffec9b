"""One training loop for all systems: jitted steps in chunks, JSONL metrics, checkpoints, exact resumption.

Everything random in step ``i`` comes from ``fold_in(key, i)``, so a run that is killed and resumed from a
checkpoint takes the same steps as one that was not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PRNGKeyArray

from wirelax.training.checkpoints import Checkpoints

__all__ = ["LoopConfig", "TrainState", "make_optimizer", "train"]

Loss = Callable[[Any, Any, PRNGKeyArray], tuple[Array, Mapping[str, Array]]]
"""``(params, batch, key) -> (scalar, metrics)``."""
Batches = Callable[[Any, PRNGKeyArray], Any]
"""``(data, key) -> batch``: gathers from data on the device, or samples fresh channels."""
Evaluate = Callable[[Any, Any], Mapping[str, Array]]
"""``(params, data) -> metrics``."""


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """Settings of one stage of training."""

    steps: int
    learning_rate: float = 1e-3
    final_learning_rate_fraction: float = 0.01
    warmup_steps: int = 0
    clip_norm: float = 1.0
    optimizer: Literal["adam", "rmsprop"] = "adam"
    chunk: int = 100
    checkpoint_every: int = 1000
    seed: int = 0


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class TrainState:
    """Everything that a checkpoint must hold."""

    params: Any
    optimizer: Any
    step: Array


def make_optimizer(config: LoopConfig) -> optax.GradientTransformation:
    """Adam or RMSprop (decay 0.9) with a clipped gradient norm, optional linear warm-up and cosine decay."""
    schedule = optax.warmup_cosine_decay_schedule(
        init_value=0.0 if config.warmup_steps else config.learning_rate,
        peak_value=config.learning_rate,
        warmup_steps=config.warmup_steps,
        decay_steps=max(config.steps, config.warmup_steps + 1),
        end_value=config.learning_rate * config.final_learning_rate_fraction,
    )
    rule = {"adam": optax.adam, "rmsprop": optax.rmsprop}[config.optimizer](schedule)
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), rule)


def _make_chunk(loss: Loss, batches: Batches, optimizer: optax.GradientTransformation, length: int, evaluate: Evaluate):
    def step(state: TrainState, data: Any, key: PRNGKeyArray):
        batch_key, loss_key = jax.random.split(jax.random.fold_in(key, state.step))
        batch = batches(data, batch_key)
        (value, metrics), gradient = jax.value_and_grad(loss, has_aux=True)(state.params, batch, loss_key)
        updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.params)
        new = TrainState(
            params=optax.apply_updates(state.params, updates), optimizer=optimizer_state, step=state.step + 1
        )
        return new, {"loss": value, "gradient_norm": optax.tree.norm(gradient), **metrics}

    def chunk(state: TrainState, data: Any, key: PRNGKeyArray):
        state, metrics = jax.lax.scan(lambda s, _: step(s, data, key), state, None, length=length)
        return state, {**jax.tree.map(jnp.mean, metrics), **evaluate(state.params, data)}

    return jax.jit(chunk, donate_argnums=0)


def train(
    loss: Loss,
    params: Any,
    data: Any,
    batches: Batches,
    config: LoopConfig,
    *,
    directory: str | os.PathLike[str] | None = None,
    name: str = "train",
    resume: bool = False,
    report: Callable[[int, Mapping[str, float]], None] = lambda step, metrics: None,
    evaluate: Evaluate = lambda params, data: {},
) -> Any:
    """Minimise a loss over batches and return the final parameters.

    Args:
        loss: differentiable loss of one batch.
        params: initial parameters.
        data: arrays that stay on the device and are passed to `batches` as an argument.
        batches: draws a batch from `data` or out of nothing.
        config: steps, learning rate, chunk and checkpoint intervals; steps must be a multiple of chunk.
        directory: where metrics (``metrics.jsonl``) and checkpoints go; nothing is written without it.
        name: of this stage, in the metrics and as the folder of its checkpoints.
        resume: continue from the last checkpoint in `directory`, if there is one.
        report: called with the step and the mean metrics of every chunk.
        evaluate: further metrics, taken once after every chunk, such as the loss on held-out rows of `data`.

    Raises:
        ValueError: `steps` or `checkpoint_every` is not a multiple of `chunk`.
        FloatingPointError: the loss is not finite; the message names the step.
    """
    if config.steps % config.chunk or config.checkpoint_every % config.chunk:
        raise ValueError(
            f"steps ({config.steps}) and checkpoint_every ({config.checkpoint_every}) must be multiples of "
            f"chunk ({config.chunk})"
        )
    optimizer = make_optimizer(config)
    params = jax.tree.map(jnp.array, params)  # the loop donates its state: never the caller's arrays
    state = TrainState(params=params, optimizer=optimizer.init(params), step=jnp.zeros((), jnp.int32))
    checkpoints = Checkpoints(Path(directory) / "checkpoints" / name) if directory else None
    if checkpoints and resume:
        state = checkpoints.restore(state)
    log = _MetricsLog(directory, name, int(state.step)) if directory else None
    chunk, key = _make_chunk(loss, batches, optimizer, config.chunk, evaluate), jax.random.key(config.seed)
    while int(state.step) < config.steps:
        state, metrics = chunk(state, data, key)
        step, values = int(state.step), {k: float(v) for k, v in metrics.items()}
        if values["loss"] != values["loss"]:
            raise FloatingPointError(f"{name}: the loss is not finite in the steps up to {step}; lower learning_rate")
        report(step, values)
        if log:
            log.write(step, values)
        if checkpoints and (step % config.checkpoint_every == 0 or step == config.steps):
            checkpoints.save(step, state)
    if checkpoints:
        checkpoints.close()
    return state.params


class _MetricsLog:
    """Lines of JSON, one a chunk; on resumption those past the checkpoint are dropped."""

    def __init__(self, directory: str | os.PathLike[str], name: str, step: int):
        self.path, self.name = Path(directory) / "metrics.jsonl", name
        if self.path.exists():
            lines = [json.loads(line) for line in self.path.read_text().splitlines() if line.endswith("}")]
            kept = [line for line in lines if line["stage"] != name or line["step"] <= step]
            temporary = self.path.with_name(self.path.name + ".tmp")
            temporary.write_text("".join(json.dumps(line) + "\n" for line in kept))
            os.replace(temporary, self.path)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps({"stage": self.name, "step": step, **values}) + "\n")
