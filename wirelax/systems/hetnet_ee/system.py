"""The HetNet energy-efficiency system: the paper's problem, glued together from kernels and solvers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from wirelax.channels import hetnet_sites, munich_hetnet_candidates, sample_hetnet, sample_munich_hetnet
from wirelax.errors import InputError
from wirelax.problems import EnergyEfficiencyProblem, make_energy_efficiency_problem
from wirelax.systems.base import ArraySpec, System
from wirelax.systems.hetnet_ee.catalogue import SUMMARY
from wirelax.systems.hetnet_ee.config import HetNetConfig
from wirelax.types import Channel
from wirelax.units import dbm_to_watt

__all__ = ["HetNetEE"]

ACCEPTED_ERROR = 0.08
"""The paper counts the channels within 8 % of the benchmark."""


class HetNetEE(System):
    """Energy-efficient subchannel and power allocation in a HetNet."""

    name = "hetnet-ee"
    summary, package = SUMMARY, "wirelax.systems.hetnet_ee"
    config = HetNetConfig()
    objective = "Maximise the energy efficiency, sum rate over consumed power, in bit/J."
    constraints = {  # noqa: RUF012
        "power_budget": "The powers of a BS over its subchannels stay within its budget.",
        "negative_power": "No power is below 0.",
        "unserved_users": "Every user has at least one subchannel.",
        "foreign_users": "A BS serves users of its own cell only.",
        "spectral_efficiency": "Sum rate over bandwidth reaches min_spectral_efficiency.",
    }
    utility_name, utility_unit = "energy_efficiency", "bit/J"
    level_fields = ("noise_dbm", "max_power_macro_w", "max_power_micro_w")
    arrays = (
        ArraySpec(
            "gain",
            ("subchannel", "user", "BS"),
            "Linear power gain from BS to user; user u belongs to BS u // users_per_bs, BS 0 is the macro.",
            sizes={"subchannel": "num_subchannels"},
            at_most=1.0,
        ),
    )

    def check(self) -> None:
        """Every user needs a subchannel, and Munich has three BSs."""
        config = self.config
        if config.users_per_bs > config.num_subchannels:
            raise InputError(
                f"users_per_bs is {config.users_per_bs} and num_subchannels {config.num_subchannels}; "
                "every user must get a subchannel, so use at least as many subchannels as users per BS"
            )
        if config.scenario == "munich" and config.num_micro != 2:
            raise InputError("scenario 'munich' has one macro and two small BSs; set num_micro=2")

    def load_data(self) -> Any:
        """The map of Munich, in its scenario."""
        return munich_hetnet_candidates() if self.config.scenario == "munich" else None

    def sample(self, key: PRNGKeyArray) -> Channel:
        """One channel: ``gain`` [subchannel, user, bs], linear power gain."""
        config, sizes = self.config, (self.config.users_per_bs, self.config.num_subchannels)
        if self.data is not None:
            return {"gain": sample_munich_hetnet(self.data, *sizes, key=key)}
        sites_m = hetnet_sites(config.num_micro, config.inter_site_distance_m)
        height_m = config.bs_height_m - config.user_height_m
        reach_m = config.max_user_distance_m
        return {"gain": sample_hetnet(sites_m, *sizes, max_distance_m=reach_m, height_m=height_m, key=key)}

    def axis_lengths(self, given: Collection[str]) -> dict[str, int]:
        """Lengths of axes that the user's own sizes stand for."""
        found, config = super().axis_lengths(given), self.config
        if "num_micro" in given:
            found["BS"] = config.num_bs
            if "users_per_bs" in given:
                found["user"] = config.num_bs * config.users_per_bs
        return found

    def sizes_of(self, channels: Mapping[str, Any]) -> dict[str, int]:
        """Numbers of micros, users per BS and subchannels of ``gain`` [batch, K, U, N]."""
        num_subchannels, num_users, num_bs = np.shape(channels["gain"])[-3:]
        if num_users % num_bs:
            raise InputError(
                f"array 'gain' has {num_users} users for {num_bs} BSs (axes: subchannel, user, BS); the number of "
                "users must be a multiple of the number of BSs, user u being served by BS u // users_per_bs"
            )
        sizes = {"num_micro": num_bs - 1, "users_per_bs": num_users // num_bs, "num_subchannels": num_subchannels}
        return sizes

    def problem(self, channel: Channel) -> EnergyEfficiencyProblem:
        """The optimisation problem of one channel."""
        config = self.config
        micros = jnp.ones(config.num_micro)
        budgets = [jnp.atleast_1d(config.max_power_macro_w), config.max_power_micro_w * micros]
        return make_energy_efficiency_problem(
            channel["gain"],
            noise_w=dbm_to_watt(config.noise_dbm),
            max_power_w=jnp.concatenate(budgets),
            bandwidth_per_subchannel_hz=config.bandwidth_per_subchannel_hz,
            amplifier_efficiency=config.amplifier_efficiency,
            circuit_power_w=config.circuit_power_macro_w + config.num_micro * config.circuit_power_micro_w,
            min_spectral_efficiency=config.min_spectral_efficiency,
        )

    def table_columns(self, utility: Any, best: Any, arrays: Mapping[str, Any]) -> Mapping[str, float]:
        """Percentage of channels within 8 % of the best method, and the median error, eq. (13).

        Allocations that break a constraint are within nothing.
        """
        known = best > 0
        if not known.any():
            return {"within_8_percent": float("nan"), "error_median": float("nan")}
        error = np.where(arrays["feasible"], np.abs(utility - best), best)[known] / best[known]
        return {
            "within_8_percent": float(100 * np.mean(error <= ACCEPTED_ERROR)),
            "error_median": float(np.median(error)),
        }
