"""Training: one loop, losses, batches, label caches and checkpoints, for every system."""

from wirelax.training.batches import fresh, held_out_rows, rows
from wirelax.training.labels import LabelCacheError, load_labels, save_labels
from wirelax.training.loop import LoopConfig, TrainState, train
from wirelax.training.losses import classify_and_regress, expected_utility, label_weights
from wirelax.training.recipe import Recipe, Stage

__all__ = [
    "LabelCacheError",
    "LoopConfig",
    "Recipe",
    "Stage",
    "TrainState",
    "classify_and_regress",
    "expected_utility",
    "fresh",
    "held_out_rows",
    "label_weights",
    "load_labels",
    "rows",
    "save_labels",
    "train",
]
