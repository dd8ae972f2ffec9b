"""Moves of single UEs to other BSs at fixed powers, the best one first, judged by their exact change of utility."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from wirelax.problems import AssociationProblem
from wirelax.solvers.association.links import best_bs, efficiency, gather, load_of, sum_by_bs

__all__ = ["best_single_moves", "entering_and_leaving", "move_gains", "moves_at"]


def _sum_rate_gains(
    efficiency: Float[Array, "bs ue"], association: Int[Array, "ue"], load: Float[Array, "bs"], own: Float[Array, "ue"]
) -> tuple[Float[Array, "bs ue"], Float[Array, "ue"]]:
    total = sum_by_bs(own, association, len(load))
    mean = total / jnp.maximum(load, 1.0)
    entering = (total[:, None] + efficiency) / (load[:, None] + 1) - mean[:, None]
    at_total, at_load = gather(total, association), gather(load, association)
    # Of a BS that it leaves empty nothing stays: not the rounding of a difference either.
    left = jnp.where(at_load > 1, (at_total - own) / jnp.maximum(at_load - 1, 1.0), 0.0)
    return entering, left - gather(mean, association)


def _fair_gains(
    entry: Float[Array, "bs ue"],
    association: Int[Array, "ue"],
    load: Float[Array, "bs"],
    own: Float[Array, "ue"],
    floor: Float[Array, ""],
) -> tuple[Float[Array, "bs ue"], Float[Array, "ue"]]:
    """`entry` is ln(efficiency / (load + 1) + floor), what a UE has where it enters."""
    at_load = gather(load, association)
    fewer = jnp.log(own / jnp.maximum(at_load - 1, 1.0) + floor)
    now = jnp.log(own / jnp.maximum(at_load, 1.0) + floor)
    more = jnp.log(own / (at_load + 1) + floor)
    crowded = sum_by_bs(more - now, association, len(load))
    relieved = sum_by_bs(fewer - now, association, len(load))
    # Those that stay are relieved, all but the one that leaves, which loses what it has.
    return crowded[:, None] + entry, gather(relieved, association) - fewer


def _entry(efficiency: Array, load: Array, floor: Array) -> Array:
    return jnp.log(efficiency / (load[..., None] + 1) + floor)


def move_gains(
    problem: AssociationProblem, power: Float[Array, " bs"], association: Int[Array, " ue"]
) -> Float[Array, "ue bs"]:
    """What the utility gains at fixed powers if one UE changes its BS, for every UE and BS; 0 at its own BS.

    BSs without UEs interfere as well, with the powers that are given. -inf where a BS does not reach the UE.
    """
    eff = efficiency(problem, power)
    load = load_of(problem, association)
    entering, leaving = entering_and_leaving(problem, eff, association, load, _own(eff, association))
    stays = jnp.arange(problem.num_bss)[:, None] == association
    gains = jnp.where(stays, 0.0, entering + leaving)
    return jnp.where(problem.snr > 0, gains.T, -jnp.inf)


def entering_and_leaving(
    problem: AssociationProblem,
    efficiency: Float[Array, "bs ue"],
    association: Int[Array, "ue"],
    load: Float[Array, "bs"],
    own: Float[Array, "ue"],
) -> tuple[Float[Array, "bs ue"], Float[Array, "ue"]]:
    """What the utility of a BS gains if a UE enters it, and that of its present one if the UE leaves.

    Args:
        problem: whose objective is the utility.
        efficiency: ``log2(1 + SINR)`` of every UE under every BS.
        association: BS of every UE, -1 for none.
        load: UEs of every BS.
        own: `efficiency` of every UE at its own BS.
    """
    if problem.objective == "sum-rate":
        return _sum_rate_gains(efficiency, association, load, own)
    entry = _entry(efficiency, load, problem.rate_floor)
    return _fair_gains(entry, association, load, own, problem.rate_floor)


def _own(efficiency: Array, association: Array) -> Float[Array, "ue"]:
    picked = jnp.take_along_axis(efficiency, jnp.maximum(association, 0)[None], 0)[0]
    return jnp.where(association >= 0, picked, 0.0)


class _State(NamedTuple):
    association: Int[Array, "ue"]
    load: Float[Array, "bs"]
    own: Float[Array, "ue"]
    entry: Float[Array, "bs ue"] | None
    going: Bool[Array, ""]
    moves: Int[Array, ""]


def moves_at(
    problem: AssociationProblem, efficiency: Float[Array, "bs ue"], association: Int[Array, " ue"], count: int
) -> Int[Array, " ue"]:
    """`best_single_moves` at given spectral efficiencies of all UEs under all BSs."""
    reach, floor = (problem.snr > 0).T, problem.rate_floor
    fair = problem.objective == "proportional-fair"
    # Gains below the rounding of the sums that they are differences of would let UEs go in circles.
    least = 64 * jnp.finfo(efficiency.dtype).eps * (1.0 if fair else 1 + efficiency.max())

    def step(state: _State) -> _State:
        association, load, own = state.association, state.load, state.own
        if state.entry is None:
            entering, leaving = _sum_rate_gains(efficiency, association, load, own)
        else:
            entering, leaving = _fair_gains(state.entry, association, load, own, floor)
        stays = jnp.arange(problem.num_bss)[:, None] == association
        value, target = best_bs(entering, reach & ~stays)
        gain = value + leaving
        mover = jnp.argmax(gain)
        going = gain[mover] > least
        source, to = association[mover], target[mover]
        association = association.at[mover].set(jnp.where(going, to, source))
        change = going.astype(load.dtype)
        load = load.at[source].add(-change).at[to].add(change)
        own = own.at[mover].set(jnp.where(going, efficiency[to, mover], own[mover]))
        entry = state.entry
        if entry is not None:
            pair = jnp.stack([source, to])
            entry = entry.at[pair].set(_entry(efficiency[pair], load[pair], floor))
        return _State(association, load, own, entry, going, state.moves + 1)

    load = load_of(problem, association)
    entry = _entry(efficiency, load, floor) if fair else None
    going, moves = jnp.asarray(count > 0), jnp.zeros((), jnp.int32)
    state = _State(association, load, _own(efficiency, association), entry, going, moves)
    return jax.lax.while_loop(lambda s: s.going & (s.moves < count), step, state).association


def best_single_moves(
    problem: AssociationProblem, association: Int[Array, " ue"], power: Float[Array, " bs"], count: int
) -> Int[Array, " ue"]:
    """Up to `count` moves of one UE each at fixed powers, every one the one that raises the utility most.

    Args:
        problem: one downlink; its objective is the utility.
        association: BS of every UE, -1 for none [ue].
        power: shares of the budgets [bs]. BSs without UEs interfere as well: give those that may get some a little.
        count: most moves (static).

    Returns:
        The association after the moves [ue]; UEs without a BS keep none.
    """
    return moves_at(problem, efficiency(problem, power), association, count)
