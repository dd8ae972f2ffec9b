"""Moves of single UEs that switch BSs on and off: the best one first, with what everybody else gains or loses by it.

`wirelax.solvers.association.moves` holds the powers. But what an ultra-dense network has to decide is which BSs are on
at all, so here a UE that enters an empty BS switches it on, at full power, and one that leaves a BS empty switches it
off.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from wirelax.kernels import rate
from wirelax.problems import AssociationProblem
from wirelax.solvers.association.links import best_bs, gather, links_of
from wirelax.solvers.association.moves import entering_and_leaving

__all__ = ["all_on_one", "best_switching_moves", "switching_gains"]


def all_on_one(problem: AssociationProblem) -> tuple[Int[Array, " ue"], Float[Array, " bs"]]:
    """The start from nothing: every UE at the BS that all of them hear least, all BSs silent but for a whisper.

    Of BSs that do not reach everybody, UEs take the one that they hear least of those that reach them.

    Returns:
        The association, -1 for UEs out of reach, and shares of the budgets.
    """
    heard = jnp.where(problem.snr > 0, jnp.log1p(problem.snr).sum(0), jnp.inf)
    association = jnp.where(problem.reachable, jnp.argmin(heard, axis=1), -1).astype(jnp.int32)
    return association, jnp.full(problem.num_bss, jnp.finfo(problem.snr.dtype).tiny ** 0.25)


def best_switching_moves(
    problem: AssociationProblem, association: Int[Array, " ue"], power: Float[Array, " bs"], count: int
) -> tuple[Int[Array, " ue"], Float[Array, " bs"]]:
    """Up to `count` moves of one UE each, every one the one that raises the utility most.

    A move is judged by what the UE gets and what the others of the two BSs gain or lose by sharing, and by what a BS
    that it switches on or off takes from or gives to the UEs of all others. These are added up as if each were alone:
    exact where nothing is switched, else but for the UEs of the two BSs.

    Args:
        problem: one downlink; its objective is the utility.
        association: BS of every UE, -1 for none [ue].
        power: shares of the budgets [bs]; BSs without UEs are silent whatever they are.
        count: most moves (static).

    Returns:
        Association [ue] and shares of the budgets [bs] after the moves, 1 for BSs that were switched on.
    """
    reach = (problem.snr > 0).T

    def step(state: _State) -> _State:
        gains = _gains(problem, state.association, state.power, state.load)
        value, target = best_bs(gains, reach & (jnp.arange(problem.num_bss)[:, None] != state.association))
        mover = jnp.argmax(value)
        source, to = state.association[mover], target[mover]
        going = value[mover] > state.least
        switched = going & (state.load[to] == 0)
        power = state.power.at[to].set(jnp.where(switched, 1.0, state.power[to]))
        change = going.astype(power.dtype)
        load = state.load.at[source].add(-change).at[to].add(change)
        association = state.association.at[mover].set(jnp.where(going, to, source))
        return _State(association, jnp.where(load > 0, power, 0.0), load, state.least, going, state.moves + 1)

    links = links_of(problem, association)
    top = problem.utility_of_rates(links.rates(power))
    # Gains below the rounding of the sums that they are differences of would let UEs go in circles.
    least = 64 * jnp.finfo(power.dtype).eps * (1 + jnp.abs(top))
    silent = jnp.where(links.load > 0, power, 0.0)
    state = _State(association, silent, links.load, least, jnp.asarray(count > 0), jnp.zeros((), jnp.int32))
    last = jax.lax.while_loop(lambda s: s.going & (s.moves < count), step, state)
    return last.association, last.power


class _State(NamedTuple):
    association: Int[Array, "ue"]
    power: Float[Array, "bs"]
    load: Float[Array, "bs"]
    least: Float[Array, ""]
    going: Bool[Array, ""]
    moves: Int[Array, ""]


def switching_gains(
    problem: AssociationProblem, association: Int[Array, " ue"], power: Float[Array, " bs"]
) -> Float[Array, "ue bs"]:
    """What the utility gains if one UE changes its BS, which switches BSs on and off, see `best_switching_moves`.

    Args:
        problem: one downlink; its objective is the utility.
        association: BS of every UE, -1 for none [ue].
        power: shares of the budgets [bs]; BSs without UEs are silent whatever they are.

    Returns:
        For every UE and BS, 0 at its own BS and -inf where a BS does not reach the UE.
    """
    load = links_of(problem, association).load
    gains = _gains(problem, association, jnp.where(load > 0, power, 0.0), load)
    stays = jnp.arange(problem.num_bss)[:, None] == association
    return jnp.where((problem.snr > 0).T, jnp.where(stays, 0.0, gains), -jnp.inf).T


def _gains(problem: AssociationProblem, association: Array, power: Array, load: Array) -> Float[Array, "bs ue"]:
    """What the utility gains by every move; of no meaning where there is none."""
    links = links_of(problem, association)
    own, others = links.signals(power)
    sharing = jnp.maximum(gather(load, association), 1.0)
    now = rate(own / others)
    empty = (load == 0)[:, None]
    stays = jnp.arange(problem.num_bss)[:, None] == association
    # What everybody else gets with a BS in the other state.
    received = problem.snr.T * power[:, None]
    rest = jnp.where(empty, others, _without(received, others, stays))
    flipped = jnp.where(empty, others + problem.snr.T, rest)
    worth = lambda efficiency: _worth(problem, efficiency / sharing)  # noqa: E731
    felt = jnp.where(stays | (association < 0), 0.0, worth(rate(own / flipped)) - worth(now))
    total = felt.sum(-1)
    # At its new BS a UE hears its old one, unless it leaves that empty; a BS that it switches on is at full power.
    still_heard = jnp.where(sharing == 1, 0.0, own)
    seen = rate(jnp.where(empty, problem.snr.T, received) / (rest + still_heard))
    entering, leaving = entering_and_leaving(problem, seen, association, load, now)
    switched_off = jnp.where(sharing == 1, gather(total, association), 0.0)
    # The UE that moves does not feel at its old BS what its new one does.
    switched_on = jnp.where(empty, total[:, None] - felt, 0.0)
    return entering + leaving + switched_on + switched_off


def _worth(problem: AssociationProblem, rates: Array) -> Array:
    return rates if problem.objective == "sum-rate" else jnp.log(rates + problem.rate_floor)


def _without(received: Array, others: Array, stays: Array) -> Float[Array, "bs ue"]:
    """Noise and interference of every UE without one of the BSs.

    A difference loses digits where the BS has nearly all of the interference: for the strongest one it is a sum.
    """
    interfering = jnp.where(stays, 0.0, received)
    strongest = interfering >= interfering.max(0)
    rest = 1 + jnp.where(strongest, 0.0, interfering).sum(0)
    tied = strongest.sum(0) > 1
    return jnp.maximum(jnp.where(strongest & ~tied, rest, others - interfering), 1.0)
