"""Configuration of the uplink QoS system, with units in the names."""

from __future__ import annotations

from dataclasses import dataclass

from wirelax.systems.config import bounded

__all__ = ["UplinkQosConfig"]


@dataclass(frozen=True, kw_only=True)
class UplinkQosConfig:
    """Constants of one uplink cell; the paper's multi-user scenario as far as it says, the rest settled.

    Gains are those after combining the antennas over the noise power of an RB: the SNR at one watt. Of a file only the
    sizes and the targets count; the fields on antennas, distance and noise say how channels are sampled.
    """

    scenario: str = bounded(
        "saleh-valenzuela",
        'Where sampled channels come from: "saleh-valenzuela", multipath at an array; "munich", ray-traced.',
        choices=("saleh-valenzuela", "munich"),
    )
    num_users: int = bounded(4, "Users, K.", low=1, high=256)
    num_rbs: int = bounded(24, "Resource blocks, F.", low=1, high=512)
    rate_long_bps: float = bounded(
        3e6, "R_L, target of every user's long-blocklength service; 0 for none; settled.", unit="bit/s", low=0.0
    )
    rate_short_bps: float = bounded(
        512e3, "R_S, target of every user's short-blocklength service; 0 for none; settled.", unit="bit/s", low=0.0
    )
    error_probability: float = bounded(1e-5, "Error probability of decoding the short service.", above=0.0, high=0.49)
    max_power_w: float = bounded(0.19952623149688797, "Power budget of a user, 23 dBm.", unit="W", above=0.0)
    rb_bandwidth_hz: float = bounded(360e3, "Bandwidth of an RB, 12 subcarriers of 30 kHz.", unit="Hz", above=0.0)
    slot_s: float = bounded(0.5e-3, "Slot; an RB has bandwidth times slot channel uses.", unit="s", above=0.0)
    num_antennas: int = bounded(32, "Antennas of the BS, combined by maximum ratio; settled.", low=1, high=1024)
    distance_m: float = bounded(100.0, "From every user to the BS; settled.", unit="m", above=0.0)
    num_paths: int = bounded(10, "Paths of the synthetic channel.", low=1, high=1000)
    max_delay_s: float = bounded(1e-6, "Largest delay of a path, all equally likely; settled.", unit="s", low=0.0)
    max_angle_deg: float = bounded(
        90.0, "Largest angle of arrival off broadside, all equally likely; settled.", unit="deg", low=0.0, high=90.0
    )
    noise_density_dbm_per_hz: float = bounded(-174.0, "Thermal noise.", unit="dBm/Hz", low=-250.0, high=0.0)
    noise_figure_db: float = bounded(5.0, "Noise figure of the BS; settled.", unit="dB", low=0.0, high=60.0)
    interference_margin_db: float = bounded(
        3.0, "Interference of other cells over the noise; settled.", unit="dB", low=0.0, high=60.0
    )
    penetration_db: float = bounded(
        20.0,
        "Loss into buildings; settled. Of the synthetic channel alone: the users of Munich are outdoors.",
        unit="dB",
        low=0.0,
        high=100.0,
    )
    starts: int = bounded(16, "Starts of the method search.", low=1, high=1024)
