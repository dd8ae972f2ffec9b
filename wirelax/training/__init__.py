"""Training: sources, objectives, constraints by multipliers, one loop, and adaptation to one event."""

from wirelax.training.config import LoopConfig, make_optimizer, make_schedule
from wirelax.training.loop import train
from wirelax.training.losses import classify_and_regress, expected_utility, label_weights
from wirelax.training.objectives import (
    Evaluation,
    Labelled,
    Objective,
    Term,
    instance_objective,
    supervised_objective,
    utility_objective,
    weighted,
)
from wirelax.training.primal_dual import ConstantMultipliers, NetworkMultipliers, ScalarMultipliers, primal_dual
from wirelax.training.sources import Source, event, fresh, held_out_rows, mapped, rows, together
from wirelax.training.specialise import specialise
from wirelax.training.step import TrainState, init_state, take_step

__all__ = [
    "ConstantMultipliers",
    "Evaluation",
    "Labelled",
    "LoopConfig",
    "NetworkMultipliers",
    "Objective",
    "ScalarMultipliers",
    "Source",
    "Term",
    "TrainState",
    "classify_and_regress",
    "event",
    "expected_utility",
    "fresh",
    "held_out_rows",
    "init_state",
    "instance_objective",
    "label_weights",
    "make_optimizer",
    "make_schedule",
    "mapped",
    "primal_dual",
    "rows",
    "specialise",
    "supervised_objective",
    "take_step",
    "together",
    "train",
    "utility_objective",
    "weighted",
]
