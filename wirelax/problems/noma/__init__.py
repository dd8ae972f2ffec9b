"""Downlink NOMA: the problem, its schedules and the simplex of its feasible powers."""

from wirelax.problems.noma.make import make_noma_problem
from wirelax.problems.noma.problem import NomaProblem
from wirelax.problems.noma.schedule import greedy_schedule, random_schedule, trim_schedule
from wirelax.problems.noma.simplex import QosSimplex
from wirelax.problems.noma.slots import Slots

__all__ = [
    "NomaProblem",
    "QosSimplex",
    "Slots",
    "greedy_schedule",
    "make_noma_problem",
    "random_schedule",
    "trim_schedule",
]
