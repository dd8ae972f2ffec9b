"""The NOMA system: paper 2's problem, glued together from kernels and solvers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from wirelax.channels import munich_bs_candidates
from wirelax.policies import masked_split
from wirelax.solvers.noma_problem import NomaProblem, make_noma_problem
from wirelax.solvers.noma_schedule import greedy_schedule
from wirelax.systems.base import ArraySpec, Method, Reproduction, override_config
from wirelax.systems.noma.channel import sample_channel
from wirelax.systems.noma.config import Head, NomaConfig
from wirelax.types import Allocation, Channel
from wirelax.units import db_to_linear, dbm_to_watt, linear_to_db

__all__ = ["Noma"]

UNSCHEDULED = -1.0
"""Feature of pairs that are not scheduled, in tens of dB of SNR at full power."""
SNR_FLOOR_DB = -8.0
"""Scheduled users below it look alike; far lower values would drown the differences between the others."""


class Noma:
    """Power allocation and user scheduling in downlink NOMA with imperfect SIC (paper 2)."""

    name = "noma"
    summary = "power allocation and user scheduling in downlink NOMA with imperfect SIC"
    utility_name = "sum_rate"
    utility_unit = "bit/s/Hz"
    arrays = (
        ArraySpec("gain", ("subchannel", "user")),
        ArraySpec("assignment", ("subchannel", "user"), required=False, kind="flag"),
        ArraySpec("weight", ("user",), required=False, kind="weight"),
    )

    def __init__(self, config: NomaConfig | None = None, **overrides: Any):
        """A system with the default configuration, some fields of it replaced.

        Raises:
            ValueError: an unknown field, or a value out of range.
        """
        self.config = override_config(config or NomaConfig(), overrides)
        if self.config.scenario == "munich":
            self.munich  # noqa: B018  # reads the map now, outside of any trace
            limits = {"num_subchannels": 48, "num_users": self.munich.user_index.size}
            for name, most in limits.items():
                if getattr(self.config, name) > most:
                    raise ValueError(f"{name} is {getattr(self.config, name)}; the map of Munich has {most}")

    @cached_property
    def munich(self):
        """What the scenario "munich" draws from, None in others."""
        if self.config.scenario != "munich":
            return None
        with jax.ensure_compile_time_eval():
            return munich_bs_candidates(self.config.munich_bs)

    def sample(self, key: PRNGKeyArray) -> Channel:
        """One channel: ``gain`` [subchannel, user], ``assignment`` of the same shape, perhaps ``weight`` [user]."""
        return sample_channel(self.config, self.munich, key=key)

    def fit(self, channels: Mapping[str, Any]) -> Noma:
        """The same constants with the numbers of subchannels and users of ``gain`` [batch, N, M].

        Raises:
            ValueError: the shapes of the arrays do not belong together, or a schedule breaks a quota.
        """
        num_subchannels, num_users = np.shape(channels["gain"])[-2:]
        wanted = {"assignment": (num_subchannels, num_users), "weight": (num_users,)}
        for name, shape in wanted.items():
            if name in channels and np.shape(channels[name])[1:] != shape:
                raise ValueError(
                    f"array {name!r} has shape {np.shape(channels[name])}, wanted [batch, "
                    f"{', '.join(map(str, shape))}] to fit 'gain'"
                )
        if "assignment" in channels:
            self._check_quotas(np.asarray(channels["assignment"]))
        sizes = {"num_subchannels": num_subchannels, "num_users": num_users}
        if all(getattr(self.config, name) == size for name, size in sizes.items()):
            return self
        return Noma(self.config, scenario="rayleigh", **sizes)

    def _check_quotas(self, assignment: Bool[np.ndarray, "batch subchannel user"]) -> None:
        for field, axis, what in (
            ("max_users_per_subchannel", 2, "subchannel"),
            ("max_subchannels_per_user", 1, "user"),
        ):
            count, most = assignment.sum(axis), getattr(self.config, field)
            if (count > most).any():
                instance, index = np.unravel_index(int(np.argmax(count > most)), count.shape)
                raise ValueError(
                    f"array 'assignment' of instance {instance} has {count[instance, index]} pairs on {what} {index}; "
                    f"{field} is {most}: change the schedule or --set {field}"
                )
        if not assignment.any((1, 2)).all():
            raise ValueError(
                f"array 'assignment' of instance {int(np.argmin(assignment.any((1, 2))))} schedules nobody"
            )

    def problem(self, channel: Channel) -> NomaProblem:
        """The optimisation problem of one channel; ``min_rate`` may come with it."""
        config = self.config
        return make_noma_problem(
            channel["gain"],
            weight=channel.get("weight"),
            noise_power_w=config.noise_power_w,
            sic_residual=config.sic_residual,
            min_rate=channel.get("min_rate", config.min_rate),
            total_power_w=self.total_power_w,
            max_users_per_subchannel=config.max_users_per_subchannel,
            max_subchannels_per_user=config.max_subchannels_per_user,
            interference_gain=config.interference_gain,  # type: ignore[arg-type]
        )

    @property
    def total_power_w(self) -> float:
        """P_c in W."""
        with jax.ensure_compile_time_eval():
            return float(dbm_to_watt(self.config.total_power_dbm))

    def schedule(self, channel: Channel) -> Bool[Array, "subchannel user"]:
        """The schedule that a channel brings along, else the greedy one."""
        if "assignment" in channel:
            return channel["assignment"]
        config = self.config
        return greedy_schedule(channel["gain"], config.max_users_per_subchannel, config.max_subchannels_per_user)

    def features(self, channel: Channel) -> Float[Array, "subchannel user"]:
        """SNR at full power in tens of dB of every scheduled pair, `UNSCHEDULED` for the others."""
        snr = channel["gain"] * (self.total_power_w / self.config.noise_power_w)
        level_db = linear_to_db(jnp.maximum(snr, db_to_linear(SNR_FLOOR_DB)))
        return jnp.where(self.schedule(channel), level_db / 10, UNSCHEDULED)

    def power(
        self, outputs: Float[Array, "subchannel user"], channel: Channel, head: Head
    ) -> Float[Array, "subchannel user"]:
        """Powers in W that logits stand for, P_c in all, before any repair.

        Heads "raw" and "split": a softmax split of P_c over the scheduled pairs. "simplex": the least powers that
        meet R_min, and a softmax split of what they leave over (`wirelax.solvers.QosSimplex`).
        """
        assignment = self.schedule(channel)
        if head != "simplex":
            return masked_split(outputs, assignment, self.total_power_w)
        problem = self.problem(channel)
        slots = problem.slots(assignment)
        share = slots.gather(masked_split(outputs, assignment, 1.0))
        return slots.scatter(problem.simplex(slots).power(share), problem.num_users)

    def decode(
        self,
        outputs: Float[Array, "subchannel user"],
        channel: Channel,
        head: Head = "split",
    ) -> Allocation:
        """The allocation of logits; with head "split" repaired where it misses R_min: feasible if the schedule is.

        Args:
            outputs: logits [subchannel, user].
            channel: the channel.
            head: see `power`.
        """
        problem, assignment = self.problem(channel), self.schedule(channel)
        power_w = self.power(outputs, channel, head)
        if head == "split":
            slots = problem.slots(assignment)
            power_w = slots.scatter(problem.simplex(slots).repair(slots.gather(power_w)), problem.num_users)
        return {"assignment": assignment, "power_w": power_w}

    def utility(self, allocation: Allocation, channel: Channel) -> Float[Array, ""]:
        """(Weighted) sum rate in bit/s/Hz, eq. (7)."""
        return self.problem(channel).utility(allocation["assignment"], allocation["power_w"])

    def violations(self, allocation: Allocation, channel: Channel) -> Mapping[str, Float[Array, ""]]:
        """Relative: total power not P_c, power below 0 or unscheduled, shortfall of R_min, pairs beyond quotas."""
        problem, config = self.problem(channel), self.config
        assignment, power_w = allocation["assignment"], allocation["power_w"]
        rates, stray = problem.rates(assignment, power_w), jnp.where(assignment, -power_w, jnp.abs(power_w))
        lowest, target = jnp.where(assignment, rates, jnp.inf).min(), jnp.asarray(problem.min_rate)
        return {
            "total_power": jnp.abs(power_w.sum() / self.total_power_w - 1),
            "stray_power": stray.max() / self.total_power_w,
            "min_rate": jnp.where(target > 0, 1 - lowest / jnp.maximum(target, 1e-30), -1.0),
            "users_per_subchannel": assignment.sum(1).max() / config.max_users_per_subchannel - 1,
            "subchannels_per_user": assignment.sum(0).max() / config.max_subchannels_per_user - 1,
        }

    def metrics(self, allocation: Allocation, channel: Channel) -> Mapping[str, Array]:
        """(Weighted) sum rate in bit/s/Hz, and the fraction of scheduled pairs below R_min."""
        problem, assignment = self.problem(channel), allocation["assignment"]
        rates = problem.rates(assignment, allocation["power_w"])
        short = assignment & (rates < problem.min_rate * (1 - 1e-5))
        return {
            "sum_rate": problem.utility(assignment, allocation["power_w"]),
            "violated_pairs": short.sum() / jnp.maximum(assignment.sum(), 1),
        }

    def table_columns(self, utility: Any, best: Any, arrays: Mapping[str, Any]) -> Mapping[str, float]:
        """Mean fraction of scheduled pairs below R_min."""
        return {"violated_pairs": float(np.mean(arrays["violated_pairs"]))}

    @property
    def methods(self) -> Mapping[str, Method]:
        """Solvers, heuristics and shipped policies, by name."""
        from wirelax.systems.noma.methods import methods

        return methods(self)

    @property
    def recipes(self) -> Mapping[str, Any]:
        """Policies that can be trained, by name."""
        from wirelax.systems.noma.recipes import recipes

        return recipes(self)

    def reproduction(self, preset: str) -> Reproduction:
        """Paper 2's figures 4 to 9 and Tables II and III, and the same on Munich channels."""
        from wirelax.systems.noma.reproduction import reproduction

        return reproduction(preset)
