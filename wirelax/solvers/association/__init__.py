"""User association and BS powers: the classical methods, their polish, local search and direct ascent."""

from wirelax.solvers.association.direct import association_direct
from wirelax.solvers.association.log_rate import association_msuamp, association_msuapc, max_sum_utility_association
from wirelax.solvers.association.moves import best_single_moves, move_gains
from wirelax.solvers.association.polish import association_polish, power_polish
from wirelax.solvers.association.power import POWER_FLOOR, power_update
from wirelax.solvers.association.published import association_juapcmwser_published, association_uamwser_published
from wirelax.solvers.association.search import association_greedy, association_local_search
from wirelax.solvers.association.sum_of_ratios import (
    association_juapcmwser,
    association_maramp,
    association_uamwser,
    max_rate_association,
    sum_of_ratios_association,
)
from wirelax.solvers.association.switching import all_on_one, best_switching_moves, switching_gains

__all__ = [
    "POWER_FLOOR",
    "all_on_one",
    "association_direct",
    "association_greedy",
    "association_juapcmwser",
    "association_juapcmwser_published",
    "association_local_search",
    "association_maramp",
    "association_msuamp",
    "association_msuapc",
    "association_polish",
    "association_uamwser",
    "association_uamwser_published",
    "best_single_moves",
    "best_switching_moves",
    "max_rate_association",
    "max_sum_utility_association",
    "move_gains",
    "power_polish",
    "power_update",
    "sum_of_ratios_association",
    "switching_gains",
]
