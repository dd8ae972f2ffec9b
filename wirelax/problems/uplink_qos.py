"""Uplink RBs and powers for users with a long- and a short-blocklength service each, as an optimisation problem."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from wirelax.kernels import (
    decoding_error_probability,
    inverse_q,
    parallel_blocklength_rate,
    rate,
)
from wirelax.types import FEASIBILITY_TOLERANCE, Allocation

__all__ = ["LONG", "NONE", "SHORT", "UplinkQosProblem", "make_uplink_qos_problem"]

NONE, LONG, SHORT = 0, 1, 2
"""What an RB carries of a user: nothing, its long-blocklength service, its short-blocklength service."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class UplinkQosProblem:
    """One uplink cell: the fewest RBs that carry both services of every user, Yin et al. (2025), problem (2).

    Made by `make_uplink_qos_problem`. Gains are normalised by noise and power budget, so that solvers see SNRs and
    shares of the budget (between 0 and 1, "power" without a unit below), and never watts; rates are per bandwidth of
    an RB. In nats, the sum of ln(1 + SNR) over a user's RBs of the long service must reach `long_need`, that over its
    RBs of the short service `short_need` of their number.

    Attributes:
        snr: gain times power budget over the noise of one RB, after combining the antennas, linear [user, rb].
        rate_long: R_L over the bandwidth of an RB, bit/s/Hz; 0 for none.
        rate_short: R_S over the bandwidth of an RB, bit/s/Hz; 0 for none.
        channel_uses: n, of one RB in a slot.
        error_probability: eps, of decoding the short service.
        max_power_w: power budget of every user.
    """

    snr: Float[Array, "user rb"]
    rate_long: Float[Array, ""]
    rate_short: Float[Array, ""]
    channel_uses: Float[Array, ""]
    error_probability: Float[Array, ""]
    max_power_w: Float[Array, ""]

    @property
    def num_users(self) -> int:
        """K."""
        return self.snr.shape[0]

    @property
    def num_rbs(self) -> int:
        """F."""
        return self.snr.shape[1]

    @property
    def long_need(self) -> Float[Array, ""]:
        """a: what ln(1 + SNR) must sum to over the RBs of the long service, nats."""
        return self.rate_long * math.log(2)

    def short_need(self, count: ArrayLike) -> Float[Array, "..."]:
        """b: what ln(1 + SNR) must sum to over `count` RBs of the short service, nats, with V = 1 in eq. (1)."""
        penalty = inverse_q(self.error_probability) / jnp.sqrt(self.channel_uses)
        return self.rate_short * math.log(2) + penalty * jnp.sqrt(jnp.asarray(count, self.snr.dtype))

    def _snr_of(self, allocation: Allocation) -> Float[Array, "user rb"]:
        power = allocation["power_w"] / self.max_power_w
        return self.snr * jnp.where(power < 0, 0.0, power)  # whose slope at 0 is that to the right of it

    def rates(self, allocation: Allocation) -> tuple[Float[Array, " user"], Float[Array, " user"]]:
        """Rates of the long and of the short service, bit/s/Hz of an RB; the short one as bounded by V = 1, eq. (1)."""
        snr, service = self._snr_of(allocation), allocation["service"]
        long = jnp.where(service == LONG, rate(snr), 0.0).sum(-1)
        short = parallel_blocklength_rate(snr, service == SHORT, self.channel_uses, self.error_probability, "one")
        return long, short

    def shortfalls(self, allocation: Allocation) -> tuple[Float[Array, " user"], Float[Array, " user"]]:
        """By which share of its target each service of a user falls short, positive where it does."""
        targets = (self.rate_long, self.rate_short)
        long, short = (
            jnp.where(target > 0, 1 - reached / jnp.where(target > 0, target, 1.0), -1.0)
            for reached, target in zip(self.rates(allocation), targets, strict=True)
        )
        return long, short

    def utility(self, allocation: Allocation) -> Float[Array, ""]:
        """RBs that stay free: the objective (2a) counted from the other end, so that more is better."""
        return self.num_rbs - self.occupied(allocation).astype(self.snr.dtype)

    def occupied(self, allocation: Allocation) -> Int[Array, ""]:
        """Pairs of a user and an RB that carries a service of it, objective (2a)."""
        return (allocation["service"] != NONE).sum()

    def violations(self, allocation: Allocation) -> Mapping[str, Float[Array, ""]]:
        """Relative excess over every constraint, positive where it is broken.

        Returns:
            ``long_rate`` and ``short_rate`` (shortfall of the worst user, (2b) and (2c)), ``power`` (of the worst user
            over its budget, (2g)), ``stray_power`` (below 0, or where there is no service, over the budget),
            ``shared_rb`` (services beyond one on an RB, (2d)).
        """
        service, power = allocation["service"], allocation["power_w"] / self.max_power_w
        long, short = self.shortfalls(allocation)
        used = service != NONE
        return {
            "long_rate": long.max(),
            "short_rate": short.max(),
            "power": power.sum(-1).max() - 1,
            "stray_power": jnp.where(used, -power, jnp.abs(power)).max(),
            "shared_rb": used.sum(0).max().astype(power.dtype) - 1,
        }

    def metrics(self, allocation: Allocation) -> Mapping[str, Array]:
        """What result files hold besides the RBs left free.

        Returns:
            ``occupied``, RBs; by user ``shortfall_long`` and ``shortfall_short``, shares of the targets, and
            ``decoding_error``, the error probability of the short service with the exact dispersion.
        """
        long, short = self.shortfalls(allocation)
        return {
            "occupied": self.occupied(allocation).astype(jnp.int32),
            "shortfall_long": long,
            "shortfall_short": short,
            "decoding_error": self.decoding_error(allocation),
        }

    def decoding_error(self, allocation: Allocation) -> Float[Array, " user"]:
        """Error probability at which the short service of every user is decoded, by the exact dispersion."""
        carried = allocation["service"] == SHORT
        return decoding_error_probability(self._snr_of(allocation), carried, self.channel_uses, self.rate_short)

    def served(self, allocation: Allocation) -> Bool[Array, " user"]:
        """Which users get both services within their budgets."""
        long, short = self.shortfalls(allocation)
        over = allocation["power_w"].sum(-1) / self.max_power_w - 1
        return jnp.maximum(jnp.maximum(long, short), over) <= FEASIBILITY_TOLERANCE


