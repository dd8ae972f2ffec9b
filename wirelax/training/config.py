"""Settings of one stage of training and the optimiser that they describe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import optax

__all__ = ["LoopConfig", "make_optimizer", "make_schedule"]


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """Settings of one stage of training.

    Attributes:
        steps: of the stage, a multiple of `chunk`.
        learning_rate: the highest.
        schedule: how it falls from there to the final fraction over the steps after the warm-up.
        final_learning_rate_fraction: of `learning_rate`, at the last step (without effect for "constant").
        warmup_steps: over which the learning rate rises linearly from 0.
        clip_norm: largest norm of the gradient; None for any.
        optimizer: "adam" or "rmsprop" (decay 0.9).
        chunk: steps between two looks at the metrics, one compiled program.
        checkpoint_every: steps, a multiple of `chunk`.
        seed: of everything random.
    """

    steps: int
    learning_rate: float = 1e-3
    schedule: Literal["cosine", "exponential", "linear", "constant"] = "cosine"
    final_learning_rate_fraction: float = 0.01
    warmup_steps: int = 0
    clip_norm: float | None = 1.0
    optimizer: Literal["adam", "rmsprop"] = "adam"
    chunk: int = 100
    checkpoint_every: int = 1000
    seed: int = 0

    def check(self) -> None:
        """Raise ValueError where the intervals do not fit each other."""
        if self.steps % self.chunk or self.checkpoint_every % self.chunk:
            raise ValueError(
                f"steps ({self.steps}) and checkpoint_every ({self.checkpoint_every}) must be multiples of "
                f"chunk ({self.chunk})"
            )


def make_schedule(config: LoopConfig) -> optax.Schedule:
    """Learning rate of every step: a linear warm-up, then a decay that ends with the last step."""
    peak, final = config.learning_rate, config.learning_rate * config.final_learning_rate_fraction
    left = max(config.steps - config.warmup_steps, 1)
    decay = {
        "cosine": lambda: optax.cosine_decay_schedule(peak, left, alpha=config.final_learning_rate_fraction),
        "exponential": lambda: optax.exponential_decay(peak, left, config.final_learning_rate_fraction),
        "linear": lambda: optax.linear_schedule(peak, final, left),
        "constant": lambda: optax.constant_schedule(peak),
    }[config.schedule]()
    if not config.warmup_steps:
        return decay
    return optax.join_schedules(
        [optax.linear_schedule(0.0, peak, config.warmup_steps), decay], boundaries=[config.warmup_steps]
    )


def make_optimizer(config: LoopConfig) -> optax.GradientTransformation:
    """Adam or RMSprop under the schedule, with a clipped norm of the gradient."""
    rule = {"adam": optax.adam, "rmsprop": optax.rmsprop}[config.optimizer](make_schedule(config))
    return rule if config.clip_norm is None else optax.chain(optax.clip_by_global_norm(config.clip_norm), rule)
