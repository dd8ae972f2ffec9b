"""Association of the highest sum rate as a sum of ratios, alone and in turns with powers: UAMWSER and JUAPCMWSER.

At fixed powers the sum rate is ``sum_j (sum_i x_ij c_ij) / (sum_i x_ij)``, a sum of ratios. With ``beta_j`` the ratios
and ``u_j = 1 / N_j``, its maximum solves ``max sum_ij x_ij u_j (c_ij - beta_j)`` (Jong, 2012), where every UE chooses
for itself; u and beta follow with falling steps (Zhou et al., 2016). The update of the powers is `power_update`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from wirelax.problems import AssociationProblem, evaluate
from wirelax.solvers.association.links import best_bs, efficiency, full_power, links_of, sum_by_bs
from wirelax.solvers.association.power import update_links
from wirelax.types import Solution

__all__ = [
    "association_juapcmwser",
    "association_maramp",
    "association_uamwser",
    "max_rate_association",
    "sum_of_ratios_association",
]

TURNS = 8
TURN_POWER_STEPS = 40
TURN_ASSOCIATION_STEPS = 30
LEAST_START = 1e-3
"""Share of the budget that powers rise from in every turn, so that BSs come back."""
LEAST_SEEN = 1e-4
"""Share of the budget at which UEs see BSs when they choose, silent ones too."""


def max_rate_association(problem: AssociationProblem) -> Int[Array, " ue"]:
    """Every UE at the BS of its highest rate with all BSs at full power, which is its strongest: MARA.

    Args:
        problem: one downlink.

    Returns:
        BS of every UE [ue], -1 for UEs out of reach.
    """
    return best_bs(problem.snr.T, (problem.snr > 0).T)[1]


def association_maramp(problem: AssociationProblem) -> Solution:
    """MARAMP: every UE at the BS of its highest rate, all BSs at full power, also those without UEs.

    Args:
        problem: one downlink.
    """
    still = jax.lax.stop_gradient(problem)
    return evaluate(problem, problem.allocation(max_rate_association(still), full_power(still)))


def _ratios(
    efficiency: Float[Array, "bs ue"], association: Int[Array, "ue"]
) -> tuple[Float[Array, "bs"], Float[Array, "bs"]]:
    """Of every BS, u, one over its load, and beta, the mean efficiency of its UEs, 0 without any."""
    num_bss = len(efficiency)
    own = jnp.take_along_axis(efficiency, jnp.maximum(association, 0)[None], 0)[0]
    load = jnp.maximum(sum_by_bs(jnp.ones_like(own), association, num_bss), 1.0)
    return 1 / load, sum_by_bs(own, association, num_bss) / load


def _associate(
    efficiency: Float[Array, "bs ue"], reach: Bool[Array, "bs ue"], start: Int[Array, "ue"], steps: int
) -> Int[Array, "ue"]:
    scale, mean = _ratios(efficiency, start)

    def step(t, state):
        scale, mean, best, value = state
        association = best_bs(scale[:, None] * (efficiency - mean[:, None]), reach)[1]
        new_scale, new_mean = _ratios(efficiency, association)
        reached = new_mean.sum()
        better = reached > value
        damping = jax.lax.rsqrt(1.0 + t)
        scale, mean = scale + damping * (new_scale - scale), mean + damping * (new_mean - mean)
        return scale, mean, jnp.where(better, association, best), jnp.where(better, reached, value)

    return jax.lax.fori_loop(0, steps, step, (scale, mean, start, mean.sum()))[2]


def sum_of_ratios_association(
    problem: AssociationProblem, power: Float[Array, " bs"], start: Int[Array, " ue"] | None = None, *, steps: int = 60
) -> Int[Array, " ue"]:
    """The association of the highest sum rate at fixed powers that the sum of ratios finds: UAMWSER.

    Args:
        problem: one downlink.
        power: shares of the budgets [bs].
        start: BS of every UE [ue]; `max_rate_association` by default.
        steps: how many (static).

    Returns:
        The best association on the way [ue], no worse than the start.
    """
    start = max_rate_association(problem) if start is None else start
    return _associate(efficiency(problem, power), (problem.snr > 0).T, start, steps)


def association_uamwser(problem: AssociationProblem) -> Solution:
    """UAMWSER: the association of the highest sum rate as a sum of ratios, every BS at full power, also empty ones.

    Args:
        problem: one downlink.
    """
    still = jax.lax.stop_gradient(problem)
    association = sum_of_ratios_association(still, full_power(still))
    return evaluate(problem, problem.allocation(association, full_power(still)))


def association_juapcmwser(problem: AssociationProblem) -> Solution:
    """JUAPCMWSER: powers and association in turns, both for the sum rate; the best pair on the way.

    Args:
        problem: one downlink; its objective plays no part in the search.
    """
    still = jax.lax.stop_gradient(problem)
    reach = (still.snr > 0).T

    def turn(_, state):
        association, power, best, value = state
        links = links_of(still, association)
        start = jnp.maximum(power, LEAST_START)
        power = update_links(links, start, TURN_POWER_STEPS, still.rate_floor, "sum-rate")
        reached = links.rates(power).sum()
        better = reached > value
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), (association, power), best)
        seen = efficiency(still, jnp.maximum(power, LEAST_SEEN))
        association = _associate(seen, reach, association, TURN_ASSOCIATION_STEPS)
        return association, power, best, jnp.where(better, reached, value)

    power = full_power(still)
    association = sum_of_ratios_association(still, power)
    silent = jnp.where(links_of(still, association).load > 0, power, 0.0)
    state = (association, power, (association, silent), -jnp.ones((), power.dtype))
    _, _, (association, power), _ = jax.lax.fori_loop(0, TURNS, turn, state)
    return evaluate(problem, problem.allocation(association, power), iterations=TURNS)
