"""Classical algorithms, each a pure function of one problem that returns a `wirelax.types.Solution`.

Solve a batch with ``jax.vmap`` or, where the docstring says so, with ``jax.lax.map``. One folder a problem:
`energy_efficiency`, `noma`; `nlp` is a general interior-point method, a library of its own.
"""

from wirelax.solvers.energy_efficiency import (
    PowerGrid,
    dinkelbach,
    efficiency_steps,
    energy_efficiency_gradient,
    energy_efficient_power,
    exhaustive_polish,
    exhaustive_search,
    exhaustive_search_reference,
    make_power_grid,
    power_candidates,
    power_levels,
    search_with_assignments,
    strongest_assignment,
)
from wirelax.solvers.gradient import gradient_ascent
from wirelax.solvers.nlp import InteriorPointOptions, NlpResult, NonlinearProgram, interior_point, multi_start
from wirelax.solvers.noma import (
    equal_power,
    joint_schedule,
    noma_gradient,
    noma_joint,
    noma_power,
    paus,
    swap_deltas,
    swap_matching,
)

__all__ = [
    "InteriorPointOptions",
    "NlpResult",
    "NonlinearProgram",
    "PowerGrid",
    "dinkelbach",
    "efficiency_steps",
    "energy_efficiency_gradient",
    "energy_efficient_power",
    "equal_power",
    "exhaustive_polish",
    "exhaustive_search",
    "exhaustive_search_reference",
    "gradient_ascent",
    "interior_point",
    "joint_schedule",
    "make_power_grid",
    "multi_start",
    "noma_gradient",
    "noma_joint",
    "noma_power",
    "paus",
    "power_candidates",
    "power_levels",
    "search_with_assignments",
    "strongest_assignment",
    "swap_deltas",
    "swap_matching",
]