def make_uplink_qos_problem(
    gain: Float[ArrayLike, "user rb"],
    *,
    rate_long_bps: Float[ArrayLike, ""] = 3e6,
    rate_short_bps: Float[ArrayLike, ""] = 512e3,
    error_probability: Float[ArrayLike, ""] = 1e-5,
    max_power_w: Float[ArrayLike, ""] = 0.19952623149688797,
    rb_bandwidth_hz: Float[ArrayLike, ""] = 360e3,
    slot_s: Float[ArrayLike, ""] = 0.5e-3,
) -> UplinkQosProblem:
    """An `UplinkQosProblem` of one cell; the multi-user constants of the system by default (23 dBm a user).

    Everything is a traced leaf of the problem and may be differentiated by.

    Args:
        gain: power gain of every user on every RB after combining the antennas, over the noise power of an RB: the
            SNR at one watt, 1/W.
        rate_long_bps: R_L of every user's long-blocklength service, bit/s; 0 for none.
        rate_short_bps: R_S of every user's short-blocklength service, bit/s; 0 for none.
        error_probability: eps of decoding the short service, above 0 and below 0.5.
        max_power_w: budget of every user, W.
        rb_bandwidth_hz: of an RB, Hz.
        slot_s: duration of a slot, s.

    Raises:
        ValueError: the shape or type does not fit one cell (a batch needs ``jax.vmap``), or a constant is out of its
            range.
    """
    gain = jnp.asarray(gain)
    if jnp.issubdtype(gain.dtype, jnp.complexfloating):
        raise ValueError(f"gain has type {gain.dtype}, wanted power gains: store (abs(h)**2).sum(antennas) over noise")
    if jnp.issubdtype(gain.dtype, jnp.floating) and jnp.finfo(gain.dtype).bits < 32:
        raise ValueError(f"gain has type {gain.dtype}, too coarse for an SNR: wanted float32 or float64")
    if gain.ndim != 2 or 0 in gain.shape:
        raise ValueError(f"gain has shape {gain.shape}, wanted [user, rb] of one cell: use jax.vmap for a batch")
    gain = gain if jnp.issubdtype(gain.dtype, jnp.floating) else gain.astype(jnp.result_type(float))
    ranges = {
        "rate_long_bps": (rate_long_bps, 0.0, math.inf),
        "rate_short_bps": (rate_short_bps, 0.0, math.inf),
        "error_probability": (error_probability, 1e-30, 0.5),
        "max_power_w": (max_power_w, 1e-30, math.inf),
        "rb_bandwidth_hz": (rb_bandwidth_hz, 1e-30, math.inf),
        "slot_s": (slot_s, 1e-30, math.inf),
    }
    number = {name: _number(name, *limits, gain) for name, limits in ranges.items()}
    return UplinkQosProblem(
        snr=gain * number["max_power_w"],
        rate_long=number["rate_long_bps"] / number["rb_bandwidth_hz"],
        rate_short=number["rate_short_bps"] / number["rb_bandwidth_hz"],
        channel_uses=number["rb_bandwidth_hz"] * number["slot_s"],
        error_probability=number["error_probability"],
        max_power_w=number["max_power_w"],
    )


def _number(name: str, value: Any, low: float, high: float, gain: Array) -> Array:
    """A constant of one cell in the type of the gains."""
    number = jnp.asarray(value, gain.dtype)
    if number.shape:
        raise ValueError(f"{name} has shape {number.shape}, wanted one number: use jax.vmap for a batch")
    if not isinstance(number, Tracer) and not low <= number < high:
        wanted = "above 0" if low > 0 else "at least 0"
        below = "" if math.isinf(high) else f" and below {high:g}"
        raise ValueError(f"{name} is {float(number):g}, wanted a finite number {wanted}{below}")
    return number
