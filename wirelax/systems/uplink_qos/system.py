"""The uplink QoS system: the paper's problem, glued together from kernels and solvers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from wirelax.channels import (
    URBAN,
    mrc_gain,
    munich_uplink_candidates,
    path_gain,
    saleh_valenzuela,
    sample_munich_uplink,
)
from wirelax.errors import InputError
from wirelax.problems import UplinkQosProblem, make_uplink_qos_problem
from wirelax.systems.base import ArraySpec, System
from wirelax.systems.uplink_qos.catalogue import SUMMARY
from wirelax.systems.uplink_qos.config import UplinkQosConfig
from wirelax.types import FEASIBILITY_TOLERANCE, Channel, Status
from wirelax.units import db_to_linear, dbm_to_watt, linear_to_db

__all__ = ["UplinkQos"]

MUNICH_RB = 48


class UplinkQos(System):
    """Fewest uplink RBs for users with a long- and a short-blocklength service each."""

    name = "uplink-qos"
    summary, package = SUMMARY, "wirelax.systems.uplink_qos"
    config = UplinkQosConfig()
    objective = "Minimise the occupied RBs, that is, maximise the number of RBs that stay free."
    constraints = {  # noqa: RUF012
        "long_rate": "The long service of every user reaches rate_long_bps.",
        "short_rate": "The short service of every user reaches rate_short_bps at error_probability, in one slot.",
        "power": "The powers of a user over all RBs stay within max_power_w.",
        "stray_power": "No power is below 0, and an RB without a service has none.",
        "shared_rb": "An RB carries one service of one user at most.",
    }
    utility_name, utility_unit = "free_resource_blocks", "RB"
    level_fields = ("max_power_w",)
    sweep_columns = {  # noqa: RUF012
        "occupied_mean": "Mean number of occupied RBs",
        "seconds_per_channel": "Time per channel (s)",
    }
    cdf_metrics = {  # noqa: RUF012
        "shortfall_long": "Shortfall of a user's long rate over its target",
        "shortfall_short": "Shortfall of a user's short rate over its target",
    }
    arrays = (
        ArraySpec(
            "gain",
            ("user", "RB"),
            "Power gain after combining the antennas over the noise power of an RB: the linear SNR at 1 W, in 1/W.",
            sizes={"user": "num_users", "RB": "num_rbs"},
        ),
    )

    def check(self) -> None:
        """The map of Munich has so many RBs and users."""
        if self.config.scenario != "munich":
            return
        limits = {"num_rbs": MUNICH_RB, "num_users": len(self.data)}
        for name, most in limits.items():
            if getattr(self.config, name) > most:
                raise InputError(f"{name} is {getattr(self.config, name)}; the map of Munich has {most}")

    def load_data(self) -> Any:
        """The users of the map of Munich that its macro hears, in its scenario."""
        return munich_uplink_candidates() if self.config.scenario == "munich" else None

    def noise_w(self) -> Float[Array, ""]:
        """Noise and interference of other cells in an RB, W."""
        config = self.config
        level_dbm = config.noise_density_dbm_per_hz + linear_to_db(config.rb_bandwidth_hz)
        return dbm_to_watt(level_dbm + config.noise_figure_db + config.interference_margin_db)

    def sample(self, key: PRNGKeyArray) -> Channel:
        """One channel: ``gain`` [user, RB], 1/W."""
        config = self.config
        if self.data is not None:
            gain = sample_munich_uplink(self.data, config.num_users, config.num_rbs, key=key)
            return {"gain": gain / self.noise_w()}
        offset_hz = jnp.arange(config.num_rbs) * jnp.asarray(config.rb_bandwidth_hz, float)
        angle_rad = jnp.asarray(config.max_angle_deg, float) * (math.pi / 180)

        def user(key: PRNGKeyArray) -> Float[Array, " rb"]:
            h = saleh_valenzuela(
                offset_hz, config.num_antennas, config.num_paths, config.max_delay_s, angle_rad, key=key
            )
            return mrc_gain(h)

        fading = jax.vmap(user)(jax.random.split(key, config.num_users))
        level = path_gain(jnp.asarray(config.distance_m, float) / 1e3, URBAN) / db_to_linear(config.penetration_db)
        return {"gain": fading * (level / self.noise_w())}

    def problem(self, channel: Channel) -> UplinkQosProblem:
        """The optimisation problem of one channel."""
        config = self.config
        return make_uplink_qos_problem(
            channel["gain"],
            rate_long_bps=config.rate_long_bps,
            rate_short_bps=config.rate_short_bps,
            error_probability=config.error_probability,
            max_power_w=config.max_power_w,
            rb_bandwidth_hz=config.rb_bandwidth_hz,
            slot_s=config.slot_s,
        )

    def table_columns(self, utility: Any, best: Any, arrays: Mapping[str, Any]) -> Mapping[str, float]:
        """Occupied RBs, shares of users below their targets, and the error of the short service.

        ``occupied_mean`` is over the channels that the method does not call infeasible, in which its users are counted,
        for ``violation_long`` and ``violation_short`` as well. ``decoding_error_mean`` is that of the users whose
        short service reaches its target, by the exact dispersion; with the others counted as lost it becomes
        ``error_total``, Yin et al. (2025), eq. (23).
        """
        tried = np.asarray(arrays["status"]) != Status.INFEASIBLE
        if not tried.any():
            nothing = dict.fromkeys(("occupied_mean", "violation_long", "violation_short"), float("nan"))
            return {**nothing, "decoding_error_mean": float("nan"), "error_total": float("nan")}
        long, short = (np.asarray(arrays[name])[tried] for name in ("shortfall_long", "shortfall_short"))
        missed = short > FEASIBILITY_TOLERANCE
        error = np.asarray(arrays["decoding_error"], float)[tried][~missed]
        decoding = float(error.mean()) if error.size else float("nan")
        return {
            "occupied_mean": float(np.mean(np.asarray(arrays["occupied"])[tried])),
            "violation_long": float(np.mean(long > FEASIBILITY_TOLERANCE)),
            "violation_short": float(np.mean(missed)),
            "decoding_error_mean": decoding,
            "error_total": 1 - (1 - decoding) * (1 - float(missed.mean())),
        }
