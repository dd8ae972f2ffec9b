"""The HetNet energy-efficiency system: paper 1's problem, glued together from kernels and solvers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from wirelax.channels import munich_hetnet_candidates, sample_munich_hetnet
from wirelax.policies import budgeted_power
from wirelax.solvers.ee_problem import (
    EnergyEfficiencyProblem,
    assignments,
    make_energy_efficiency_problem,
)
from wirelax.systems.base import ArraySpec, Method, Reproduction, override_config
from wirelax.systems.hetnet_ee.channel import sample_triangle
from wirelax.systems.hetnet_ee.config import HetNetConfig
from wirelax.types import Allocation, Channel
from wirelax.units import dbm_to_watt, linear_to_db

__all__ = ["HetNetEE"]

SNR_FLOOR = 1e-4
"""Links below -40 dB at full power look alike to a policy; unreachable ones must have finite features."""
ACCEPTED_ERROR = 0.08
"""Paper 1 counts the channels within 8 % of the benchmark."""


class HetNetEE:
    """Energy-efficient subchannel and power allocation in a HetNet (paper 1)."""

    name = "hetnet-ee"
    summary = "energy-efficient subchannel and power allocation in a HetNet"
    utility_name = "energy_efficiency"
    utility_unit = "bit/J"
    arrays = (ArraySpec("gain", ("subchannel", "user", "BS")),)

    def __init__(self, config: HetNetConfig | None = None, **overrides: Any):
        """A system with the default configuration, some fields of it replaced.

        Raises:
            ValueError: an unknown field, or a value out of range.
        """
        self.config = override_config(config or HetNetConfig(), overrides)
        if self.config.users_per_bs > self.config.num_subchannels:
            raise ValueError(
                f"users_per_bs is {self.config.users_per_bs} and num_subchannels {self.config.num_subchannels}; "
                "every user must get a subchannel, so use at least as many subchannels as users per BS"
            )
        if self.config.scenario == "munich" and self.config.num_micro != 2:
            raise ValueError("scenario 'munich' has one macro and two small BSs; set num_micro=2")

    def sample(self, key: PRNGKeyArray) -> Channel:
        """One channel: ``gain`` [subchannel, user, bs], linear power gain."""
        if self.config.scenario == "munich":
            sizes = (self.config.users_per_bs, self.config.num_subchannels)
            return {"gain": sample_munich_hetnet(self._munich, *sizes, key=key)}
        return {"gain": sample_triangle(self.config, key=key)}

    @cached_property
    def _munich(self):
        with jax.ensure_compile_time_eval():
            return munich_hetnet_candidates()

    def fit(self, channels: Mapping[str, Any]) -> HetNetEE:
        """The same constants with the numbers of BSs, users and subchannels of ``gain`` [batch, K, U, N]."""
        num_subchannels, num_users, num_bs = np.shape(channels["gain"])[-3:]
        if num_users % num_bs:
            raise ValueError(
                f"array 'gain' has {num_users} users for {num_bs} BSs (axes: subchannel, user, BS); the number of "
                "users must be a multiple of the number of BSs, user u being served by BS u // users_per_bs"
            )
        sizes = {
            "num_micro": num_bs - 1,
            "users_per_bs": num_users // num_bs,
            "num_subchannels": num_subchannels,
        }
        if all(getattr(self.config, name) == size for name, size in sizes.items()):
            return self
        if self.config.scenario != "triangle":
            sizes["scenario"] = "triangle"
        return HetNetEE(self.config, **sizes)

    def problem(self, channel: Channel) -> EnergyEfficiencyProblem:
        """The optimisation problem of one channel."""
        config = self.config
        return make_energy_efficiency_problem(
            channel["gain"],
            noise_w=dbm_to_watt(config.noise_dbm),
            max_power_w=jnp.asarray(self.max_power_w),
            bandwidth_per_subchannel_hz=config.bandwidth_per_subchannel_hz,
            amplifier_efficiency=config.amplifier_efficiency,
            circuit_power_w=config.circuit_power_w,
            min_spectral_efficiency=config.min_spectral_efficiency,
        )

    @property
    def assignments(self) -> np.ndarray:
        """All assignments [class, bs, subchannel] of global user indices; the classes of the policies."""
        return assignments(self.config.num_bs, self.config.users_per_bs, self.config.num_subchannels)

    def features(self, channel: Channel) -> Float[Array, "user bs subchannel"]:
        """Full-power SNR in tens of dB, user first: paper 1's H[6 users x (3 BS x 2 subchannels)].

        Standardised, it is the log10 gain; unstandardised, it also tells other budgets and noises apart.
        """
        scale = jnp.asarray(self.max_power_w) / dbm_to_watt(self.config.noise_dbm)
        snr = jnp.maximum(channel["gain"] * scale, SNR_FLOOR)
        return jnp.moveaxis(linear_to_db(snr) / 10, 0, -1)

    def decode(self, outputs: Mapping[str, Array], channel: Channel) -> Allocation:
        """The likeliest assignment and the powers for it, scaled into the budgets.

        Args:
            outputs: ``assignment_logits`` [class] and ``log_power`` [bs, subchannel], or [class, bs,
                subchannel] where powers depend on the assignment: log10 fractions of the budgets.
            channel: the channel (unused here: no power depends on it).
        """
        chosen = jnp.argmax(outputs["assignment_logits"])
        log_power = outputs["log_power"]
        log_power = log_power[chosen] if log_power.ndim == 3 else log_power
        power_w = budgeted_power(log_power, jnp.asarray(self.max_power_w))
        return {"assignment": jnp.asarray(self.assignments)[chosen], "power_w": power_w}

    @property
    def max_power_w(self) -> np.ndarray:
        """Budget of each BS in W, [bs]."""
        config = self.config
        return np.array([config.max_power_macro_w] + [config.max_power_micro_w] * config.num_micro)

    def utility(self, allocation: Allocation, channel: Channel) -> Float[Array, ""]:
        """Energy efficiency in bit/J, eq. (6)."""
        return self.problem(channel).energy_efficiency(allocation["assignment"], allocation["power_w"])

    def violations(self, allocation: Allocation, channel: Channel) -> Mapping[str, Float[Array, ""]]:
        """Relative excess over the power budgets (2), users without a subchannel (1b), shortfall of SE (8)."""
        problem = self.problem(channel)
        assignment, power_w = allocation["assignment"], allocation["power_w"]
        served = (assignment[..., None] == jnp.arange(problem.gain.shape[1])).any((0, 1))
        efficiency = problem.spectral_efficiency(assignment, power_w)
        target = problem.min_spectral_efficiency
        return {
            "power_budget": (power_w.sum(1) / problem.max_power_w - 1).max(),
            "unserved_users": 1 - served.mean(),
            "spectral_efficiency": jnp.where(target > 0, 1 - efficiency / jnp.where(target > 0, target, 1), -1.0),
        }

    def metrics(self, allocation: Allocation, channel: Channel) -> Mapping[str, Array]:
        """Energy efficiency in bit/J and spectral efficiency in bit/s/Hz."""
        problem = self.problem(channel)
        decision = allocation["assignment"], allocation["power_w"]
        return {
            "energy_efficiency": problem.energy_efficiency(*decision),
            "spectral_efficiency": problem.spectral_efficiency(*decision),
        }

    def table_columns(self, utility: np.ndarray, best: np.ndarray, arrays: Mapping[str, Any]) -> Mapping[str, float]:
        """Percentage of channels within 8 % of the best method, and the median error, eq. (13)."""
        known = best > 0
        error = np.abs(utility - best)[known] / best[known]
        within = float(100 * np.mean(error <= ACCEPTED_ERROR)) if known.any() else float("nan")
        return {
            "within_8_percent": within,
            "error_median": float(np.median(error)) if known.any() else float("nan"),
        }

    @property
    def methods(self) -> Mapping[str, Method]:
        """Solvers, heuristics and shipped policies, by name."""
        from wirelax.systems.hetnet_ee.methods import methods

        return methods(self)

    @property
    def recipes(self) -> Mapping[str, Any]:
        """Policies that can be trained, by name."""
        from wirelax.systems.hetnet_ee.recipes import recipes

        return recipes(self)

    def reproduction(self, preset: str) -> Reproduction:
        """Paper 1's figures 4 to 7 and Table III, the methods beyond it, and the same on Munich channels."""
        from wirelax.systems.hetnet_ee.reproduction import reproduction

        return reproduction(preset)
