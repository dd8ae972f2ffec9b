"""The energy-efficiency problem of a multi-cell OFDMA downlink: one record and its objective.

Maximise sum rate over total power (paper 1, eq. (9)) subject to one user per cell and subchannel, at least
one subchannel per user (1a)(1b), a power budget per BS (2), and a spectral-efficiency target (8).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from wirelax.kernels.energy import energy_efficiency, total_power_w
from wirelax.kernels.ofdma import assigned_sinr
from wirelax.kernels.rate import rate, spectral_efficiency

__all__ = ["EnergyEfficiencyProblem", "assignments", "make_energy_efficiency_problem"]

MAX_ASSIGNMENTS = 200_000
TARGET_TOLERANCE = 1e-6


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class EnergyEfficiencyProblem:
    """One channel and the constants of the objective; every field is traced.

    Attributes:
        gain: linear power gain [subchannel, user, bs]; user u belongs to BS u // (users / bs).
        noise_w: noise power per subchannel in W.
        max_power_w: budget of each BS over its subchannels in W, [bs].
        bandwidth_per_subchannel_hz: B.
        amplifier_efficiency: rho, the radiated power over the power drawn for it.
        circuit_power_w: constant power of the whole network in W.
        min_spectral_efficiency: target epsilon of (8) in bit/s/Hz.
    """

    gain: Float[Array, "subchannel user bs"]
    noise_w: Float[Array, ""]
    max_power_w: Float[Array, " bs"]
    bandwidth_per_subchannel_hz: Float[Array, ""]
    amplifier_efficiency: Float[Array, ""]
    circuit_power_w: Float[Array, ""]
    min_spectral_efficiency: Float[Array, ""]

    @property
    def num_subchannels(self) -> int:
        """K."""
        return self.gain.shape[-3]

    @property
    def num_bs(self) -> int:
        """N."""
        return self.gain.shape[-1]

    @property
    def users_per_bs(self) -> int:
        """Users of each cell, U / N."""
        return self.gain.shape[-2] // self.num_bs

    @property
    def min_sum_rate_bps(self) -> Array:
        """The SE target as a sum rate in bit/s."""
        return self.min_spectral_efficiency * self.num_subchannels * self.bandwidth_per_subchannel_hz

    def sum_rate_bps(self, assignment: Int[Array, "bs subchannel"], power_w: Float[Array, "bs subchannel"]) -> Array:
        """Network throughput in bit/s, eq. (4)."""
        sinr = assigned_sinr(self.gain, assignment, power_w, self.noise_w)
        return self.bandwidth_per_subchannel_hz * rate(sinr).sum()

    def energy_efficiency(
        self, assignment: Int[Array, "bs subchannel"], power_w: Float[Array, "bs subchannel"]
    ) -> Array:
        """Energy efficiency in bit/J, eq. (6)."""
        return energy_efficiency(
            self.sum_rate_bps(assignment, power_w),
            power_w.sum(),
            self.amplifier_efficiency,
            self.circuit_power_w,
        )

    def spectral_efficiency(
        self, assignment: Int[Array, "bs subchannel"], power_w: Float[Array, "bs subchannel"]
    ) -> Array:
        """Spectral efficiency in bit/s/Hz, eq. (7)."""
        return spectral_efficiency(
            self.sum_rate_bps(assignment, power_w), self.bandwidth_per_subchannel_hz, self.num_subchannels
        )

    def meets_target(self, assignment: Int[Array, "bs subchannel"], power_w: Float[Array, "bs subchannel"]) -> Array:
        """Whether the SE target (8) holds, up to the rounding of float32."""
        return self.sum_rate_bps(assignment, power_w) >= self.min_sum_rate_bps * (1 - TARGET_TOLERANCE)

    def total_power_w(self, radiated_power_w: Array) -> Array:
        """Power drawn by the network in W, eq. (5)."""
        return total_power_w(radiated_power_w, self.amplifier_efficiency, self.circuit_power_w)


def make_energy_efficiency_problem(
    gain: Float[Array, "subchannel user bs"],
    *,
    noise_w: float | Array,
    max_power_w: Float[Array, " bs"],
    bandwidth_per_subchannel_hz: float | Array = 1e6,
    amplifier_efficiency: float | Array = 0.3,
    circuit_power_w: float | Array = 12.0,
    min_spectral_efficiency: float | Array = 0.0,
) -> EnergyEfficiencyProblem:
    """Check the shapes and build the problem.

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
        gain=gain,
        noise_w=as_array(noise_w),
        max_power_w=max_power_w,
        bandwidth_per_subchannel_hz=as_array(bandwidth_per_subchannel_hz),
        amplifier_efficiency=as_array(amplifier_efficiency),
        circuit_power_w=as_array(circuit_power_w),
        min_spectral_efficiency=as_array(min_spectral_efficiency),
    )


@lru_cache(maxsize=32)
def _local_assignments(num_bs: int, users_per_bs: int, num_subchannels: int) -> np.ndarray:
    cell = [
        choice
        for choice in itertools.product(range(users_per_bs), repeat=num_subchannels)
        if len(set(choice)) == users_per_bs
    ]
    if len(cell) ** num_bs > MAX_ASSIGNMENTS:
        raise ValueError(
            f"{num_bs} BSs with {users_per_bs} users on {num_subchannels} subchannels have {len(cell)}^{num_bs} "
            f"assignments, more than the {MAX_ASSIGNMENTS:,} that can be enumerated; use fewer BSs or subchannels"
        )
    return np.array(list(itertools.product(cell, repeat=num_bs)), dtype=np.int32)


def assignments(num_bs: int, users_per_bs: int, num_subchannels: int) -> Int[np.ndarray, "choice bs subchannel"]:
    """All assignments that give every subchannel one user of the cell and every user a subchannel, (1a)(1b).

    Leaving a subchannel empty is the same as serving it with zero power, so it is not listed apart.

    Returns:
        Global user indices; for 3 BSs, 2 users and 2 subchannels the 8 classes of paper 1, in the order of a
        binary counter whose last digit is the last BS.

    Raises:
        ValueError: there are too many to enumerate.
    """
    local = _local_assignments(num_bs, users_per_bs, num_subchannels)
    return local + (users_per_bs * np.arange(num_bs, dtype=np.int32))[None, :, None]
