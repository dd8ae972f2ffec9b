"""Users take RBs in turns until each is served by its own: the loop of the multi-user method of Yin et al. (2025)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from wirelax.problems import LONG, NONE, SHORT, UplinkQosProblem, evaluate
from wirelax.solvers.uplink_qos.own_set import Tested
from wirelax.solvers.uplink_qos.water import two_level_power, usable
from wirelax.types import Solution, Status

__all__ = ["Grown", "decided", "grow", "ln_gains", "turn_order"]

Accept = Callable[[Float[Array, "user slot"], Int[Array, "user"]], Any]
"""``(ln_gain, count) -> Tested`` or its first two: see `wirelax.solvers.uplink_qos.own_set_test`."""


class Grown(NamedTuple):
    """Which services the RBs carry, and how they were found.

    Attributes:
        service: NONE, LONG or SHORT [user, rb].
        served: users whose own set passed the test [user].
        proven: whether every rejection of a set was proven.
        rounds: in which users took RBs.
    """

    service: Int[Array, "user rb"]
    served: Bool[Array, "user"]
    proven: Bool[Array, ""]
    rounds: Int[Array, ""]


class _Held(NamedTuple):
    """RBs of every user, best first, and how many they are."""

    ln_gain: Float[Array, "user slot"]
    rb: Int[Array, "user slot"]
    count: Int[Array, "user"]


class _State(NamedTuple):
    held: _Held
    free: Bool[Array, " rb"]
    open: Bool[Array, " user"]
    served: Bool[Array, " user"]
    short: Bool[Array, "user slot"]
    proven: Bool[Array, ""]
    rounds: Int[Array, ""]


def ln_gains(snr: Float[Array, "user rb"]) -> Float[Array, "user rb"]:
    """Logarithm of the SNR at full power; -inf where an RB is of no use to a user."""
    good = usable(snr)
    return jnp.where(good, jnp.log(jnp.where(good, snr, 1.0)), -jnp.inf)


def _best_free(free: Bool[Array, " rb"], ln_gain: Float[Array, " rb"]) -> tuple[Array, Array]:
    """The free RB of largest gain, the first of equals, and its gain (-inf: there is none)."""
    value = jnp.where(free, ln_gain, -jnp.inf)
    best, last = value.max(), len(ln_gain) - 1
    # Through max and min: XLA's CPU argmax does not vectorise, these do.
    return jnp.where(value == best, jnp.arange(last + 1, dtype=jnp.int32), last).min(), best


def turn_order(snr: Float[Array, "user rb"]) -> Int[Array, "rb"]:
    """RBs in the order in which the users, in turns, take the best one that is left: Yin et al. (2025), Sec. IV-D.

    Args:
        snr: any measure of gains, not NaN [user, rb].

    Returns:
        A permutation of the RBs, the i-th taken by user ``i mod K``; of equal gains the first index goes first. One
        user's order is that of falling gains.
    """
    num_users, num_rbs = snr.shape

    def turn(taken: Array, user: Array) -> tuple[Array, Array]:
        left = jnp.where(taken, -jnp.inf, snr[user])
        best = jnp.where(~taken & (left == left.max()), jnp.arange(num_rbs), num_rbs).min()
        return taken | (jnp.arange(num_rbs) == best), best

    users = jnp.arange(num_rbs) % num_users
    return jax.lax.scan(turn, jnp.zeros(num_rbs, bool), users)[1].astype(jnp.int32)


def _hold(ln_gain: Float[Array, "user rb"], owned: Bool[Array, "user rb"]) -> _Held:
    value = jnp.where(owned, ln_gain, -jnp.inf)
    order = jnp.argsort(-value, axis=-1, stable=True)
    count = (value > -jnp.inf).sum(-1, dtype=jnp.int32)
    return _Held(jnp.take_along_axis(value, order, -1), order.astype(jnp.int32), count)


def _take(
    state: _State, takes: Bool[Array, " user"], score: Float[Array, "user rb"], ln_gain: Float[Array, "user rb"]
) -> tuple[_State, Bool[Array, " user"]]:
    """Every user that takes one, in order, takes the free RB that it scores best; who got one."""

    def turn(free: Array, user: tuple[Array, Array, Array]) -> tuple[Array, tuple[Array, Array, Array]]:
        score, ln_gain, takes = user
        rb, best = _best_free(free, score)
        got = takes & (best > -jnp.inf)
        here = got & (jnp.arange(len(free)) == rb)
        return free & ~here, (rb, jnp.where(here, ln_gain, 0.0).sum(), got)

    free, (rb, value, got) = jax.lax.scan(turn, state.free, (score, ln_gain, takes), unroll=min(4, len(score)))
    held, slot = state.held, jnp.arange(len(state.free))
    place = ((held.ln_gain >= value[:, None]) & (slot < held.count[:, None])).sum(-1)[:, None]

    def inserted(old: Array, new: Array) -> Array:
        moved = jnp.concatenate([old[:, :1], old[:, :-1]], -1)
        with_it = jnp.where(slot < place, old, jnp.where(slot == place, new[:, None], moved))
        return jnp.where(got[:, None], with_it, old)

    held = _Held(inserted(held.ln_gain, value), inserted(held.rb, rb), held.count + got)
    return state._replace(held=held, free=free), got


def _judge(state: _State, accept: Accept, fresh: Bool[Array, " user"]) -> _State:
    """Test all users' sets; those open and `fresh` may pass, those open and not fresh have no RB left to take."""
    tested = Tested(*accept(state.held.ln_gain, state.held.count))
    sure = jnp.zeros_like(fresh) if tested.proven is None else tested.proven
    passed = state.open & fresh & tested.accepted
    return state._replace(
        open=state.open & fresh & ~passed,
        served=state.served | passed,
        short=jnp.where(passed[:, None], tested.short, state.short),
        proven=state.proven & (sure | ~(state.open & fresh)).all(),
    )


