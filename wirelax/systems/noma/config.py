"""Configuration of the NOMA system: the constants of paper 2, with units in the names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wirelax.systems.base import bounded

__all__ = ["Head", "NomaConfig"]

Head = Literal["raw", "split", "simplex"]
"""From logits to powers: a softmax split of P_c over pairs as it is, repaired to meet R_min, or a split of what the
least powers leave over, which meets R_min by construction."""


@dataclass(frozen=True, kw_only=True)
class NomaConfig:
    """Constants of paper 2's section V; what it leaves open is settled as noted."""

    scenario: str = bounded("rayleigh", choices=("rayleigh", "munich"))
    """Where sampled channels come from: "rayleigh", |g|^2 of unit-variance complex normals; "munich", ray-traced."""
    num_subchannels: int = bounded(10, low=1, high=512)
    num_users: int = bounded(10, low=1, high=4096)
    noise_power_w: float = bounded(0.1, above=0.0)
    """In a subchannel, for normalised gains; settled."""
    sic_residual: float = bounded(0.05, low=0.0, high=1.0)
    """Share of a cancelled signal that is left (eps); settled."""
    min_rate: float = bounded(0.01, low=0.0)
    """R_min of every scheduled pair in bit/s/Hz."""
    total_power_dbm: float = bounded(43.0, low=-200.0, high=200.0)
    max_users_per_subchannel: int = bounded(3, low=1, high=16)
    max_subchannels_per_user: int = bounded(4, low=1)
    interference_gain: str = bounded("receiver", choices=("receiver", "paper"))
    """Whose gain carries interference: the receiver's own, or as paper 2 prints it the other user's."""
    initial_schedule: str = bounded("random", choices=("random", "greedy"))
    """Schedule that sampled channels bring along. Channels from files without one start from the greedy one."""
    weights: str = bounded("equal", choices=("equal", "random"))
    """Weights of the users' rates in sampled channels: none, or uniform in [0.1, 2]."""
    starts: int = bounded(4, low=1, high=64)
    """Starts of the interior point method."""
    noise_figure_db: float = bounded(7.0, low=0.0, high=60.0)
    """Scenario "munich": gains are scaled so that `noise_power_w` is the thermal noise times this."""
    munich_bs: int = bounded(0, low=0, high=2)
    """Scenario "munich": the serving BS, 0 the macro."""
