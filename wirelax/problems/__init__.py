"""Optimisation problems as data: registered dataclasses that know their utility and their constraints."""

from wirelax.problems.base import Problem, evaluate, is_feasible
from wirelax.problems.energy_efficiency import (
    EnergyEfficiencyProblem,
    assignments,
    make_energy_efficiency_problem,
    random_assignment,
)
from wirelax.problems.noma import (
    NomaProblem,
    QosSimplex,
    Slots,
    greedy_schedule,
    make_noma_problem,
    random_schedule,
)

__all__ = [
    "EnergyEfficiencyProblem",
    "NomaProblem",
    "Problem",
    "QosSimplex",
    "Slots",
    "assignments",
    "evaluate",
    "greedy_schedule",
    "is_feasible",
    "make_energy_efficiency_problem",
    "make_noma_problem",
    "random_assignment",
    "random_schedule",
]
