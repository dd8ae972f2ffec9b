"""Association of the highest sum of log rates, and powers for it: MSUAMP and MSUAPC of Zhang et al. (HBGNN).

At fixed powers the sum of ``ln(c_ij / N_j)`` is maximised by the dual of Ye et al. (2013): a BS of price mu_j wants
``exp(mu_j - 1)`` UEs, UEs choose by ``ln c_ij - mu_j``, and prices follow the difference. The relaxation has no
integrality gap (Wildman and Weber, 2015): it is an assignment of UEs to the first, second, ... place at a BS. So what
is left after the prices, which a few UEs are indifferent to, is found by moves, chains of moves and swaps.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from wirelax.problems import NO_BS, AssociationProblem, evaluate
from wirelax.solvers.association.links import best_bs, efficiency, full_power, gather, links_of, load_of
from wirelax.solvers.association.power import update_links, utility_of_links
from wirelax.types import Solution

__all__ = ["association_msuamp", "association_msuapc", "max_sum_utility_association"]

DUAL_STEPS = 20
STEP = 0.3
HOPS = 4
"""Longest chain of moves that is tried."""
LEAST_GAIN = 1e-4
"""In nats, of the sum of all UEs: a float32 of some hundreds has 3e-5."""
POWER_STEPS = 100
LEAST_SHARE = 1e-3
"""Share of the budget that silent BSs are tried with where powers and association alternate."""


def _ln_efficiency(problem: AssociationProblem, power: Array) -> Float[Array, "bs ue"]:
    eff = efficiency(problem, power)
    return jnp.log(jnp.maximum(eff, jnp.finfo(eff.dtype).tiny))


def _x_ln_x(count: Array) -> Array:
    return count * jnp.log(jnp.maximum(count, 1.0))


def _own(ln_eff: Array, association: Array) -> Float[Array, "ue"]:
    picked = jnp.take_along_axis(ln_eff, jnp.maximum(association, 0)[None], 0)[0]
    return jnp.where(association >= 0, picked, 0.0)


def _value(ln_eff: Array, association: Array, load: Array) -> Float[Array, ""]:
    return _own(ln_eff, association).sum() - _x_ln_x(load).sum()


def _dual(problem: AssociationProblem, ln_eff: Float[Array, "bs ue"], steps: int) -> Int[Array, "ue"]:
    """The best association that UEs choose on the way of the prices."""
    reach = (problem.snr > 0).T

    def choose(price: Array) -> tuple[Array, Array, Array]:
        association = best_bs(ln_eff - price[:, None], reach)[1]
        load = load_of(problem, association)
        return association, load, _value(ln_eff, association, load)

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
    value: Float[Array, ""]
    going: Bool[Array, ""]
    steps: Int[Array, ""]


def _swap(ln_eff: Array, reach: Array, association: Array, own: Array) -> Int[Array, "ue"]:
    """The association after the best exchange of the BSs of two UEs."""
    gain = jnp.where(reach, ln_eff - own, -jnp.inf)[jnp.maximum(association, 0)]
    gain = jnp.where(association[:, None] >= 0, gain, -jnp.inf)
    pair = gain + gain.T
    partner = jnp.argmax(pair, 1)
    one = jnp.argmax(jnp.take_along_axis(pair, partner[:, None], 1)[:, 0])
    other = partner[one]
    return association.at[jnp.stack([one, other])].set(association[jnp.stack([other, one])])


def _chain(ln_eff: Array, reach: Array, association: Array, own: Array, load: Array, hops: int) -> Int[Array, "ue"]:
    """The association after the best chain of moves: every UE but the last takes the place of the next one.

    The value of a chain up to a BS takes the UE of the best chain into it; a chain that comes back to a BS may be
    worth less than it seems, so that its association has to be valued.
    """
    others = reach & (jnp.arange(len(load))[:, None] != association)
    entering = jnp.where(others, ln_eff, -jnp.inf)
    leaves, enters = _x_ln_x(load) - _x_ln_x(load - 1), _x_ln_x(load + 1) - _x_ln_x(load)
    arrives, leaving = [], []
    for _ in range(hops):
        leaving.append(gather(arrives[-1] if arrives else leaves, association) - own)
        arrives.append((entering + leaving[-1]).max(1))
    gain = (jnp.stack(arrives) - enters).ravel()
    best = jnp.argmax(gain)
    length, place, some = best // len(load), best % len(load), gain[best] > -jnp.inf
    for hop in reversed(range(hops)):
        goes = some & (hop <= length)
        mover = jnp.argmax(entering[place] + leaving[hop])
        left = association[mover]
        association = association.at[mover].set(jnp.where(goes, place.astype(left.dtype), left))
        place = jnp.where(goes, left.astype(place.dtype), place)
    return association


def _improve(
    problem: AssociationProblem, ln_eff: Float[Array, "bs ue"], association: Array, most: int, *, hops: int, swaps: bool
) -> Int[Array, "ue"]:
    """The best chain of moves, or the best swap, in every step, until none helps."""
    reach = (problem.snr > 0).T

    def step(state: _State) -> _State:
        own = _own(ln_eff, state.association)
        load = load_of(problem, state.association)
        trials = [_chain(ln_eff, reach, state.association, own, load, hops)]
        if swaps:
            trials.append(_swap(ln_eff, reach, state.association, own))
        values = [_value(ln_eff, trial, load_of(problem, trial)) for trial in trials]
        best, value = trials[0], values[0]
        for trial, worth in zip(trials[1:], values[1:], strict=True):
            best, value = jnp.where(worth > value, trial, best), jnp.maximum(worth, value)
        going = value > state.value + LEAST_GAIN
        best = jnp.where(going, best, state.association)
        return _State(best, jnp.where(going, value, state.value), going, state.steps + 1)

    value = _value(ln_eff, association, load_of(problem, association))
    state = _State(association, value, jnp.ones((), bool), jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(lambda state: state.going & (state.steps < most), step, state).association


def max_sum_utility_association(
    problem: AssociationProblem, power: Float[Array, " bs"], *, steps: int = DUAL_STEPS
) -> Int[Array, " ue"]:
    """The association of the highest sum of ``ln(log2(1 + SINR_ij) / N_j)`` at fixed powers: MSUA.

    Steps on the prices, then the best single moves, then chains of moves and swaps, until none helps.

    Args:
        problem: one downlink; its objective plays no part.
        power: shares of the budgets [bs].
        steps: on the prices (static).

    Returns:
        BS of every UE [ue], -1 for UEs out of reach.
    """
    ln_eff = _ln_efficiency(problem, power)
    association = _dual(problem, ln_eff, steps)
    association = _improve(problem, ln_eff, association, 2 * problem.num_ues, hops=1, swaps=False)
    return _improve(problem, ln_eff, association, problem.num_ues, hops=HOPS, swaps=True)


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

    def turn(_, state):
        power, best, value = state
        association = max_sum_utility_association(still, jnp.maximum(power, LEAST_SHARE))
        links = links_of(still, association)
        power = update_links(links, power, POWER_STEPS, still.rate_floor, "log-rate")
        reached = utility_of_links(links, power, still.rate_floor, "log-rate")
        better = reached > value
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), (association, power), best)
        return power, best, jnp.where(better, reached, value)

    power = full_power(still)
    nobody = jnp.full(still.num_ues, NO_BS, jnp.int32)
    state = (power, (nobody, power), jnp.full((), -jnp.inf, power.dtype))
    _, best, _ = jax.lax.fori_loop(0, turns, turn, state)
    return evaluate(problem, problem.allocation(*best), iterations=turns * POWER_STEPS)
