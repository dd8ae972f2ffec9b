"""Uplink RBs and powers for long- and short-blocklength services: exact for one user, turns and search for many."""

from wirelax.solvers.uplink_qos.exhaustive import MOST_RBS, uplink_exhaustive
from wirelax.solvers.uplink_qos.growing import Grown, decided, grow, turn_order
from wirelax.solvers.uplink_qos.numerical import CHUNK, uplink_numerical, uplink_repair, uplink_single
from wirelax.solvers.uplink_qos.own_set import Tested, own_set_test
from wirelax.solvers.uplink_qos.search import rb_lower_bound, uplink_search
from wirelax.solvers.uplink_qos.water import minimum_power, two_level_power

__all__ = [
    "CHUNK",
    "MOST_RBS",
    "Grown",
    "Tested",
    "decided",
    "grow",
    "minimum_power",
    "own_set_test",
    "rb_lower_bound",
    "turn_order",
    "two_level_power",
    "uplink_exhaustive",
    "uplink_numerical",
    "uplink_repair",
    "uplink_search",
    "uplink_single",
]
