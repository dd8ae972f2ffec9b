"""Classical algorithms, each a pure function of one problem that returns a `wirelax.types.Solution`.

Solve a batch with ``jax.vmap`` or, where the docstring says so, with ``jax.lax.map``. One folder a problem:
`association`, `energy_efficiency`, `noma`, `uplink_qos`; `nlp` is a general interior-point method, a library of its
own.
"""

from wirelax.solvers.association import (
    association_juapcmwser,
    association_maramp,
    association_msuamp,
    association_msuapc,
    association_polish,
    association_uamwser,
    power_polish,
)
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
from wirelax.solvers.uplink_qos import (
    grow,
    minimum_power,
    own_set_test,
    rb_lower_bound,
    turn_order,
    uplink_exhaustive,
    uplink_numerical,
    uplink_repair,
    uplink_search,
    uplink_single,
)

__all__ = [
    "InteriorPointOptions",
    "NlpResult",
    "NonlinearProgram",
    "PowerGrid",
    "association_juapcmwser",
    "association_maramp",
    "association_msuamp",
    "association_msuapc",
    "association_polish",
    "association_uamwser",
    "dinkelbach",
    "efficiency_steps",
    "energy_efficiency_gradient",
    "energy_efficient_power",
    "equal_power",
    "exhaustive_polish",
    "exhaustive_search",
    "exhaustive_search_reference",
    "gradient_ascent",
    "grow",
    "interior_point",
    "joint_schedule",
    "make_power_grid",
    "minimum_power",
    "multi_start",
    "noma_gradient",
    "noma_joint",
    "noma_power",
    "own_set_test",
    "paus",
    "power_candidates",
    "power_levels",
    "power_polish",
    "rb_lower_bound",
    "search_with_assignments",
    "strongest_assignment",
    "swap_deltas",
    "swap_matching",
    "turn_order",
    "uplink_exhaustive",
    "uplink_numerical",
    "uplink_repair",
    "uplink_search",
    "uplink_single",
]
