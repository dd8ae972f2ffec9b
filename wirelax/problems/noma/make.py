"""NOMA problems from gains and constants in physical units, checked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float

from wirelax.kernels import InterferenceGain
from wirelax.problems.noma.problem import NomaProblem, ratio
from wirelax.problems.noma.schedule import greedy_schedule

__all__ = ["make_noma_problem"]

_greedy = jax.jit(greedy_schedule)  # outside of a trace, dozens of small programs else


def make_noma_problem(
    gain: Float[ArrayLike, "subchannel user"],
    *,
    weight: Float[ArrayLike, " user"] | None = None,
    noise_power_w: Float[ArrayLike, ""] = 0.1,
    sic_residual: Float[ArrayLike, ""] = 0.05,
    min_rate: Float[ArrayLike, ""] = 0.01,
    total_power_w: Float[ArrayLike, ""] = 19.952623149688797,
    schedule: Bool[ArrayLike, "subchannel user"] | None = None,
    max_users_per_subchannel: int = 3,
    max_subchannels_per_user: int = 4,
    interference_gain: InterferenceGain = "receiver",
) -> NomaProblem:
    """A `NomaProblem` of one network; Yang et al.'s (2020) constants by default (43 dBm in all).

    Everything but the schedule takes the floating-point type of `gain`, is a traced leaf of the problem and may be
    differentiated by. Gains and noise may have any common scale: they are divided first.

    Args:
        gain: linear power gain of every user on every subchannel.
        weight: of every user's rate, 1 by default.
        noise_power_w: noise in a subchannel, W.
        sic_residual: eps, the share of a cancelled signal that is left.
        min_rate: R_min of every scheduled pair, bit/s/Hz; 0 for none.
        total_power_w: P_c, W.
        schedule: the users of every subchannel; by default `greedy_schedule`. One that is given stays as it is.
            Inside of a trace its quotas cannot be checked here: `NomaProblem.violations` reports them.
        max_users_per_subchannel: H (static).
        max_subchannels_per_user: V (static).
        interference_gain: see `wirelax.kernels.sic_sinr` (static).

    Raises:
        ValueError: a shape or type does not fit one network (a batch needs ``jax.vmap``), noise or power is not
            above 0, a quota is below 1, or the schedule exceeds one.
    """
    gain = _floating(gain)
    if gain.ndim != 2:
        raise ValueError(f"gain has shape {gain.shape}, wanted [subchannel, user] of one network: use jax.vmap")
    quotas = {
        "max_users_per_subchannel": max_users_per_subchannel,
        "max_subchannels_per_user": max_subchannels_per_user,
    }
    if low := [name for name, most in quotas.items() if most < 1]:
        raise ValueError(f"{low[0]} is {quotas[low[0]]}, wanted at least 1")
    weight = jnp.ones(gain.shape[1], gain.dtype) if weight is None else jnp.asarray(weight, gain.dtype)
    if weight.shape != gain.shape[1:]:
        raise ValueError(
            f"weight has shape {weight.shape}, wanted {gain.shape[1:]}, one weight per user: use jax.vmap for a batch"
        )
    number = {"noise_power_w": noise_power_w, "total_power_w": total_power_w}
    number |= {"sic_residual": sic_residual, "min_rate": min_rate}
    number = {name: _number(name, value, gain) for name, value in number.items()}
    problem = NomaProblem(
        snr=ratio(gain, number["noise_power_w"]) * number["total_power_w"],
        weight=weight,
        sic_residual=number["sic_residual"],
        min_rate=number["min_rate"],
        total_power_w=number["total_power_w"],
        schedule=jnp.zeros(gain.shape, bool) if schedule is None else _checked(schedule, gain.shape, quotas),
        interference_gain=interference_gain,
        **quotas,
    )
    return replace(problem, schedule=_greedy(problem)) if schedule is None else problem


def _floating(gain: Any) -> Array:
    """Gains as floats of single or double precision."""
    gain = jnp.asarray(gain)
    if jnp.issubdtype(gain.dtype, jnp.complexfloating):
        raise ValueError(f"gain has type {gain.dtype}, wanted linear power gains: store abs(h)**2")
    if jnp.issubdtype(gain.dtype, jnp.floating) and jnp.finfo(gain.dtype).bits < 32:
        raise ValueError(f"gain has type {gain.dtype}, in which small gains are 0: wanted float32 or float64")
    return gain if jnp.issubdtype(gain.dtype, jnp.floating) else gain.astype(jnp.result_type(float))


def _number(name: str, value: Any, gain: Array) -> Array:
    """A constant of one network in the type of the gains."""
    value = jnp.asarray(value, gain.dtype)
    if value.shape:
        raise ValueError(f"{name} has shape {value.shape}, wanted one number: use jax.vmap for a batch")
    if name.endswith("_w") and not isinstance(value, Tracer) and not value > 0:
        raise ValueError(f"{name} is {float(value)}, wanted a power above 0 W")
    return value


def _checked(schedule: Any, shape: tuple[int, ...], quotas: dict[str, int]) -> Array:
    """A schedule as booleans; that it keeps the quotas can be seen where it is no tracer."""
    schedule = jnp.asarray(schedule)
    if schedule.shape != shape:
        raise ValueError(f"schedule has shape {schedule.shape}, wanted {shape} as gain: use jax.vmap for a batch")
    schedule = schedule.astype(bool)
    if isinstance(schedule, Tracer):
        return schedule
    places = (("subchannel", 1, "users"), ("user", 0, "subchannels"))
    for (one, axis, others), (name, most) in zip(places, quotas.items(), strict=True):
        count = np.asarray(schedule).sum(axis)
        if count.max(initial=0) > most:
            worst = int(count.argmax())
            raise ValueError(
                f"schedule has {count[worst]} {others} on {one} {worst}, {name} is {most}: "
                "take some out of the schedule or raise the quota"
            )
    return schedule
