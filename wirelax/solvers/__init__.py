"""Classical algorithms, each a pure function of one instance that returns a `wirelax.types.Solution`.

Solve a batch with ``jax.vmap`` or, where the docstring says so, with ``jax.lax.map``.
"""

from wirelax.solvers.ee_problem import EnergyEfficiencyProblem, assignments, make_energy_efficiency_problem
from wirelax.solvers.energy_efficiency import dinkelbach, energy_efficient_power, exhaustive_polish
from wirelax.solvers.exhaustive import exhaustive_search, exhaustive_search_reference, search_with_assignments
from wirelax.solvers.nlp import InteriorPointOptions, NonlinearProgram, interior_point, multi_start
from wirelax.solvers.noma_joint import joint_schedule, noma_joint
from wirelax.solvers.noma_power import noma_power
from wirelax.solvers.noma_problem import NomaProblem, QosSimplex, Slots, make_noma_problem
from wirelax.solvers.noma_schedule import greedy_schedule, random_schedule
from wirelax.solvers.paus import paus
from wirelax.solvers.power_levels import (
    budget_corners,
    budget_mask,
    power_candidates,
    power_levels,
    power_vectors,
)
from wirelax.solvers.swap_matching import swap_deltas, swap_matching

__all__ = [
    "EnergyEfficiencyProblem",
    "InteriorPointOptions",
    "NomaProblem",
    "NonlinearProgram",
    "QosSimplex",
    "Slots",
    "assignments",
    "budget_corners",
    "budget_mask",
    "dinkelbach",
    "energy_efficient_power",
    "exhaustive_polish",
    "exhaustive_search",
    "exhaustive_search_reference",
    "greedy_schedule",
    "interior_point",
    "joint_schedule",
    "make_energy_efficiency_problem",
    "make_noma_problem",
    "multi_start",
    "noma_joint",
    "noma_power",
    "paus",
    "power_candidates",
    "power_levels",
    "power_vectors",
    "random_schedule",
    "search_with_assignments",
    "swap_deltas",
    "swap_matching",
]