def _judge_prefixes(state: _State, accept: Accept) -> _State:
    """Serve every open user by the fewest best RBs of its set that pass, and give back the others."""
    count = state.held.count

    def step(carry: tuple[Array, _State]) -> tuple[Array, _State]:
        size, state = carry
        shorter = state.held._replace(count=jnp.where(state.open, jnp.minimum(count, size), state.held.count))
        judged = _judge(state._replace(held=shorter), accept, state.open & (count >= size))
        stays = state.held._replace(count=jnp.where(judged.served, shorter.count, count))
        return size + 1, judged._replace(held=stays, open=state.open & ~judged.served)

    def goes_on(carry: tuple[Array, _State]) -> Array:
        size, state = carry
        return (state.open & (count >= size)).any()

    _, state = jax.lax.while_loop(goes_on, step, (jnp.ones((), jnp.int32), state))
    slot = jnp.arange(len(state.free))
    surplus = (slot >= state.held.count[:, None]) & (slot < count[:, None])
    back = jnp.zeros_like(state.free).at[state.held.rb].max(surplus)
    return state._replace(free=state.free | back)


def grow(
    problem: UplinkQosProblem,
    accept: Accept,
    owned: Bool[Array, "user rb"] | None = None,
    *,
    score: Float[Array, "user rb"] | None = None,
    wanted: Bool[Array, ""] | bool = True,
) -> Grown:
    """Rounds in which every unserved user takes its best free RB, until its RBs pass a test: Sec. III-B.

    Args:
        problem: one cell.
        accept: decides all users at once: from the logarithms of the gains of every user's RBs, best first
            [user, slot], and their number [user], whether they suffice [user] and which carry the short service
            [user, slot]. It sees padding behind a user's RBs. `own_set_test` is exact.
        owned: RBs that users hold at the start; no RB is held twice. Then the fewest best RBs of every set that pass
            the test are kept, in every round, and the others given back.
        score: by which users choose, -inf for never; the gains by default.
        wanted: nothing is done, at no cost, where this is false.

    Returns:
        The services. A user that is not served when no RB is left holds on to what it has, its worst RB carrying
        the short service.
    """
    num_users, num_rbs = problem.snr.shape
    ln_gain = ln_gains(problem.snr)
    score = ln_gain if score is None else jnp.where(ln_gain > -jnp.inf, score, -jnp.inf)
    has_long, has_short = problem.rate_long > 0, problem.rate_short > 0
    none, nobody = jnp.zeros((num_users, num_rbs), bool), jnp.zeros(num_users, bool)
    to_serve = ~nobody & (has_long | has_short)
    if owned is None:
        held = _Held(jnp.full(none.shape, -jnp.inf, ln_gain.dtype), none.astype(jnp.int32), nobody.astype(jnp.int32))
        free = jnp.ones(num_rbs, bool)
    else:
        owned = owned & (ln_gain > -jnp.inf)
        held, free = _hold(ln_gain, owned & to_serve[:, None]), ~owned.any(0)
    # Sets that are held at the start are tested before anything is taken: round 0.
    rounds = jnp.asarray(0 if owned is None else -1, jnp.int32)
    state = _State(held, free, to_serve & wanted, ~to_serve, none, jnp.ones((), bool), rounds)

    def round_of(state: _State) -> _State:
        takes = state.open & (state.rounds >= 0)
        taken, got = _take(state, takes, score, ln_gain)
        if owned is None:
            judged = _judge(taken, accept, got)
        else:
            judged = _judge_prefixes(taken._replace(open=taken.open & (got | ~takes)), accept)
        return judged._replace(rounds=state.rounds + 1)

    state = jax.lax.while_loop(lambda state: state.open.any(), round_of, state)
    slot, count = jnp.arange(num_rbs), state.held.count[:, None]
    worst = has_short & (slot == count - 1) & ((count > 1) | ~has_long)
    short = jnp.where(state.served[:, None], state.short, worst)
    carried = jnp.where(slot < count, jnp.where(short, SHORT, LONG), NONE)
    service = jnp.zeros(none.shape, jnp.int32).at[jnp.arange(num_users)[:, None], state.held.rb].max(carried)
    return Grown(service, state.served, state.proven, jnp.maximum(state.rounds, 0))


