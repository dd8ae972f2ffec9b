"""The NOMA system: the paper's problem, glued together from kernels and solvers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from wirelax.channels import munich_bs_candidates, rayleigh, sample_munich_bs
from wirelax.errors import InputError
from wirelax.problems import NomaProblem, greedy_schedule, make_noma_problem, random_schedule
from wirelax.systems.base import ArraySpec, System
from wirelax.systems.noma.catalogue import SUMMARY
from wirelax.systems.noma.config import NomaConfig
from wirelax.types import Channel
from wirelax.units import dbm_to_watt, thermal_noise_dbm

__all__ = ["Noma", "sample_mixed"]

MUNICH_RB = 48
RB_BANDWIDTH_HZ = 360e3
WEIGHT_RANGE = (0.1, 2.0)
_SIZES = {"subchannel": "num_subchannels", "user": "num_users"}


class Noma(System):
    """Power allocation and user scheduling in downlink NOMA with imperfect SIC."""

    name = "noma"
    summary, package = SUMMARY, "wirelax.systems.noma"
    config = NomaConfig()
    objective = "Maximise the (weighted) sum rate of all scheduled pairs, in bit/s/Hz."
    constraints = {  # noqa: RUF012
        "total_power": "The powers of all pairs sum to the total power.",
        "stray_power": "No power is below 0, and pairs that are not scheduled have none.",
        "min_rate": "Every scheduled pair reaches min_rate.",
        "users_per_subchannel": "A subchannel carries at most max_users_per_subchannel users.",
        "subchannels_per_user": "A user sits on at most max_subchannels_per_user subchannels.",
    }
    utility_name, utility_unit = "sum_rate", "bit/s/Hz"
    level_fields = ("noise_power_w", "total_power_dbm")
    arrays = (
        ArraySpec(
            "gain",
            ("subchannel", "user"),
            "Linear power gain, in the unit that noise_power_w belongs to.",
            sizes=_SIZES,
        ),
        ArraySpec(
            "assignment",
            ("subchannel", "user"),
            "Schedule to keep or to start from, true where a user is on a subchannel; the greedy one without it.",
            required=False,
            kind="flag",
            sizes=_SIZES,
        ),
        ArraySpec(
            "weight",
            ("user",),
            "Weights of the users' rates; all 1 without it.",
            required=False,
            kind="weight",
            sizes={"user": "num_users"},
        ),
    )

    def check(self) -> None:
        """The map of Munich has so many RBs and users."""
        if self.config.scenario != "munich":
            return
        limits = {"num_subchannels": MUNICH_RB, "num_users": self.data.user_index.size}
        for name, most in limits.items():
            if getattr(self.config, name) > most:
                raise InputError(f"{name} is {getattr(self.config, name)}; the map of Munich has {most}")

    def load_data(self) -> Any:
        """The users of one BS of the map of Munich, in its scenario."""
        return munich_bs_candidates(self.config.munich_bs) if self.config.scenario == "munich" else None

    def sample_gain(self, key: PRNGKeyArray) -> Float[Array, "subchannel user"]:
        """Gains of one cell, in the unit of the noise."""
        config = self.config
        if self.data is None:
            return rayleigh((config.num_subchannels, config.num_users), key=key)
        gain = sample_munich_bs(self.data, config.num_users, config.num_subchannels, key=key)
        bandwidth_hz = MUNICH_RB // config.num_subchannels * RB_BANDWIDTH_HZ
        noise_w = dbm_to_watt(thermal_noise_dbm(bandwidth_hz, config.noise_figure_db))
        return gain / noise_w * config.noise_power_w

    def sample(self, key: PRNGKeyArray) -> Channel:
        """One channel: ``gain`` [subchannel, user], ``assignment`` of the same shape, perhaps ``weight`` [user]."""
        gain_key, schedule_key, weight_key = jax.random.split(key, 3)
        gain = self.sample_gain(gain_key)
        problem = self.problem({"gain": gain})  # with the greedy schedule
        greedy = self.config.initial_schedule == "greedy"
        assignment = problem.schedule if greedy else random_schedule(problem, key=schedule_key)
        channel = {"gain": gain, "assignment": assignment}
        if self.config.weights == "random":
            low, high = WEIGHT_RANGE
            channel["weight"] = jax.random.uniform(weight_key, gain.shape[1:], minval=low, maxval=high)
        return channel

    def fit(self, channels: Mapping[str, Any]) -> System:
        """The same constants with the numbers of subchannels and users of ``gain`` [batch, N, M].

        Raises:
            InputError: the shapes of the arrays do not belong together, or a schedule breaks a quota.
        """
        fitted = super().fit(channels)
        if "assignment" in channels:
            self._check_quotas(np.asarray(channels["assignment"]))
        return fitted

    def _check_quotas(self, assignment: Bool[np.ndarray, "batch subchannel user"]) -> None:
        for field, axis, what in (
            ("max_users_per_subchannel", 2, "subchannel"),
            ("max_subchannels_per_user", 1, "user"),
        ):
            count, most = assignment.sum(axis), getattr(self.config, field)
            if (count > most).any():
                instance, index = np.unravel_index(int(np.argmax(count > most)), count.shape)
                raise InputError(
                    f"array 'assignment' of instance {instance} has {count[instance, index]} pairs on {what} {index}; "
                    f"{field} is {most}: change the schedule or --set {field}"
                )

    def problem(self, channel: Channel) -> NomaProblem:
        """The optimisation problem of one channel."""
        config = self.config
        return make_noma_problem(
            channel["gain"],
            weight=channel.get("weight"),
            schedule=channel.get("assignment"),
            noise_power_w=config.noise_power_w,
            sic_residual=config.sic_residual,
            min_rate=config.min_rate,
            total_power_w=dbm_to_watt(config.total_power_dbm),
            max_users_per_subchannel=config.max_users_per_subchannel,
            max_subchannels_per_user=config.max_subchannels_per_user,
            interference_gain=config.interference_gain,  # type: ignore[arg-type]
        )

    def table_columns(self, utility: Any, best: Any, arrays: Mapping[str, Any]) -> Mapping[str, float]:
        """Mean fraction of scheduled pairs below R_min."""
        return {"violated_pairs": float(np.mean(arrays["violated_pairs"]))}


def sample_mixed(system: Noma, key: PRNGKeyArray) -> Channel:
    """A channel whose schedule is anything between random and greedy, as matching algorithms meet them."""
    gain_key, noise_key, mix_key = jax.random.split(key, 3)
    gain = system.sample_gain(gain_key)
    mix = jax.random.uniform(mix_key)
    score = mix * jnp.log(jnp.maximum(gain, 1e-30)) + (1 - mix) * jax.random.gumbel(noise_key, gain.shape)
    unscheduled = jnp.zeros(gain.shape, bool)
    problem = system.problem({"gain": gain, "assignment": unscheduled})
    return {"gain": gain, "assignment": greedy_schedule(problem, jnp.exp(score))}
