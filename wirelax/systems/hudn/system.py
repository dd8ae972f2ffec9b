"""The ultra-dense network: the paper's problem, glued together from kernels and solvers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from wirelax.channels import (
    PICO_LOS,
    PICO_NLOS,
    PUBLISHED_LOS,
    PUBLISHED_NLOS,
    CityLayout,
    city_gain,
    load_munich_radiomap,
    munich_positions,
    munich_stations,
    outdoor_users,
    sample_city,
)
from wirelax.errors import InputError
from wirelax.problems import STARVED, AssociationProblem, make_association_problem
from wirelax.systems.base import ArraySpec, System
from wirelax.systems.hudn.catalogue import SUMMARY
from wirelax.systems.hudn.config import HudnConfig
from wirelax.types import Channel
from wirelax.units import dbm_to_watt

__all__ = ["Hudn"]


class Hudn(System):
    """User association and BS powers in a heterogeneous ultra-dense network."""

    name = "hudn"
    summary, package = SUMMARY, "wirelax.systems.hudn"
    config = HudnConfig()
    objective = (
        "Maximise the sum of the UEs' rates, every BS splitting its time evenly among its UEs; or, with "
        "utility=proportional-fair, the sum of the logarithms of the rates."
    )
    constraints = {  # noqa: RUF012
        "association": "Every UE that some BS reaches has one BS, and that one reaches it.",
        "power": "The power of a BS stays within its budget.",
        "negative_power": "No power is below 0.",
    }
    level_fields = ("noise_dbm", "max_power_macro_dbm", "max_power_small_dbm")
    sweep_columns = {  # noqa: RUF012
        "rate_p5": "5th percentile of the UEs' rates (bit/s/Hz)",
        "jain_index": "Jain's fairness index",
        "seconds_per_channel": "Time per channel (s)",
    }
    cdf_metrics = {"rate": "Rate of a UE (bit/s/Hz)"}  # noqa: RUF012
    arrays = (
        ArraySpec(
            "gain",
            ("UE", "BS"),
            "Linear power gain, 0 where the BS does not reach the UE.",
            in_db="path_gain_db",
            sizes={"UE": "num_ues", "BS": "num_bss"},
            at_most=1.0,
        ),
    )

    @property
    def utility_name(self) -> str:  # ty: ignore[incompatible-property-override]
        """Of the objective in result files."""
        return "sum_rate" if self.config.utility == "sum-rate" else "log_utility"

    @property
    def utility_unit(self) -> str:  # ty: ignore[incompatible-property-override]
        """Of the objective."""
        return "bit/s/Hz" if self.config.utility == "sum-rate" else "nat"

    def check(self) -> None:
        """Macros are among the BSs; the map of Munich and the grid of the city have so many places."""
        config = self.config
        if config.num_macro > config.num_bss:
            raise InputError(
                f"num_macro is {config.num_macro}, but there are {config.num_bss} BSs; say how many of them are macros "
                f"with num_macro=0 to {config.num_bss}"
            )
        if config.scenario == "munich":
            if self.config.num_ues > len(self.data["gain"]):
                raise InputError(f"num_ues is {config.num_ues}; the map of Munich has {len(self.data['gain'])} places")
            macros, stations = (len(self.data[name]) for name in ("macros", "stations"))
            if config.num_macro != macros or not macros <= config.num_bss <= stations:
                raise InputError(
                    f"num_macro is {config.num_macro} and num_bss is {config.num_bss}; the map of Munich has {macros} "
                    f"macros and up to {stations} BSs in all"
                )
        elif config.num_ues > config.points_per_side**2:
            raise InputError(
                f"num_ues is {config.num_ues}; the grid has {config.points_per_side**2} places, raise points_per_side"
            )

    def load_data(self) -> Any:
        """The map of Munich, in its scenario."""
        if self.config.scenario != "munich":
            return None
        radiomap = load_munich_radiomap()
        numbers = np.arange(len(radiomap.is_macro))
        return {
            "gain": radiomap.gain,
            "macros": numbers[radiomap.is_macro],
            "stations": numbers,
            "ue_position_m": radiomap.ue_position_m,
            "bs_position_m": radiomap.bs_position_m,
        }

    def layout(self, key: PRNGKeyArray) -> CityLayout:
        """Buildings and BSs of one city."""
        config = self.config
        return sample_city(
            config.num_macro,
            config.num_bss - config.num_macro,
            config.num_buildings,
            side_m=config.side_m,
            building_width_m=config.building_width_m,
            building_height_m=config.building_height_m,
            macro_height_m=config.macro_height_m,
            small_height_m=config.small_height_m,
            mast_m=config.mast_m,
            key=key,
        )

    def sample(self, key: PRNGKeyArray) -> Channel:
        """One channel: ``gain`` [UE, BS].

        Beside it, for maps, where all stand, in m: ``ue_position_m`` [UE, 3], ``bs_position_m`` [BS, 3], and of the
        city ``building_m`` [building, 4], the lower and the upper corners of the footprints.
        """
        config = self.config
        layout_key, ue_key = jax.random.split(key)
        if config.layout_seed >= 0:
            layout_key = jax.random.key(config.layout_seed)
        if self.data is not None:
            places = munich_positions(len(self.data["gain"]), config.num_ues, key=ue_key)
            is_macro = np.arange(len(self.data["stations"])) < len(self.data["macros"])
            stations = munich_stations(is_macro, config.num_bss, key=layout_key)
            ue_position_m, bs_position_m = (jnp.asarray(self.data[name]) for name in ("ue_position_m", "bs_position_m"))
            return {
                "gain": jnp.asarray(self.data["gain"])[places[:, None], stations],
                "ue_position_m": ue_position_m[places],
                "bs_position_m": bs_position_m[stations],
            }
        layout = self.layout(layout_key)
        users = outdoor_users(
            layout,
            config.num_ues,
            config.points_per_side,
            side_m=config.side_m,
            ue_height_m=config.ue_height_m,
            key=ue_key,
        )
        published = config.scenario == "published"
        models = (PUBLISHED_LOS, PUBLISHED_NLOS) if published else (PICO_LOS, PICO_NLOS)
        return {
            "gain": city_gain(layout, users, *models),
            "ue_position_m": users,
            "bs_position_m": layout.bs_position_m,
            "building_m": jnp.concatenate([layout.box_min[:, :2], layout.box_max[:, :2]], -1),
        }

    def max_power_w(self) -> Float[Array, " bs"]:
        """Power budgets of all BSs, W."""
        macro, small = (
            dbm_to_watt(level) for level in (self.config.max_power_macro_dbm, self.config.max_power_small_dbm)
        )
        return jnp.where(jnp.arange(self.config.num_bss) < self.config.num_macro, macro, small)

    def problem(self, channel: Channel) -> AssociationProblem:
        """The optimisation problem of one channel."""
        return make_association_problem(
            channel["gain"],
            max_power_w=self.max_power_w(),
            noise_w=dbm_to_watt(self.config.noise_dbm),
            macro=jnp.arange(self.config.num_bss) < self.config.num_macro,
            rate_floor=self.config.rate_floor,
            objective=self.config.utility,
        )

    def places(self, channels: Mapping[str, np.ndarray]) -> Mapping[str, Any] | None:
        """Of sampled channels, which hold the positions."""
        if "ue_position_m" not in channels:
            return None
        return {
            "ue_position_m": channels["ue_position_m"][0],
            "bs_position_m": channels["bs_position_m"][0],
            "is_macro": np.arange(self.config.num_bss) < self.config.num_macro,
            "boxes_m": channels["building_m"][0] if "building_m" in channels else None,
        }

    def remarks(self, channels: Mapping[str, np.ndarray]) -> Sequence[str]:
        """UEs that no BS reaches."""
        lost = np.asarray((np.asarray(channels["gain"]) <= 0).all(-1))
        if not lost.any():
            return []
        return [
            f"{int(lost.sum()):,} of {lost.size:,} UEs are out of reach of every BS, in {int(lost.any(-1).sum()):,} of "
            f"{lost.shape[0]:,} channels: their association is -1 and their rate 0; 'unreachable_ues' counts them"
        ]

    def table_columns(self, utility: Any, best: Any, arrays: Mapping[str, Any]) -> Mapping[str, float]:
        """Sum rate and fairness: percentiles of the rates of the UEs of all channels, and means over the channels."""
        rates = np.asarray(arrays["rate"], float)
        return {
            "sum_rate_mean": float(rates.sum(-1).mean()),
            "rate_p5": float(np.percentile(rates, 5)),
            "rate_median": float(np.median(rates)),
            "jain_index": float(np.mean(arrays["jain_index"])),
            "starved_fraction": float((rates < STARVED).mean()),
            "serving_bss": float(np.mean(arrays["serving_bss"])),
            "unreachable_fraction": float(np.mean(arrays["unreachable_ues"]) / rates.shape[-1]),
        }
