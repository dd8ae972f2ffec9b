"""Downlink NOMA as an optimisation problem: rates, the sum rate, and the constraints of powers and schedules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from wirelax.kernels import InterferenceGain, ordered_sic_sinr, rate, sic_sinr
from wirelax.problems.noma.simplex import QosSimplex, make_simplex
from wirelax.problems.noma.slots import Slots
from wirelax.types import FEASIBILITY_TOLERANCE, Allocation

__all__ = ["NomaProblem"]


def ratio(value: Array, scale: Array) -> Array:
    """``value / scale``, whose derivatives do not overflow for a scale like 1e-20: that of a quotient squares it."""
    fixed = jax.lax.stop_gradient(scale)
    return value / fixed / (scale / fixed)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class NomaProblem:
    """One downlink NOMA network: the maximisation of the (weighted) sum rate, Yang et al. (2020), eqs. (8)-(9).

    Made by `wirelax.problems.make_noma_problem`. Gains are normalised by noise and total power, so that solvers see
    SNRs and shares of the total power (between 0 and 1, "power" without a unit below), and never watts.

    Attributes:
        snr: gain times total power over noise, linear [subchannel, user].
        weight: of every user's rate [user].
        sic_residual: eps, the share of a cancelled signal that is left.
        min_rate: R_min of every scheduled pair, bit/s/Hz.
        total_power_w: P_c, all of it is spent.
        schedule: the users of every subchannel, for methods that only allocate power or need a start
            [subchannel, user].
        max_users_per_subchannel: H.
        max_subchannels_per_user: V.
        interference_gain: see `wirelax.kernels.sic_sinr`.
    """

    snr: Float[Array, "subchannel user"]
    weight: Float[Array, " user"]
    sic_residual: Float[Array, ""]
    min_rate: Float[Array, ""]
    total_power_w: Float[Array, ""]
    schedule: Bool[Array, "subchannel user"]
    max_users_per_subchannel: int = field(metadata={"static": True})
    max_subchannels_per_user: int = field(metadata={"static": True})
    interference_gain: InterferenceGain = field(metadata={"static": True})

    @property
    def num_subchannels(self) -> int:
        """N."""
        return self.snr.shape[0]

    @property
    def num_users(self) -> int:
        """M."""
        return self.snr.shape[1]

    def rates(self, allocation: Allocation) -> Float[Array, "subchannel user"]:
        """Rate of every pair, bit/s/Hz, 0 where it is not scheduled; eq. (4).

        Args:
            allocation: ``assignment``, bool, and ``power_w``, both [subchannel, user].
        """
        power = ratio(allocation["power_w"], self.total_power_w)
        return rate(sic_sinr(self.snr, power, allocation["assignment"], 1.0, self.sic_residual, self.interference_gain))

    def utility(self, allocation: Allocation) -> Float[Array, ""]:
        """(Weighted) sum rate, bit/s/Hz; eq. (7)."""
        return (self.weight * self.rates(allocation)).sum()

    def violations(self, allocation: Allocation) -> Mapping[str, Float[Array, ""]]:
        """Relative excess over every constraint, positive where it is broken.

        Returns:
            ``total_power`` (not P_c), ``stray_power`` (below 0 or unscheduled, over P_c), ``min_rate`` (shortfall of
            the worst scheduled pair), ``users_per_subchannel`` and ``subchannels_per_user`` (above H and V).
        """
        assignment, power = allocation["assignment"], ratio(allocation["power_w"], self.total_power_w)
        shortfall = 1 - self.rates(allocation) / jnp.where(self.min_rate > 0, self.min_rate, 1.0)
        shortfall = jnp.where(assignment & (self.min_rate > 0), shortfall, -1.0)
        return {
            "total_power": jnp.abs(power.sum() - 1),
            "stray_power": jnp.where(assignment, -power, jnp.abs(power)).max(),
            "min_rate": shortfall.max(),
            "users_per_subchannel": assignment.sum(1).max() / self.max_users_per_subchannel - 1,
            "subchannels_per_user": assignment.sum(0).max() / self.max_subchannels_per_user - 1,
        }

    def metrics(self, allocation: Allocation) -> Mapping[str, Float[Array, ""]]:
        """What result files hold besides the sum rate: ``violated_pairs``."""
        return {"violated_pairs": self.violated_pairs(allocation)}

    def violated_pairs(self, allocation: Allocation) -> Float[Array, ""]:
        """Fraction of the scheduled pairs whose rate is below R_min by more than rounding; 0 of nobody."""
        assignment = allocation["assignment"]
        short = assignment & (self.rates(allocation) < self.min_rate * (1 - FEASIBILITY_TOLERANCE))
        return (short.sum() / jnp.maximum(assignment.sum(), 1)).astype(self.snr.dtype)

    def within_quotas(self, assignment: Bool[Array, "subchannel user"]) -> Bool[Array, ""]:
        """Whether a schedule keeps H and V."""
        users, subchannels = assignment.sum(1).max(), assignment.sum(0).max()
        return (users <= self.max_users_per_subchannel) & (subchannels <= self.max_subchannels_per_user)

    def slots(self, assignment: Bool[Array, "subchannel user"] | None = None) -> Slots:
        """A schedule in slots, `schedule` by default; of more than H users on a subchannel the H strongest."""
        assignment = self.schedule if assignment is None else assignment
        level = jnp.where(assignment, jax.lax.stop_gradient(self.snr), -jnp.inf)
        # The first of `wirelax.kernels.sic_order`; a whole sort compiles and runs several times longer.
        order = jax.lax.top_k(level, min(self.max_users_per_subchannel, self.num_users))[1]
        user = jnp.where(jnp.take_along_axis(assignment, order, 1), order, -1)
        missing = self.max_users_per_subchannel - user.shape[1]
        return self.fill(jnp.pad(user, ((0, 0), (0, max(missing, 0))), constant_values=-1))

    def fill(self, user: Int[Array, "subchannel slot"]) -> Slots:
        """Slots of users that are in SIC order already."""
        used = user >= 0
        snr = jnp.take_along_axis(self.snr, jnp.maximum(user, 0), 1)
        return Slots(
            user=user, snr=jnp.where(used, snr, 1.0), weight=jnp.where(used, self.weight[jnp.maximum(user, 0)], 0.0)
        )

    def slot_rates(self, slots: Slots, power: Float[Array, "subchannel slot"]) -> Float[Array, "subchannel slot"]:
        """Rate of every slot, bit/s/Hz, 0 where it is empty."""
        power = jnp.where(slots.used, power, 0.0)
        return rate(ordered_sic_sinr(slots.snr, power, 1.0, self.sic_residual, self.interference_gain))

    def slot_utility(self, slots: Slots, power: Float[Array, "subchannel slot"]) -> Float[Array, ""]:
        """(Weighted) sum rate of a schedule in slots, bit/s/Hz."""
        return (slots.weight * self.slot_rates(slots, power)).sum()

    def simplex(self, slots: Slots) -> QosSimplex:
        """The feasible powers of a schedule."""
        return make_simplex(
            slots,
            sic_residual=self.sic_residual,
            min_rate=self.min_rate,
            interference_gain=self.interference_gain,
        )
