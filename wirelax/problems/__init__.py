"""Optimisation problems as data: registered dataclasses that know their utility and their constraints."""

from wirelax.problems.association import (
    NO_BS,
    STARVED,
    AssociationProblem,
    AssociationUtility,
    make_association_problem,
)
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
from wirelax.problems.uplink_qos import LONG, NONE, SHORT, UplinkQosProblem, make_uplink_qos_problem

__all__ = [
    "LONG",
    "NONE",
    "NO_BS",
    "SHORT",
    "STARVED",
    "AssociationProblem",
    "AssociationUtility",
    "EnergyEfficiencyProblem",
    "NomaProblem",
    "Problem",
    "QosSimplex",
    "Slots",
    "UplinkQosProblem",
    "assignments",
    "evaluate",
    "greedy_schedule",
    "is_feasible",
    "make_association_problem",
    "make_energy_efficiency_problem",
    "make_noma_problem",
    "make_uplink_qos_problem",
    "random_assignment",
    "random_schedule",
]
