"""Downlink NOMA: powers by interior point, schedules by swap matching, both in turns, and both at once."""

from wirelax.solvers.noma.gradient import noma_gradient
from wirelax.solvers.noma.joint import joint_schedule, noma_joint
from wirelax.solvers.noma.paus import paus
from wirelax.solvers.noma.power import CHUNK, equal_power, noma_power, power_program, power_starts, random_power
from wirelax.solvers.noma.swap_matching import swap_deltas, swap_matching

__all__ = [
    "CHUNK",
    "equal_power",
    "joint_schedule",
    "noma_gradient",
    "noma_joint",
    "noma_power",
    "paus",
    "power_program",
    "power_starts",
    "random_power",
    "swap_deltas",
    "swap_matching",
]
