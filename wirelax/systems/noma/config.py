"""Configuration of the NOMA system: the constants of the paper, with units in the names."""

from __future__ import annotations

from dataclasses import dataclass

from wirelax.systems.config import bounded

__all__ = ["NomaConfig"]


@dataclass(frozen=True, kw_only=True)
class NomaConfig:
    """Constants of the paper's section V; what it leaves open is settled as noted.

    Gains and noise may be in any common unit: only their ratio counts. The defaults belong to gains around 1; with
    gains in physical units (1e-8 and less) set ``noise_power_w`` to the noise in W.
    """

    scenario: str = bounded(
        "rayleigh",
        'Where sampled channels come from: "rayleigh", |g|^2 of unit-variance complex normals; "munich", ray-traced.',
        choices=("rayleigh", "munich"),
    )
    num_subchannels: int = bounded(10, "Subchannels.", low=1, high=512)
    num_users: int = bounded(10, "Users.", low=1, high=4096)
    noise_power_w: float = bounded(
        0.1, "Noise in a subchannel, in the unit of the gains times W; settled.", unit="W", above=0.0
    )
    sic_residual: float = bounded(0.05, "Share of a cancelled signal that is left (eps); settled.", low=0.0, high=1.0)
    min_rate: float = bounded(0.01, "R_min of every scheduled pair.", unit="bit/s/Hz", low=0.0)
    total_power_dbm: float = bounded(43.0, "Power of the BS, all of it spent.", unit="dBm", low=-200.0, high=200.0)
    max_users_per_subchannel: int = bounded(3, "Users that a subchannel carries at most.", low=1, high=16)
    max_subchannels_per_user: int = bounded(4, "Subchannels that a user sits on at most.", low=1)
    interference_gain: str = bounded(
        "receiver",
        "Whose gain carries interference: the receiver's own, or as the paper prints it the other user's.",
        choices=("receiver", "paper"),
    )
    initial_schedule: str = bounded(
        "random",
        "Schedule that sampled channels bring along. Channels from files without one start from the greedy one.",
        choices=("random", "greedy"),
    )
    weights: str = bounded(
        "equal",
        "Weights of the users' rates in sampled channels: none, or uniform in [0.1, 2].",
        choices=("equal", "random"),
    )
    starts: int = bounded(4, "Starts of the interior point method.", low=1, high=64)
    noise_figure_db: float = bounded(
        7.0,
        'Scenario "munich": gains are scaled so that noise_power_w is the thermal noise times this.',
        unit="dB",
        low=0.0,
        high=60.0,
    )
    munich_bs: int = bounded(0, 'Scenario "munich": the serving BS, 0 the macro.', low=0, high=2)
