"""Random problem instances out of the ray-traced Munich maps, under ``jit`` and ``vmap``."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from wirelax.channels.munich import load_munich_wideband

__all__ = [
    "MunichBsCandidates",
    "MunichHetnetCandidates",
    "munich_bs_candidates",
    "munich_hetnet_candidates",
    "munich_positions",
    "munich_stations",
    "munich_uplink_candidates",
    "sample_munich_bs",
    "sample_munich_hetnet",
    "sample_munich_radiomap",
    "sample_munich_uplink",
]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class MunichHetnetCandidates:
    """What `sample_munich_hetnet` draws from: a pytree, to be passed to a jitted function as an argument.

    Attributes:
        gain: downlink gains of the map [RB, UE, BS].
        user_index: UEs whose strongest BS is this one [BS, most of any BS], padded with -1.
        user_count: how many of them are not padding, one number a BS (static).
    """

    gain: Float[Array, "rb ue bs"]
    user_index: Int[Array, "bs candidates"]
    user_count: tuple[int, ...] = field(metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class MunichBsCandidates:
    """What `sample_munich_bs` draws from: a pytree, to be passed to a jitted function as an argument.

    Attributes:
        gain: downlink gains of one BS [RB, UE].
        user_index: UEs that it reaches [candidate].
    """

    gain: Float[Array, "rb ue"]
    user_index: Int[Array, " candidate"]


def munich_bs_candidates(bs: int) -> MunichBsCandidates:
    """The UEs of the wideband map that one BS (0 the macro) reaches. Call it once, outside of any jitted function."""
    gain = load_munich_wideband().downlink_gain[:, :, bs]
    reached = np.flatnonzero(gain.mean(axis=0, dtype=float) > 0)
    return MunichBsCandidates(gain=jnp.asarray(gain, dtype=float), user_index=jnp.asarray(reached, dtype=jnp.int32))


def sample_munich_bs(
    candidates: MunichBsCandidates, num_users: int, num_subchannels: int, *, key: PRNGKeyArray
) -> Float[Array, "subchannels users"]:
    """Draw one cell from the wideband map: distinct users of one BS, its RBs grouped into subchannels.

    Args:
        candidates: from `munich_bs_candidates`.
        num_users: users (static), drawn uniformly.
        num_subchannels: groups of as many adjacent RBs as fit into the 48 (static); the rest is unused.
        key: random key.

    Returns:
        Linear power gain [num_subchannels, num_users], the mean over the RBs of a subchannel.

    Raises:
        ValueError: more users or subchannels wanted than the map has, or fewer than one.
    """
    num_rb = candidates.gain.shape[0]
    _require_size("num_subchannels", num_subchannels, num_rb)
    _require_size("num_users", num_users, candidates.user_index.size)
    user = candidates.user_index[_distinct(candidates.user_index.size, num_users, key=key)]
    width = num_rb // num_subchannels
    gain = candidates.gain[: num_subchannels * width, user]
    return gain.reshape(num_subchannels, width, num_users).mean(1)


def munich_hetnet_candidates() -> MunichHetnetCandidates:
    """Sort the UEs of the wideband map by their strongest BS (mean gain over the RBs).

    UEs that no BS reaches (9 of 600) are left out. Call it once, outside of any jitted function.
    """
    gain = load_munich_wideband().downlink_gain
    mean_gain = gain.mean(axis=0, dtype=float)
    strongest = np.where(mean_gain.max(axis=1) > 0, mean_gain.argmax(axis=1), -1)
    users = [np.flatnonzero(strongest == bs) for bs in range(gain.shape[2])]
    counts = tuple(len(index) for index in users)
    padded = [np.pad(index, (0, max(counts) - len(index)), constant_values=-1) for index in users]
    return MunichHetnetCandidates(
        gain=jnp.asarray(gain, dtype=float),
        user_index=jnp.asarray(np.stack(padded), dtype=jnp.int32),
        user_count=counts,
    )


def sample_munich_hetnet(
    candidates: MunichHetnetCandidates, users_per_bs: int, num_subchannels: int, *, key: PRNGKeyArray
) -> Float[Array, "subchannels users bs"]:
    """Draw one HetNet from the wideband map: distinct users for every BS, distinct RBs.

    Args:
        candidates: from `munich_hetnet_candidates`.
        users_per_bs: users of each BS (static), drawn uniformly from those whose strongest BS it is; the BS
            with fewest has 74.
        num_subchannels: RBs (static), drawn uniformly from the 48.
        key: random key.

    Returns:
        Linear power gain [num_subchannels, 3 * users_per_bs, 3]; user u is served by BS u // users_per_bs
        and BS 0 is the macro.

    Raises:
        ValueError: more users or subchannels wanted than the map has, or fewer than one.
    """
    num_rb = candidates.gain.shape[0]
    counts = candidates.user_count
    _require_size("num_subchannels", num_subchannels, num_rb)
    _require_size("users_per_bs", users_per_bs, min(counts))
    rb_key, *user_keys = jax.random.split(key, 1 + len(counts))
    rb = _distinct(num_rb, num_subchannels, key=rb_key)
    users = [
        index[_distinct(count, users_per_bs, key=user_key)]
        for index, count, user_key in zip(candidates.user_index, counts, user_keys, strict=True)
    ]
    return candidates.gain[rb[:, None], jnp.concatenate(users)]


def munich_uplink_candidates() -> Float[Array, "candidate rb"]:
    """Uplink gains of the UEs that the macro's 64 antennas hear on every RB, combined. Call it outside of a trace."""
    gain = load_munich_wideband().uplink_mrc_gain
    return jnp.asarray(gain[(gain > 0).all(axis=1)], dtype=float)


