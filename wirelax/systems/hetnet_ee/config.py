"""Configuration of the HetNet system: every constant of paper 1, with units in the names."""

from __future__ import annotations

from dataclasses import dataclass

from wirelax.systems.base import bounded

__all__ = ["HetNetConfig"]


@dataclass(frozen=True, kw_only=True)
class HetNetConfig:
    """Constants of paper 1's Table I; what it leaves open is settled as noted.

    BS 0 is the macro, the others are micros; user u is served by BS u // users_per_bs.
    """

    scenario: str = bounded("triangle", choices=("triangle", "munich"))
    """Where sampled channels come from: "triangle", synthetic 3GPP; "munich", ray-traced (3 BSs)."""
    num_micro: int = bounded(2, low=0, high=16)
    users_per_bs: int = bounded(2, low=1, high=8)
    num_subchannels: int = bounded(2, low=1, high=8)
    inter_site_distance_m: float = bounded(200.0, above=0.0)
    max_user_distance_m: float = bounded(120.0, above=0.0)
    bs_height_m: float = bounded(15.0, above=0.0)
    user_height_m: float = bounded(1.5, low=0.0)
    noise_dbm: float = bounded(-128.1, low=-250.0, high=100.0)
    """Noise power in one subchannel."""
    bandwidth_per_subchannel_hz: float = bounded(1e6, above=0.0)
    max_power_macro_w: float = bounded(12.0, above=0.0)
    max_power_micro_w: float = bounded(1.2, above=0.0)
    circuit_power_macro_w: float = bounded(10.0, low=0.0)
    """Settled: the paper prints no circuit powers."""
    circuit_power_micro_w: float = bounded(1.0, low=0.0)
    amplifier_efficiency: float = bounded(0.3, above=0.0, high=1.0)
    min_spectral_efficiency: float = bounded(10.0, low=0.0)
    """Target epsilon of eq. (8) in bit/s/Hz; settled: the paper prints none."""
    power_levels: int = bounded(6, low=2, high=64)
    """Grid levels per BS and subchannel, zero included."""
    level_range_db: float = bounded(40.0, above=0.0, high=200.0)
    level_spacing: str = bounded("db", choices=("db", "linear"))

    @property
    def num_bs(self) -> int:
        """The macro and the micros."""
        return 1 + self.num_micro

    @property
    def circuit_power_w(self) -> float:
        """Circuit power of the whole network."""
        return self.circuit_power_macro_w + self.num_micro * self.circuit_power_micro_w
