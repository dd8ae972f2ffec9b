"""Learned policies: Flax networks, heads that keep outputs feasible, weights files."""

from wirelax.policies.heads import budgeted_power, masked_split
from wirelax.policies.networks import CNN, MLP
from wirelax.policies.policy import Policy, Standardiser, load_policy, outputs_of, save_policy

__all__ = [
    "CNN",
    "MLP",
    "Policy",
    "Standardiser",
    "budgeted_power",
    "load_policy",
    "masked_split",
    "outputs_of",
    "save_policy",
]
