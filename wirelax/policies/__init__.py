"""Learned policies: Flax networks, heads that keep outputs feasible, weights files."""

from wirelax.policies.heads import budgeted_power, masked_split
from wirelax.policies.networks import CNN, MLP
from wirelax.policies.policy import (
    Policy,
    Standardiser,
    check_trained_for,
    load_policy,
    load_shipped,
    outputs_of,
    save_policy,
)

__all__ = [
    "CNN",
    "MLP",
    "Policy",
    "Standardiser",
    "budgeted_power",
    "check_trained_for",
    "load_policy",
    "load_shipped",
    "masked_split",
    "outputs_of",
    "save_policy",
]
