"""Between HetNet problems and networks: the features that go in, the heads that make decisions of what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from wirelax.policies import LogPowerBounds, budgeted_power
from wirelax.problems import EnergyEfficiencyProblem, assignments
from wirelax.types import Allocation
from wirelax.units import linear_to_db

__all__ = ["BestAssignment", "LikeliestAssignment", "candidates", "snr_features"]

SNR_FLOOR = 1e-4
"""Links below -40 dB at full power look alike to a policy; unreachable ones must have finite features."""


def snr_features(problem: EnergyEfficiencyProblem) -> Float[Array, "user bs subchannel"]:
    """Full-power SNR in tens of dB, user first: the paper's H[6 users x (3 BS x 2 subchannels)].

    Standardised, it is the log10 gain; unstandardised, it also tells other budgets and noises apart.
    """
    return jnp.moveaxis(linear_to_db(jnp.maximum(problem.snr, SNR_FLOOR)) / 10, 0, -1)


def candidates(problem: EnergyEfficiencyProblem) -> Int[Array, "class bs subchannel"]:
    """All assignments of global user indices: the classes of the paper's policies."""
    return jnp.asarray(assignments(problem.num_bs, problem.users_per_bs, problem.num_subchannels))


@dataclass(frozen=True)
class LikeliestAssignment:
    """The likeliest assignment and the powers for it, scaled into the budgets."""

    bounds: LogPowerBounds

    def __call__(self, outputs: Mapping[str, Array], problem: EnergyEfficiencyProblem) -> Allocation:
        """Decide by ``assignment_logits`` [class] and ``log_power``.

        The latter, log10 fractions of the budgets, is [bs, subchannel], or [class, bs, subchannel] where powers
        depend on the assignment.
        """
        chosen = jnp.argmax(outputs["assignment_logits"])
        log_power = outputs["log_power"]
        log_power = log_power[chosen] if log_power.ndim == 3 else log_power
        power_w = budgeted_power(log_power, problem.max_power_w, self.bounds)
        return {"assignment": candidates(problem)[chosen], "power_w": power_w}


@dataclass(frozen=True)
class BestAssignment:
    """Every assignment scored by the kernels with the powers that the network gives it; the best one."""

    bounds: LogPowerBounds

    def __call__(self, outputs: Mapping[str, Array], problem: EnergyEfficiencyProblem) -> Allocation:
        """Decide by ``log_power``, see `LikeliestAssignment`."""
        listed = candidates(problem)
        power_w = budgeted_power(outputs["log_power"], problem.max_power_w, self.bounds)
        power_w = jnp.broadcast_to(power_w, (len(listed), *power_w.shape[-2:]))
        rate_bps = jax.vmap(problem.sum_rate_bps)(listed, power_w)
        best = jnp.argmax(problem.score(rate_bps, power_w.sum((-2, -1))))
        return {"assignment": listed[best], "power_w": power_w[best]}
