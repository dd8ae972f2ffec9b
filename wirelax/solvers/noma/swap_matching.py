"""Users and subchannels of downlink NOMA as a many-to-many matching, improved swap by swap.

What a subchannel earns depends on its own slots alone. So one table, what a slot's subchannel gains if the slot's
user were another one, gives all replacements, by sums of two entries all swaps, and with a table of additions all
moves. Every round takes the best of them.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from wirelax.kernels import ordered_sic_sinr, rate
from wirelax.problems.noma import NomaProblem, Slots
from wirelax.solvers.noma.decision import decided, even_shares
from wirelax.types import Solution, Status

__all__ = ["Matched", "match_slots", "swap_deltas", "swap_matching"]

RELATIVE_GAIN = 1e-6
"""A change has to raise the sum rate by more than this share of it, to stand clear of float32 rounding."""


class Matched(NamedTuple):
    """A schedule that no change improves, in slots, and how it was found.

    Attributes:
        user: of every slot in SIC order, -1 where it is empty [subchannel, slot].
        power: share of the total power of every slot, 0 where it is empty [subchannel, slot].
        iterations: changes made.
        status: CONVERGED, or ITERATION_LIMIT where as many changes were made as allowed.
    """

    user: Int[Array, "subchannel slot"]
    power: Float[Array, "subchannel slot"]
    iterations: Int[Array, ""]
    status: Int[Array, ""]


class _Places(NamedTuple):
    user: Int[Array, "subchannel *slot"]
    power: Float[Array, "subchannel *slot"]


class _Deltas(NamedTuple):
    exchanged: Float[Array, "subchannel slot candidate"]
    joined: Float[Array, "subchannel source"]


class _State(NamedTuple):
    places: _Places
    deltas: _Deltas
    utility: Float[Array, ""]
    accepted: Int[Array, ""]
    improving: Bool[Array, ""]


def _snrs(snr: Float[Array, "subchannel user"], user: Int[Array, "subchannel *slot"]) -> Array:
    flat = jnp.maximum(user, 0).reshape(user.shape[0], -1)
    return jnp.take_along_axis(snr, flat, 1).reshape(user.shape)


def _in_sic_order(
    snr: Float[Array, "subchannel user"], places: _Places
) -> tuple[_Places, Float[Array, "subchannel *slot"]]:
    """Slots by falling SNR, ties by user, empty ones last, and their SNRs; powers go with their slots.

    Ranks from comparisons, as the rows are short and many: sorting them takes several times longer.
    """
    user, slot_snr = places.user, _snrs(snr, places.user)
    used = user >= 0
    level, other = slot_snr[..., None, :], slot_snr[..., :, None]
    behind = (other > level) | ((other == level) & (user[..., :, None] < user[..., None, :]))
    rank = (behind & used[..., :, None]).sum(-2)
    here = (rank[..., None, :] == jnp.arange(user.shape[-1])[:, None]) & used[..., None, :]

    def arranged(x: Array) -> Array:
        return jnp.where(here, x[..., None, :], 0).sum(-1, dtype=x.dtype)  # sums of integers widen in double precision

    return _Places(arranged(user + 1) - 1, arranged(places.power)), arranged(slot_snr)


def _earned(problem: NomaProblem, rows: Int[Array, " subchannel"], places: _Places) -> Array:
    """(Weighted) sum rate, bit/s/Hz, of candidate slots of the subchannels `rows`, in any order."""
    (user, power), snr = _in_sic_order(problem.snr[rows], places)
    sinr = ordered_sic_sinr(snr, power, 1.0, problem.sic_residual, problem.interference_gain)
    return jnp.where(user >= 0, problem.weight[jnp.maximum(user, 0)] * rate(sinr), 0.0).sum(-1)


def _now(problem: NomaProblem, places: _Places, rows: Int[Array, " row"]) -> Float[Array, " row"]:
    return _earned(problem, rows, _Places(places.user[rows], places.power[rows]))


def _exchanged(problem: NomaProblem, places: _Places, rows: Int[Array, " row"]) -> Float[Array, "row slot candidate"]:
    user, power = places.user[rows], places.power[rows]
    everyone = jnp.append(jnp.arange(problem.num_users, dtype=user.dtype), -1)[:, None]
    who = jnp.where(jnp.eye(user.shape[1], dtype=bool)[:, None, :], everyone, user[:, None, None, :])
    power = jnp.broadcast_to(power[:, None, None, :], who.shape)
    return _earned(problem, rows, _Places(who, power)) - _now(problem, places, rows)[:, None, None]


def _joined(
    problem: NomaProblem, places: _Places, rows: Int[Array, " row"], sources: Int[Array, " source"]
) -> Float[Array, "row source"]:
    last = jnp.arange(places.user.shape[1]) == places.user.shape[1] - 1
    full = _Places(*(jnp.where(last, x.reshape(-1)[sources][:, None], x[rows][:, None, :]) for x in places))
    return _earned(problem, rows, full) - _now(problem, places, rows)[:, None]


def swap_deltas(
    problem: NomaProblem, user: Int[Array, "subchannel slot"], power: Float[Array, "subchannel slot"]
) -> tuple[Float[Array, "subchannel slot candidate"], Float[Array, "subchannel source"]]:
    """What a subchannel gains by one change among its slots, all changes at once.

    Args:
        problem: the network.
        user: user of every slot, -1 where it is empty.
        power: of every slot, a share of the total power.

    Returns:
        Change of the subchannel's (weighted) sum rate, bit/s/Hz, first if the user of a slot were another one at the
        same power (the last entry: if the slot were empty), [subchannel, slot, user + 1]; then if the user of any
        slot (`source`, subchannels times slots) came with its power into the last slot, [subchannel, source].
    """
    places, rows = _Places(user, power), jnp.arange(user.shape[0])
    return _Deltas(_exchanged(problem, places, rows), _joined(problem, places, rows, jnp.arange(user.size)))


def _updated(problem: NomaProblem, deltas: _Deltas, places: _Places, rows: Int[Array, " row"]) -> _Deltas:
    """The tables after a change on the subchannels `rows`; nothing else in them moves."""
    num_subchannels, size = places.user.shape
    everywhere, sources = jnp.arange(num_subchannels), jnp.arange(num_subchannels * size)
    moved = (rows[:, None] * size + jnp.arange(size)).reshape(-1)
    joined = deltas.joined.at[:, moved].set(_joined(problem, places, everywhere, moved))
    return _Deltas(
        deltas.exchanged.at[rows].set(_exchanged(problem, places, rows)),
        joined.at[rows].set(_joined(problem, places, rows, sources)),
    )


def _candidates(problem: NomaProblem, user: Int[Array, "subchannel slot"], deltas: _Deltas) -> Array:
    """Gain of every change, -inf where it is not allowed: for every slot M replacements, NH swaps, N moves."""
    slots = problem.fill(user)
    exchanged = deltas.exchanged.reshape(-1, problem.num_users + 1)
    subchannel, user = jnp.arange(user.size) // user.shape[1], user.reshape(-1)
    used = user >= 0
    on = slots.assignment(problem.num_users)
    free = on.sum(0) < problem.max_subchannels_per_user
    new_to = used & ~on[:, jnp.maximum(user, 0)]
    replace = used[:, None] & ~on[subchannel] & free
    swap = new_to[subchannel].T & new_to[subchannel]
    move = new_to.T & ~slots.used[:, -1]
    pair = exchanged[:, jnp.maximum(user, 0)]
    return jnp.concatenate(
        [
            jnp.where(replace, exchanged[:, :-1], -jnp.inf),
            jnp.where(swap, pair + pair.T, -jnp.inf),
            jnp.where(move, exchanged[:, -1:] + deltas.joined.T, -jnp.inf),
        ],
        1,
    )


def _apply(problem: NomaProblem, places: _Places, source: Array, change: Array) -> tuple[_Places, Array]:
    """Places after a change of `_candidates`, which writes two slots (one twice for a replacement); their rows."""
    shape, num_users, sources = places.user.shape, problem.num_users, places.user.size
    user, power = places.user.reshape(-1), places.power.reshape(-1)
    replace, move = change < num_users, change >= num_users + sources
    empty = (change - num_users - sources + 1) * shape[1] - 1
    target = jnp.where(replace, source, jnp.where(move, empty, change - num_users))
    leaves = jnp.where(replace, change, jnp.where(move, -1, user[target]))
    enters = jnp.where(replace, change, user[source])
    kept, given = jnp.where(move, 0.0, power[source]), jnp.where(move, power[source], power[target])
    user = user.at[source].set(leaves).at[target].set(enters).reshape(shape)
    power = power.at[source].set(kept).at[target].set(given).reshape(shape)
    return _in_sic_order(problem.snr, _Places(user, power))[0], jnp.stack([source, target]) // shape[1]


def match_slots(
    problem: NomaProblem, slots: Slots, power: Float[Array, "subchannel slot"], max_iterations: int = 200
) -> Matched:
    """`swap_matching` from a schedule in slots, powers being shares of the total power; no derivatives.

    Args:
        problem: one network.
        slots: the schedule to start from.
        power: of every slot; that of empty slots is ignored.
        max_iterations: most changes.
    """

    def value(places: _Places) -> Array:
        return problem.slot_utility(problem.fill(places.user), places.power)

    def improve(state: _State) -> _State:
        gains = _candidates(problem, state.places.user, state.deltas)
        best = gains.argmax().astype(jnp.int32)
        places, rows = _apply(problem, state.places, best // gains.shape[1], best % gains.shape[1])
        utility = value(places)
        # The table promises, the utility decides: their rounding differs.
        better = (gains.max() > RELATIVE_GAIN * jnp.abs(state.utility)) & (utility > state.utility)
        deltas = _updated(problem, state.deltas, places, rows)
        new_state = _State(places, deltas, utility, state.accepted + 1, better)
        return jax.tree.map(lambda new, old: jnp.where(better, new, old), new_state, state._replace(improving=better))

    problem, power = jax.lax.stop_gradient((problem, power))
    start, _ = _in_sic_order(problem.snr, _Places(slots.user, power))
    deltas = _Deltas(*swap_deltas(problem, *start))
    state = _State(start, deltas, value(start), jnp.int32(0), jnp.bool_(True))
    end = jax.lax.while_loop(lambda s: s.improving & (s.accepted < max_iterations), improve, state)
    status = jnp.where(end.improving, Status.ITERATION_LIMIT, Status.CONVERGED)
    return Matched(end.places.user, end.places.power, end.accepted, status)


def swap_matching(
    problem: NomaProblem,
    power_w: Float[Array, "subchannel user"] | None = None,
    *,
    max_iterations: int = 200,
) -> Solution:
    """Swaps users between subchannels as long as the (weighted) sum rate rises (Yang et al., 2020, Algorithm 2).

    Powers stay with their places, users change places. In every round the best of these changes is made: a user
    hands its place to one that is not on the subchannel and has quota left; two users on different subchannels
    exchange places; a user takes its power to an empty place of another subchannel. None breaks H, V or the total
    power. It ends as the sum rate rises with every change and schedules are finitely many (eqs. (20)-(21)): where
    no single change helps, which need not be the best schedule. R_min is not looked at on the way.

    Derivatives are those at the schedule found and at fixed shares of the total power.

    Args:
        problem: one network; its schedule is the start, of more than H users on a subchannel the H strongest.
        power_w: power of every pair of that schedule, W; even by default.
        max_iterations: most changes.

    Returns:
        `Solution` with ``assignment`` and ``power_w``, W [subchannel, user]; the utility is never below that of the
        start; iterations are changes made. ITERATION_LIMIT where `max_iterations` were; INFEASIBLE where no powers
        of the schedule found meet R_min (whether these do says ``feasible``).

    Raises:
        ValueError: shapes do not fit one network.
    """
    slots = problem.slots()
    if power_w is None:
        power = even_shares(slots)
    elif power_w.shape == problem.snr.shape:
        power = slots.gather(power_w) / problem.total_power_w
    else:
        raise ValueError(f"power_w has shape {power_w.shape}, wanted {problem.snr.shape} of one network: use jax.vmap")
    found = match_slots(problem, slots, power, max_iterations)
    slots = problem.fill(found.user)
    return decided(problem, slots, found.power, status=found.status, iterations=found.iterations)
