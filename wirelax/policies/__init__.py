"""Learned policies: Flax networks, heads that keep outputs feasible, features with their statistics."""

from wirelax.policies.heads import LogPowerBounds, budgeted_power, log_power_bounds, masked_split
from wirelax.policies.networks import CNN, MLP
from wirelax.policies.policy import BATCH_AXIS, Policy, PolicySolve, PolicySpec, PolicyState
from wirelax.policies.standardiser import Standardiser

__all__ = [
    "BATCH_AXIS",
    "CNN",
    "MLP",
    "LogPowerBounds",
    "Policy",
    "PolicySolve",
    "PolicySpec",
    "PolicyState",
    "Standardiser",
    "budgeted_power",
    "log_power_bounds",
    "masked_split",
]
