"""Policies for the energy-efficiency problem: one output a class of assignments, or a search at any size."""

from wirelax.policies.energy_efficiency.classes import (
    BestAssignment,
    HetNetCNN,
    HetNetConditioned,
    HetNetDNN,
    LikeliestAssignment,
    candidates,
    log_power_of,
    raw_of,
    snr_features,
)
from wirelax.policies.energy_efficiency.power_network import PowerNetwork
from wirelax.policies.energy_efficiency.search import (
    SEARCH_BOUNDS,
    AssignmentSearch,
    SearchedAssignment,
    local_matching,
    rate_and_consumption,
    search_features,
)

__all__ = [
    "SEARCH_BOUNDS",
    "AssignmentSearch",
    "BestAssignment",
    "HetNetCNN",
    "HetNetConditioned",
    "HetNetDNN",
    "LikeliestAssignment",
    "PowerNetwork",
    "SearchedAssignment",
    "candidates",
    "local_matching",
    "log_power_of",
    "rate_and_consumption",
    "raw_of",
    "search_features",
    "snr_features",
]
