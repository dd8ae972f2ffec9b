"""Association of users with base stations and the stations' powers, as an optimisation problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float

from wirelax.kernels import (
    activity,
    associated_rates,
    association_load,
    association_mask,
    jain_index,
    log_utility,
    relaxed_association_rates,
    sum_utility,
)
from wirelax.types import Allocation

__all__ = ["NO_BS", "STARVED", "AssociationProblem", "AssociationUtility", "make_association_problem"]

NO_BS = -1
"""The BS of a UE that none reaches."""
STARVED = 1e-2
"""Rate in bit/s/Hz below which a UE counts as starved."""

AssociationUtility = Literal["sum-rate", "proportional-fair"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class AssociationProblem:
    """One downlink in which BSs share a band: who serves whom at which power, Zhang et al. (HBGNN), problem (3).

    Made by `make_association_problem`. Gains are normalised by noise and power budget, so that solvers see SNRs and
    shares of the budget (between 0 and 1, "power" without a unit below), and never watts.

    Attributes:
        snr: gain times power budget over noise, linear [ue, bs]; 0 where the BS does not reach the UE.
        max_power_w: power budget of every BS [bs].
        macro: which BSs are macros [bs].
        rate_floor: rate that proportional fairness credits a UE with for nothing, bit/s/Hz.
        objective: "sum-rate", or "proportional-fair", the sum of logarithms (static).
    """

    snr: Float[Array, "ue bs"]
    max_power_w: Float[Array, " bs"]
    macro: Bool[Array, " bs"]
    rate_floor: Float[Array, ""]
    objective: AssociationUtility = field(default="sum-rate", metadata={"static": True})

    @property
    def num_ues(self) -> int:
        """I."""
        return self.snr.shape[0]

    @property
    def num_bss(self) -> int:
        """J."""
        return self.snr.shape[1]

    @property
    def reachable(self) -> Bool[Array, " ue"]:
        """Which UEs some BS reaches; the others have no BS, count in no utility, and are reported."""
        return (self.snr > 0).any(-1)

    def power_share(self, allocation: Allocation) -> Float[Array, " bs"]:
        """Powers over their budgets."""
        return allocation["power_w"] / self.max_power_w

    def allocation(self, association: Array, power: Float[Array, " bs"]) -> Allocation:
        """The allocation of an association and of powers as shares of the budgets; no BS for UEs out of reach."""
        association = jnp.where(self.reachable, association, NO_BS).astype(jnp.int32)
        return {"association": association, "power_w": power * self.max_power_w}

    def rates(self, allocation: Allocation) -> Float[Array, " ue"]:
        """Rate of every UE, bit/s/Hz; 0 without a BS."""
        power = self.power_share(allocation)
        power = jnp.where(power < 0, 0.0, power)  # whose slope at 0 is that to the right of it
        return associated_rates(self.snr, power, allocation["association"], 1.0)

    def relaxed_rates(
        self, share: Float[Array, "ue bs"], power: Float[Array, " bs"], *, gate: bool = True
    ) -> Float[Array, " ue"]:
        """Rates under a soft association, see `wirelax.kernels.relaxed_association_rates`.

        Args:
            share: how far each BS serves each UE, in [0, 1]; 0 for UEs out of reach.
            power: shares of the budgets.
            gate: BSs are silent as far as they have no UE, see `wirelax.kernels.activity`.
        """
        return relaxed_association_rates(share, self.snr, power * activity(share) if gate else power, 1.0)

    def utility_of_rates(self, rates: Float[Array, " ue"]) -> Float[Array, ""]:
        """The objective as a function of the rates of all UEs, bit/s/Hz or nats; those out of reach are left out."""
        if self.objective == "sum-rate":
            return sum_utility(rates)
        held = self.reachable
        out_of_reach = (~held).sum() * jnp.log(self.rate_floor)
        return log_utility(jnp.where(held, rates, 0.0), self.rate_floor) - out_of_reach

    def utility(self, allocation: Allocation) -> Float[Array, ""]:
        """Sum of the rates in bit/s/Hz, objective (3); or of the logarithms of the rates."""
        return self.utility_of_rates(self.rates(allocation))

    def violations(self, allocation: Allocation) -> Mapping[str, Float[Array, ""]]:
        """Relative excess over every constraint, positive where it is broken.

        Returns:
            ``association`` (share of the UEs whose BS does not reach them, or that have none although some does, C1),
            ``power`` (of the worst BS over its budget, C2), ``negative_power`` (of the worst BS, over its budget).
        """
        mask = association_mask(allocation["association"], self.num_bss)
        served = (mask & (self.snr > 0)).any(-1)
        none = allocation["association"] == NO_BS
        wrong = jnp.where(self.reachable, ~served, ~none)
        power = self.power_share(allocation)
        return {
            "association": wrong.mean(dtype=power.dtype),
            "power": power.max() - 1,
            "negative_power": -power.min(),
        }

    def metrics(self, allocation: Allocation) -> Mapping[str, Array]:
        """What result files hold besides the utility.

        Returns:
            ``sum_rate`` in bit/s/Hz and ``rate`` [ue]; of all UEs, those out of reach with a rate of 0, the 5th
            percentile ``rate_p5``, the median ``rate_median``, Jain's index ``jain_index`` and the share
            ``starved_fraction`` with less than `STARVED`; ``serving_bss``, BSs with a UE; ``unreachable_ues``.
        """
        rates = self.rates(allocation)
        return {
            "sum_rate": rates.sum(),
            "rate": rates,
            "rate_p5": jnp.percentile(rates, 5.0),
            "rate_median": jnp.median(rates),
            "jain_index": jain_index(rates),
            "starved_fraction": (rates < STARVED).mean(dtype=rates.dtype),
            "serving_bss": (association_load(allocation["association"], self.num_bss) > 0).sum().astype(jnp.int32),
            "unreachable_ues": (~self.reachable).sum().astype(jnp.int32),
        }


def make_association_problem(
    gain: Float[ArrayLike, "ue bs"],
    *,
    max_power_w: Float[ArrayLike, " bs"],
    noise_w: Float[ArrayLike, ""],
    macro: Bool[ArrayLike, " bs"] | None = None,
    rate_floor: Float[ArrayLike, ""] = 1e-3,
    objective: AssociationUtility = "sum-rate",
) -> AssociationProblem:
    """An `AssociationProblem` of one downlink.

    Everything but `objective` is a traced leaf of the problem and may be differentiated by.

    Args:
        gain: linear power gain from every BS to every UE; 0 where it does not reach it.
        max_power_w: budget of every BS, W; one number for all will do.
        noise_w: noise power at a UE in the whole band, W.
        macro: which BSs are macros; none by default. Only learned policies make a difference.
        rate_floor: rate that proportional fairness credits a UE with for nothing, bit/s/Hz, above 0.
        objective: "sum-rate" or "proportional-fair".

    Raises:
        ValueError: the shape or type does not fit one downlink (a batch needs ``jax.vmap``), a constant is out of its
            range, or there is no such objective.
    """
    gain = jnp.asarray(gain)
    if objective not in ("sum-rate", "proportional-fair"):
        raise ValueError(f"objective is {objective!r}; choose 'sum-rate' or 'proportional-fair'")
    if jnp.issubdtype(gain.dtype, jnp.complexfloating):
        raise ValueError(f"gain has type {gain.dtype}, wanted power gains: store abs(h)**2")
    if jnp.issubdtype(gain.dtype, jnp.floating) and jnp.finfo(gain.dtype).bits < 32:
        raise ValueError(f"gain has type {gain.dtype}, too coarse for an SNR: wanted float32 or float64")
    if gain.ndim != 2 or 0 in gain.shape:
        raise ValueError(f"gain has shape {gain.shape}, wanted [ue, bs] of one downlink: use jax.vmap for a batch")
    gain = gain if jnp.issubdtype(gain.dtype, jnp.floating) else gain.astype(jnp.result_type(float))
    macro = jnp.zeros(gain.shape[1], bool) if macro is None else jnp.asarray(macro, bool)
    if macro.shape != gain.shape[1:]:
        raise ValueError(f"macro has shape {macro.shape}, wanted {gain.shape[1:]}, one flag a BS")
    power = jnp.asarray(max_power_w, gain.dtype)
    if power.shape not in ((), gain.shape[1:]):
        raise ValueError(f"max_power_w has shape {power.shape}, wanted {gain.shape[1:]}, one budget a BS, or ()")
    power = jnp.broadcast_to(power, gain.shape[1:])
    noise, floor = jnp.asarray(noise_w, gain.dtype), jnp.asarray(rate_floor, gain.dtype)
    for name, value in (("noise_w", noise), ("rate_floor", floor)):
        if value.shape:
            raise ValueError(f"{name} has shape {value.shape}, wanted one number: use jax.vmap for a batch")
    for name, value in (("max_power_w", power), ("noise_w", noise), ("rate_floor", floor)):
        if not isinstance(value, Tracer) and not bool(((value > 0) & jnp.isfinite(value)).all()):
            raise ValueError(f"{name} is {value}, wanted finite numbers above 0")
    # A gain over noise first: gains of 1e-15 times powers of 1e-3 would come close to what float32 can hold.
    snr = gain / noise * power
    return AssociationProblem(snr=snr, max_power_w=power, macro=macro, rate_floor=floor, objective=objective)
