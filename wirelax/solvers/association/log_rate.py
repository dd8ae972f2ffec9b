"""Association of the highest sum of log rates, and powers for it: MSUAMP and MSUAPC of Zhang et al. (HBGNN).

At fixed powers the sum of ``ln(c_ij / N_j)`` is maximised by the dual of Ye et al. (2013): a BS of price mu_j wants
``exp(mu_j - 1)`` UEs, UEs choose by ``ln c_ij - mu_j``, and prices follow the difference. The relaxation has no
integrality gap (Wildman and Weber, 2015), so that what single moves of UEs leave can be measured exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from wirelax.problems import AssociationProblem, evaluate
from wirelax.solvers.association.links import best_bs, efficiency, full_power, load_of
from wirelax.solvers.association.power import power_update
from wirelax.types import Solution

__all__ = ["association_msuamp", "association_msuapc", "max_sum_utility_association"]

DUAL_STEPS = 100
STEP = 0.3
POWER_STEPS = 100
LEAST_SHARE = 1e-3
"""Share of the budget that silent BSs are tried with where powers and association alternate."""


def _ln_efficiency(problem: AssociationProblem, power: Array) -> Float[Array, "bs ue"]:
    eff = efficiency(problem, power)
    return jnp.log(jnp.maximum(eff, jnp.finfo(eff.dtype).tiny))


def _x_ln_x(count: Array) -> Array:
    return count * jnp.log(jnp.maximum(count, 1.0))


def _value(problem: AssociationProblem, ln_eff: Array, association: Array, load: Array) -> Float[Array, ""]:
    own = jnp.take_along_axis(ln_eff, jnp.maximum(association, 0)[None], 0)[0]
    return jnp.where(association >= 0, own, 0.0).sum() - _x_ln_x(load).sum()


def _dual(problem: AssociationProblem, ln_eff: Float[Array, "bs ue"], steps: int) -> Int[Array, "ue"]:
    """The best association that UEs choose on the way of the prices."""
    reach = (problem.snr > 0).T

    def choose(price: Array) -> tuple[Array, Array, Array]:
        association = best_bs(ln_eff - price[:, None], reach)[1]
        load = load_of(problem, association)
        return association, load, _value(problem, ln_eff, association, load)

    def step(t, state):
        price, best, value = state
        association, load, reached = choose(price)
        better = reached > value
        wanted = jnp.minimum(jnp.exp(price - 1), float(problem.num_ues))
        size = jnp.maximum(jnp.maximum(wanted, load), 1.0)
        price = price - STEP / jnp.sqrt(1.0 + t) * (wanted - load) / size
        return price, jnp.where(better, association, best), jnp.where(better, reached, value)

    association, load, value = choose(jnp.zeros(problem.num_bss, ln_eff.dtype))
    price = 1 + jnp.log(jnp.maximum(load, 0.5))
    return jax.lax.fori_loop(0, steps, step, (price, association, value))[1]


class _State(NamedTuple):
    association: Int[Array, "ue"]
    load: Float[Array, "bs"]
    own: Float[Array, "ue"]
    going: Bool[Array, ""]
    moves: Int[Array, ""]


def _moves(problem: AssociationProblem, ln_eff: Float[Array, "bs ue"], association: Array) -> Int[Array, "ue"]:
    """The best single move until none helps: the dual leaves a few UEs misplaced."""
    reach = (problem.snr > 0).T

    def step(state: _State) -> _State:
        association, load, own = state.association, state.load, state.own
        stays = jnp.arange(problem.num_bss)[:, None] == association
        entering = ln_eff - (_x_ln_x(load + 1) - _x_ln_x(load))[:, None]
        value, target = best_bs(entering, reach & ~stays)
        leaving = (_x_ln_x(load) - _x_ln_x(load - 1))[jnp.maximum(association, 0)]
        gain = value - own + leaving
        mover = jnp.argmax(gain)
        going = gain[mover] > 1e-5
        source, to, change = association[mover], target[mover], going.astype(load.dtype)
        association = association.at[mover].set(jnp.where(going, to, source))
        own = own.at[mover].set(jnp.where(going, ln_eff[to, mover], own[mover]))
        return _State(association, load.at[source].add(-change).at[to].add(change), own, going, state.moves + 1)

    own = jnp.take_along_axis(ln_eff, jnp.maximum(association, 0)[None], 0)[0]
    state = _State(association, load_of(problem, association), own, jnp.ones((), bool), jnp.zeros((), jnp.int32))
    going = lambda state: state.going & (state.moves < 2 * problem.num_ues)  # noqa: E731
    return jax.lax.while_loop(going, step, state).association


def max_sum_utility_association(
    problem: AssociationProblem, power: Float[Array, " bs"], *, steps: int = DUAL_STEPS
) -> Int[Array, " ue"]:
    """The association of the highest sum of ``ln(log2(1 + SINR_ij) / N_j)`` at fixed powers: MSUA.

    Steps on the prices, then the best single moves until none helps.

    Args:
        problem: one downlink; its objective plays no part.
        power: shares of the budgets [bs].
        steps: on the prices (static).

    Returns:
        BS of every UE [ue], -1 for UEs out of reach.
    """
    ln_eff = _ln_efficiency(problem, power)
    return _moves(problem, ln_eff, _dual(problem, ln_eff, steps))


def association_msuamp(problem: AssociationProblem) -> Solution:
    """MSUAMP: the association of the highest sum of log rates, every BS at full power, also those without UEs.

    Args:
        problem: one downlink.
    """
    still = jax.lax.stop_gradient(problem)
    association = max_sum_utility_association(still, full_power(still))
    return evaluate(problem, problem.allocation(association, full_power(still)), iterations=DUAL_STEPS)


def association_msuapc(problem: AssociationProblem, *, turns: int = 1) -> Solution:
    """MSUAPC: the association of MSUAMP, then powers that raise the sum of log rates.

    Args:
        problem: one downlink.
        turns: of power control, with the association found anew in between (static); the best one by the sum of log
            rates is kept.
    """
    still = jax.lax.stop_gradient(problem)
    association = max_sum_utility_association(still, full_power(still))
    power = power_update(still, association, full_power(still), POWER_STEPS, goal="log-rate")
    for _ in range(turns - 1):
        association = max_sum_utility_association(still, jnp.maximum(power, LEAST_SHARE))
        power = power_update(still, association, power, POWER_STEPS, goal="log-rate")
    return evaluate(problem, problem.allocation(association, power), iterations=turns * POWER_STEPS)
