"""The energy-efficiency problem of a multi-cell OFDMA downlink: one record and its objective.

Maximise sum rate over total power (Xu et al., 2019, eq. (9)) subject to one user per cell and subchannel, at least
one subchannel per user (1a)(1b), a power budget per BS (2), and a spectral-efficiency target (8).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, PRNGKeyArray

from wirelax.errors import InputError
from wirelax.kernels.energy import energy_efficiency, total_power_w
from wirelax.kernels.ofdma import assigned_sinr
from wirelax.kernels.rate import rate, spectral_efficiency
from wirelax.types import FEASIBILITY_TOLERANCE, Allocation

__all__ = ["EnergyEfficiencyProblem", "assignments", "make_energy_efficiency_problem", "random_assignment"]

MAX_ASSIGNMENTS = 200_000


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class EnergyEfficiencyProblem:
    """One channel and the constants of the objective; every field is traced.

    Attributes:
        snr: gain times the BS's budget over the noise, linear [subchannel, user, bs]: the SNR at full power. User u
            belongs to BS u // (users / bs).
        max_power_w: budget of each BS over its subchannels in W, [bs].
        bandwidth_per_subchannel_hz: B.
        amplifier_efficiency: rho, the radiated power over the power drawn for it.
        circuit_power_w: constant power of the whole network in W.
        min_spectral_efficiency: target epsilon of (8) in bit/s/Hz.
    """

    snr: Float[Array, "subchannel user bs"]
    max_power_w: Float[Array, " bs"]
    bandwidth_per_subchannel_hz: Float[Array, ""]
    amplifier_efficiency: Float[Array, ""]
    circuit_power_w: Float[Array, ""]
    min_spectral_efficiency: Float[Array, ""]

    @property
    def num_subchannels(self) -> int:
        """K."""
        return self.snr.shape[-3]

    @property
    def num_bs(self) -> int:
        """N."""
        return self.snr.shape[-1]

    @property
    def num_users(self) -> int:
        """U, of all cells."""
        return self.snr.shape[-2]

    @property
    def users_per_bs(self) -> int:
        """Users of each cell, U / N."""
        return self.num_users // self.num_bs

    @property
    def min_sum_rate_bps(self) -> Array:
        """The SE target as a sum rate in bit/s."""
        return self.min_spectral_efficiency * self.num_subchannels * self.bandwidth_per_subchannel_hz

    def sum_rate_bps(self, assignment: Int[Array, "bs subchannel"], power_w: Float[Array, "bs subchannel"]) -> Array:
        """Network throughput in bit/s, eq. (4)."""
        sinr = assigned_sinr(self.snr, assignment, power_w / self.max_power_w[:, None], 1.0)
        return self.bandwidth_per_subchannel_hz * rate(sinr).sum()

    def energy_efficiency(
        self, assignment: Int[Array, "bs subchannel"], power_w: Float[Array, "bs subchannel"]
    ) -> Array:
        """Energy efficiency in bit/J, eq. (6)."""
        return self.ratio(self.sum_rate_bps(assignment, power_w), power_w.sum())

    def ratio(self, sum_rate_bps: Array, radiated_power_w: Array) -> Array:
        """Energy efficiency in bit/J of sum rates and radiated powers, any shape; 0 where nothing is drawn."""
        return energy_efficiency(sum_rate_bps, radiated_power_w, self.amplifier_efficiency, self.circuit_power_w)

    def spectral_efficiency(
        self, assignment: Int[Array, "bs subchannel"], power_w: Float[Array, "bs subchannel"]
    ) -> Array:
        """Spectral efficiency in bit/s/Hz, eq. (7)."""
        return spectral_efficiency(
            self.sum_rate_bps(assignment, power_w), self.bandwidth_per_subchannel_hz, self.num_subchannels
        )

    def meets_target(self, sum_rate_bps: Array) -> Array:
        """Whether sum rates meet the SE target (8), up to rounding."""
        return sum_rate_bps >= self.min_sum_rate_bps * (1 - FEASIBILITY_TOLERANCE)

    def score(self, sum_rate_bps: Array, radiated_power_w: Array) -> Array:
        """What a search maximises: the efficiency where the SE target is met, else minus the shortfall in bit/s."""
        ratio = self.ratio(sum_rate_bps, radiated_power_w)
        return jnp.where(self.meets_target(sum_rate_bps), ratio, sum_rate_bps - self.min_sum_rate_bps)

    def total_power_w(self, radiated_power_w: Array) -> Array:
        """Power drawn by the network in W, eq. (5)."""
        return total_power_w(radiated_power_w, self.amplifier_efficiency, self.circuit_power_w)

    def utility(self, allocation: Allocation) -> Float[Array, ""]:
        """Energy efficiency in bit/J of ``assignment`` and ``power_w`` [bs, subchannel], eq. (6)."""
        return self.energy_efficiency(allocation["assignment"], allocation["power_w"])

    def metrics(self, allocation: Allocation) -> Mapping[str, Float[Array, ""]]:
        """What result files hold besides the energy efficiency: ``spectral_efficiency`` in bit/s/Hz."""
        return {"spectral_efficiency": self.spectral_efficiency(allocation["assignment"], allocation["power_w"])}

    def violations(self, allocation: Allocation) -> Mapping[str, Float[Array, ""]]:
        """Relative excess over every constraint.

        ``power_budget``: of the BS that exceeds (2) most; ``negative_power``: over the budget; ``unserved_users``:
        fraction of users without a subchannel (1b); ``foreign_users``: fraction of places given to a user of
        another cell; ``spectral_efficiency``: relative shortfall from the target (8).
        """
        assignment, power_w = allocation["assignment"], allocation["power_w"]
        users = jnp.arange(self.num_users)
        served = (assignment[..., None] == users).any((0, 1))
        cell = jnp.arange(self.num_bs)[:, None]
        foreign = (assignment >= 0) & (assignment // self.users_per_bs != cell)
        target = self.min_spectral_efficiency
        wanted = jnp.where(target > 0, target, 1)
        shortfall = 1 - self.spectral_efficiency(assignment, power_w) / wanted
        dtype = self.snr.dtype
        return {
            "power_budget": (power_w.sum(1) / self.max_power_w - 1).max(),
            "negative_power": (-power_w / self.max_power_w[:, None]).max(),
            "unserved_users": 1 - served.mean(dtype=dtype),
            "foreign_users": foreign.mean(dtype=dtype),
            "spectral_efficiency": jnp.where(target > 0, shortfall, -1.0),
        }


def make_energy_efficiency_problem(
    gain: Float[ArrayLike, "subchannel user bs"],
    *,
    noise_w: Float[ArrayLike, ""],
    max_power_w: Float[ArrayLike, " bs"],
    bandwidth_per_subchannel_hz: Float[ArrayLike, ""] = 1e6,
    amplifier_efficiency: Float[ArrayLike, ""] = 0.3,
    circuit_power_w: Float[ArrayLike, ""] = 12.0,
    min_spectral_efficiency: Float[ArrayLike, ""] = 0.0,
) -> EnergyEfficiencyProblem:
    """Check the shapes and build the problem.

    Args:
        gain: linear power gain from BS to user.
        noise_w: noise power per subchannel in W.
        max_power_w: see `EnergyEfficiencyProblem`, as for the other arguments.
        bandwidth_per_subchannel_hz: B.
        amplifier_efficiency: rho.
        circuit_power_w: of the whole network.
        min_spectral_efficiency: target; 0 for none.

    Raises:
        ValueError: `gain` is not [subchannel, user, bs], the users do not divide evenly over the BSs, a cell
            has more users than subchannels, or `max_power_w` is not one value per BS.
    """
    gain = jnp.asarray(gain)
    gain = gain.astype(jnp.result_type(gain, float))  # integer gains must not round the powers
    if gain.ndim != 3:
        raise ValueError(
            f"gain has shape {gain.shape}; wanted one instance [subchannel, user, bs] (use jax.vmap for a batch)"
        )
    num_subchannels, num_users, num_bs = gain.shape
    if num_users == 0 or num_users % num_bs:
        raise ValueError(
            f"gain has {num_users} users for {num_bs} BSs; the number of users must be a multiple of the number of "
            "BSs (user u is served by BS u // users_per_bs)"
        )
    if num_users // num_bs > num_subchannels:
        raise ValueError(
            f"{num_users // num_bs} users per BS cannot each get one of {num_subchannels} subchannels; "
            "use fewer users per BS or more subchannels"
        )
    max_power_w = jnp.asarray(max_power_w, gain.dtype)
    if max_power_w.shape != (num_bs,):
        raise ValueError(f"max_power_w has shape {max_power_w.shape}; wanted one budget per BS, ({num_bs},)")
    as_array = lambda value: jnp.asarray(value, gain.dtype)  # noqa: E731
    return EnergyEfficiencyProblem(
        snr=gain / as_array(noise_w) * max_power_w,  # in this order: gain times power may underflow
        max_power_w=max_power_w,
        bandwidth_per_subchannel_hz=as_array(bandwidth_per_subchannel_hz),
        amplifier_efficiency=as_array(amplifier_efficiency),
        circuit_power_w=as_array(circuit_power_w),
        min_spectral_efficiency=as_array(min_spectral_efficiency),
    )


def random_assignment(problem: EnergyEfficiencyProblem, *, key: PRNGKeyArray) -> Int[Array, "bs subchannel"]:
    """Users for all subchannels at random, every user of a cell at least one; at any size, nothing is enumerated.

    In every cell a random choice of subchannels gets one user each, the others get any user of the cell.
    """
    users, num_subchannels = problem.users_per_bs, problem.num_subchannels

    def of_cell(key: PRNGKeyArray) -> Array:
        place_key, user_key = jax.random.split(key)
        free = jax.random.randint(user_key, (num_subchannels,), 0, users)
        listed = jnp.where(jnp.arange(num_subchannels) < users, jnp.arange(num_subchannels), free)
        return jax.random.permutation(place_key, listed)

    local = jax.vmap(of_cell)(jax.random.split(key, problem.num_bs))
    return (local + users * jnp.arange(problem.num_bs)[:, None]).astype(jnp.int32)


@lru_cache(maxsize=32)
def _local_assignments(num_bs: int, users_per_bs: int, num_subchannels: int) -> np.ndarray:
    if users_per_bs**num_subchannels > MAX_ASSIGNMENTS:
        raise _too_many(num_bs, users_per_bs, num_subchannels)
    cell = [
        choice
        for choice in itertools.product(range(users_per_bs), repeat=num_subchannels)
        if len(set(choice)) == users_per_bs
    ]
    if len(cell) ** num_bs > MAX_ASSIGNMENTS:
        raise _too_many(num_bs, users_per_bs, num_subchannels)
    return np.array(list(itertools.product(cell, repeat=num_bs)), dtype=np.int32)


def _too_many(num_bs: int, users_per_bs: int, num_subchannels: int) -> InputError:
    return InputError(
        f"{num_bs} BSs with {users_per_bs} users each on {num_subchannels} subchannels have more than the "
        f"{MAX_ASSIGNMENTS:,} assignments that can be enumerated; use a method that enumerates none, such as "
        "'gradient' or 'equivariant', or fewer BSs or subchannels"
    )


def assignments(num_bs: int, users_per_bs: int, num_subchannels: int) -> Int[np.ndarray, "choice bs subchannel"]:
    """All assignments that give every subchannel one user of the cell and every user a subchannel, (1a)(1b).

    Leaving a subchannel empty is the same as serving it with zero power, so it is not listed apart.

    Returns:
        Global user indices; for 3 BSs, 2 users and 2 subchannels the 8 classes of Xu et al. (2019), in the order of a
        binary counter whose last digit is the last BS.

    Raises:
        InputError: there are too many to enumerate.
    """
    local = _local_assignments(num_bs, users_per_bs, num_subchannels)
    return local + (users_per_bs * np.arange(num_bs, dtype=np.int32))[None, :, None]
