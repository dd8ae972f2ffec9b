"""Configuration of the HetNet system: every constant of the paper, with units in the names."""

from __future__ import annotations

from dataclasses import dataclass

from wirelax.systems.config import bounded

__all__ = ["HetNetConfig"]


@dataclass(frozen=True, kw_only=True)
class HetNetConfig:
    """Constants of the paper's Table I; what it leaves open is settled as noted.

    BS 0 is the macro, the others are micros; user u is served by BS u // users_per_bs.
    """

    scenario: str = bounded(
        "triangle",
        'Where sampled channels come from: "triangle", synthetic 3GPP; "munich", ray-traced (3 BSs).',
        choices=("triangle", "munich"),
    )
    num_micro: int = bounded(2, "Micro BSs beside the macro.", low=0, high=16)
    users_per_bs: int = bounded(2, "Users that each BS serves.", low=1, high=8)
    num_subchannels: int = bounded(2, "Subchannels that all BSs share.", low=1, high=8)
    inter_site_distance_m: float = bounded(200.0, "Distance of the micros from the macro.", unit="m", above=0.0)
    max_user_distance_m: float = bounded(120.0, "Users are up to this far from their BS.", unit="m", above=0.0)
    bs_height_m: float = bounded(15.0, "Height of the BSs.", unit="m", above=0.0)
    user_height_m: float = bounded(1.5, "Height of the users.", unit="m", low=0.0)
    noise_dbm: float = bounded(-128.1, "Noise power in one subchannel.", unit="dBm", low=-250.0, high=100.0)
    bandwidth_per_subchannel_hz: float = bounded(1e6, "Bandwidth of one subchannel.", unit="Hz", above=0.0)
    max_power_macro_w: float = bounded(12.0, "Budget of the macro over its subchannels.", unit="W", above=0.0)
    max_power_micro_w: float = bounded(1.2, "Budget of each micro over its subchannels.", unit="W", above=0.0)
    circuit_power_macro_w: float = bounded(
        10.0, "Constant power of the macro; settled, as the paper prints no circuit powers.", unit="W", low=0.0
    )
    circuit_power_micro_w: float = bounded(1.0, "Constant power of each micro; settled.", unit="W", low=0.0)
    amplifier_efficiency: float = bounded(0.3, "Radiated power over the power drawn for it.", above=0.0, high=1.0)
    min_spectral_efficiency: float = bounded(
        10.0, "Target of eq. (8), 0 for none; settled, as the paper prints none.", unit="bit/s/Hz", low=0.0
    )
    power_levels: int = bounded(6, "Grid levels per BS and subchannel, zero included.", low=2, high=64)
    level_range_db: float = bounded(40.0, "Span of the positive levels in dB.", unit="dB", above=0.0, high=200.0)
    level_spacing: str = bounded("db", 'Levels at even steps in dB or in W ("linear").', choices=("db", "linear"))

    @property
    def num_bs(self) -> int:
        """The macro and the micros."""
        return 1 + self.num_micro
