"""Classical algorithms, each a pure function of one instance that returns a `wirelax.types.Solution`.

Solve a batch with ``jax.vmap`` or, where the docstring says so, with ``jax.lax.map``.
"""

from wirelax.solvers.ee_problem import EnergyEfficiencyProblem, assignments, make_energy_efficiency_problem
from wirelax.solvers.energy_efficiency import dinkelbach, energy_efficient_power, exhaustive_polish
from wirelax.solvers.exhaustive import exhaustive_search, exhaustive_search_reference, search_with_assignments
from wirelax.solvers.power_levels import (
    budget_corners,
    budget_mask,
    power_candidates,
    power_levels,
    power_vectors,
)

__all__ = [
    "EnergyEfficiencyProblem",
    "assignments",
    "budget_corners",
    "budget_mask",
    "dinkelbach",
    "energy_efficient_power",
    "exhaustive_polish",
    "exhaustive_search",
    "exhaustive_search_reference",
    "make_energy_efficiency_problem",
    "power_candidates",
    "power_levels",
    "power_vectors",
    "search_with_assignments",
]