def sample_munich_uplink(
    gain: Float[Array, "candidate rb"], num_users: int, num_rbs: int, *, key: PRNGKeyArray
) -> Float[Array, "users rbs"]:
    """Draw one uplink cell from the wideband map: distinct users on a block of adjacent RBs.

    Args:
        gain: from `munich_uplink_candidates`.
        num_users: users (static), drawn uniformly.
        num_rbs: RBs (static); where they begin is drawn uniformly.
        key: random key.

    Returns:
        Linear power gain [num_users, num_rbs] after combining the antennas.

    Raises:
        ValueError: more users or RBs wanted than the map has, or fewer than one.
    """
    candidates, most = gain.shape
    _require_size("num_rbs", num_rbs, most)
    _require_size("num_users", num_users, candidates)
    user_key, first_key = jax.random.split(key)
    users = _distinct(candidates, num_users, key=user_key)
    first = jax.random.randint(first_key, (), 0, most - num_rbs + 1)
    return jax.lax.dynamic_slice_in_dim(gain[users], first, num_rbs, axis=1)


def sample_munich_radiomap(
    gain: Float[Array | np.ndarray, "grid bs"], num_ues: int, *, key: PRNGKeyArray
) -> Float[Array, "ues bs"]:
    """Draw distinct UE positions uniformly from a radio map, in the order of the grid.

    Args:
        gain: linear power gain of all positions [grid, BS], the `gain` of `load_munich_radiomap`.
        num_ues: positions to draw (static).
        key: random key.

    Returns:
        Linear power gain [num_ues, BS].

    Raises:
        ValueError: more UEs wanted than the map has positions, or fewer than one.
    """
    return jnp.asarray(gain)[munich_positions(gain.shape[0], num_ues, key=key)]


def munich_positions(num_positions: int, num_ues: int, *, key: PRNGKeyArray) -> Int[Array, "ues"]:
    """The positions that `sample_munich_radiomap` draws with this key, by their rows in the map.

    Raises:
        ValueError: more UEs wanted than the map has positions, or fewer than one.
    """
    _require_size("num_ues", num_ues, num_positions)
    return jnp.sort(_distinct(num_positions, num_ues, key=key))


def munich_stations(is_macro: Bool[np.ndarray, "bs"], num_bss: int, *, key: PRNGKeyArray) -> Int[Array, "num_bss"]:
    """All macros of a radio map and a uniform draw of its small BSs, `num_bss` in all, in the order of the map.

    Args:
        is_macro: the field of `load_munich_radiomap`; the macros come first.
        num_bss: BSs wanted (static).
        key: random key.

    Raises:
        ValueError: more BSs wanted than there are, or fewer than the macros.
    """
    macros, small = int(is_macro.sum()), int((~is_macro).sum())
    if not macros <= num_bss <= macros + small:
        raise ValueError(f"num_bss must be between {macros} and {macros + small} on this map, got {num_bss}")
    if num_bss == macros:
        return jnp.arange(macros)
    return jnp.concatenate([jnp.arange(macros), macros + jnp.sort(_distinct(small, num_bss - macros, key=key))])


def _require_size(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise ValueError(f"{name} must be between 1 and {most} on this map, got {value}")


def _distinct(population: int, count: int, *, key: PRNGKeyArray) -> Int[Array, "count"]:
    """Ordered uniform draw of `count` distinct numbers below `population`, in O(count^2).

    Draw i is uniform among the numbers left: a rank, raised by one for each taken number at or below it.
    ``jax.random.choice(replace=False)`` shuffles the whole population, some 100 times slower here.
    """
    slot = jnp.arange(count)
    ranks = jax.random.randint(key, (count,), 0, population - slot)

    def step(taken, rank):  # taken: the numbers so far in rising order, then a filler above any number
        number = rank + jnp.sum(taken - slot <= rank)
        place = jnp.sum(taken < number)
        shifted = jnp.where(slot == place, number, jnp.roll(taken, 1))
        return jnp.where(slot < place, taken, shifted), number

    return jax.lax.scan(step, jnp.full(count, 2 * population), ranks)[1]
