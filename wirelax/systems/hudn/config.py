"""Configuration of the ultra-dense network, with units in the names."""

from __future__ import annotations

from dataclasses import dataclass

from wirelax.systems.config import bounded

__all__ = ["HudnConfig"]


@dataclass(frozen=True, kw_only=True)
class HudnConfig:
    """Constants of one downlink; those of Zhang et al. (HBGNN), Table I, as far as it says, the rest settled.

    Of a file only the numbers of UEs and BSs, the noise, the powers, the macros and the utility count; the other fields
    say how channels are sampled.
    """

    scenario: str = bounded(
        "city",
        'Where sampled channels come from: "city", random buildings; "munich", ray-traced; "published", the city with '
        "the path loss of the published code.",
        choices=("city", "munich", "published"),
    )
    utility: str = bounded(
        "sum-rate",
        'What is maximised: "sum-rate", or "proportional-fair", the sum of the logarithms of the rates.',
        choices=("sum-rate", "proportional-fair"),
    )
    num_ues: int = bounded(120, "UEs, I.", low=1, high=20000)
    num_bss: int = bounded(105, "BSs, J: first the macros, then the small ones.", low=1, high=2000)
    num_macro: int = bounded(5, "Macro BSs, the first ones.", low=0, high=2000)
    noise_dbm: float = bounded(
        -91.98970004336019, "Noise in 20 MHz, noise figure 9 dB; settled.", unit="dBm", low=-250.0, high=100.0
    )
    max_power_macro_dbm: float = bounded(50.0, "Power budget of a macro.", unit="dBm", low=-100.0, high=100.0)
    max_power_small_dbm: float = bounded(20.0, "Power budget of a small BS.", unit="dBm", low=-100.0, high=100.0)
    rate_floor: float = bounded(
        1e-3, "Rate that proportional fairness credits a UE with for nothing.", unit="bit/s/Hz", above=0.0
    )
    layout_seed: int = bounded(
        -1,
        "Seed of buildings and BSs, the same for all channels; -1 for others in every channel.",
        low=-1,
        high=2**31 - 1,
    )
    side_m: float = bounded(200.0, "Side of the square city.", unit="m", above=0.0)
    points_per_side: int = bounded(40, "Points of the grid of UEs along a side.", low=1, high=1000)
    num_buildings: int = bounded(20, "Buildings that may not overlap.", low=0, high=1000)
    building_width_m: float = bounded(20.0, "Width of a square building.", unit="m", above=0.0)
    building_height_m: float = bounded(30.0, "Height of a building.", unit="m", above=0.0)
    ue_height_m: float = bounded(1.5, "Height of a UE; settled.", unit="m", above=0.0)
    macro_height_m: float = bounded(25.0, "Height of a macro that is not on a roof; settled.", unit="m", above=0.0)
    small_height_m: float = bounded(10.0, "Height of a small BS that is not on a roof; settled.", unit="m", above=0.0)
    mast_m: float = bounded(2.0, "Height of a BS above its roof; settled.", unit="m", above=0.0)
    starts: int = bounded(8, "Starts of the method direct.", low=1, high=4096)
