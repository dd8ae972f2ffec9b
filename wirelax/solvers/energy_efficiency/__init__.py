"""Energy efficiency of an OFDMA downlink: exact grid search, closed-form power control, both together."""

from wirelax.solvers.energy_efficiency.exhaustive import (
    exhaustive_search,
    exhaustive_search_reference,
    search_with_assignments,
)
from wirelax.solvers.energy_efficiency.grid import (
    PowerGrid,
    Spacing,
    budget_corners,
    budget_mask,
    make_power_grid,
    power_candidates,
    power_levels,
)
from wirelax.solvers.energy_efficiency.heuristics import (
    energy_efficiency_gradient,
    max_power,
    random_power,
    strongest_assignment,
)
from wirelax.solvers.energy_efficiency.power import (
    dinkelbach,
    efficiency_steps,
    energy_efficient_power,
    exhaustive_polish,
)

__all__ = [
    "PowerGrid",
    "Spacing",
    "budget_corners",
    "budget_mask",
    "dinkelbach",
    "efficiency_steps",
    "energy_efficiency_gradient",
    "energy_efficient_power",
    "exhaustive_polish",
    "exhaustive_search",
    "exhaustive_search_reference",
    "make_power_grid",
    "max_power",
    "power_candidates",
    "power_levels",
    "random_power",
    "search_with_assignments",
    "strongest_assignment",
]