def decided(
    problem: UplinkQosProblem, grown: Grown, *, proven: Bool[Array, ""] | bool = False, **residuals: Array
) -> Solution:
    """Services with the powers that belong to them, judged.

    Users that are served spend their budgets by two-level water-filling, the others evenly. The powers are functions
    of the problem at fixed services, so that derivatives exist.

    Args:
        problem: one cell.
        grown: services of its RBs.
        proven: whether no allocation occupies fewer RBs.
        residuals: of the method, by name.
    """
    long, short = grown.service == LONG, grown.service == SHORT
    need = problem.short_need(jnp.maximum(short.sum(-1), 1))
    share = jax.vmap(two_level_power)(problem.snr, long, short, need)
    used = long | short
    even = used / jnp.maximum(used.sum(-1, keepdims=True), 1).astype(share.dtype)
    # A set that does not suffice, by a test that is not exact, may want more for the short service than there is.
    share = jnp.where(grown.served[:, None], share / jnp.maximum(share.sum(-1, keepdims=True), 1.0), even)
    ended = jnp.where(grown.served.all(), Status.CONVERGED, Status.INFEASIBLE)
    return evaluate(
        problem,
        {"service": grown.service, "power_w": share * problem.max_power_w},
        status=jnp.where(jnp.isfinite(problem.snr).all(), ended, Status.NOT_FINITE),
        iterations=grown.rounds,
        proven=proven,
        residuals=residuals,
    )
