"""Log-distance path loss, and the 3GPP models that the papers use.

Distances are in km. A distance of zero gives a loss of -inf dB: use 3-D distances, which antenna heights
keep above zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wirelax import units

__all__ = [
    "MACRO_NLOS",
    "MICRO",
    "PATH_LOSS_MODELS",
    "PICO_LOS",
    "PICO_NLOS",
    "PUBLISHED_LOS",
    "PUBLISHED_NLOS",
    "URBAN",
    "PathLossModel",
    "log_distance_path_loss_db",
    "path_gain",
]


def log_distance_path_loss_db(
    distance_km: ArrayLike, intercept_db: ArrayLike, slope_db_per_decade: ArrayLike
) -> Float[Array, "..."]:
    """Path loss ``intercept_db + slope_db_per_decade * log10(distance_km)`` in dB.

    Args:
        distance_km: distances, km, any shape.
        intercept_db: loss at 1 km, dB; broadcasts.
        slope_db_per_decade: loss added by ten times the distance, dB; broadcasts.

    Returns:
        Path loss in dB (positive), broadcast shape.
    """
    decades = jnp.log10(jnp.asarray(distance_km, dtype=float))
    return jnp.asarray(intercept_db, dtype=float) + jnp.asarray(slope_db_per_decade, dtype=float) * decades


@dataclass(frozen=True, kw_only=True)
class PathLossModel:
    """A named log-distance model; call it with distances in km to get the loss in dB.

    Attributes:
        name: key in `PATH_LOSS_MODELS`.
        intercept_db: loss at 1 km, dB.
        slope_db_per_decade: loss added by ten times the distance, dB.
        source: where the numbers come from.
    """

    name: str
    intercept_db: float
    slope_db_per_decade: float
    source: str

    def __call__(self, distance_km: ArrayLike) -> Float[Array, "..."]:
        """Path loss in dB at `distance_km` (km, any shape)."""
        return log_distance_path_loss_db(distance_km, self.intercept_db, self.slope_db_per_decade)


def path_gain(distance_km: ArrayLike, model: PathLossModel) -> Float[Array, "..."]:
    """Linear power gain at `distance_km` (km, any shape) under `model`: -loss, out of dB."""
    return units.db_to_linear(-model(distance_km))


MACRO_NLOS = PathLossModel(
    name="macro-nlos",
    intercept_db=128.1,
    slope_db_per_decade=37.6,
    source="3GPP TR 36.814, annex A.2.1.1.2, macro to UE, 2 GHz",
)
"""Macro BS to user: 128.1 + 37.6 log10(R), R in km."""

MICRO = PathLossModel(
    name="micro",
    intercept_db=140.7,
    slope_db_per_decade=36.7,
    source="3GPP TR 36.814, annex A.2.1.1.2, small cell to UE, model 1, 2 GHz",
)
"""Micro BS to user: 140.7 + 36.7 log10(R), R in km."""

PICO_LOS = PathLossModel(
    name="pico-los",
    intercept_db=103.8,
    slope_db_per_decade=20.9,
    source="3GPP TR 36.814, annex A.2.1.1.2, pico to UE, model 2, line of sight, 2 GHz",
)
"""Pico BS to user in line of sight: 103.8 + 20.9 log10(R), R in km."""

PICO_NLOS = PathLossModel(
    name="pico-nlos",
    intercept_db=145.4,
    slope_db_per_decade=37.5,
    source="3GPP TR 36.814, annex A.2.1.1.2, pico to UE, model 2, no line of sight, 2 GHz",
)
"""Pico BS to user without line of sight: 145.4 + 37.5 log10(R), R in km."""

URBAN = PathLossModel(
    name="urban",
    intercept_db=148.1,
    slope_db_per_decade=37.6,
    source="35.3 + 37.6 log10(d), d in m, brought to km: three decades more, 112.8 dB",
)
"""Urban cell: 35.3 + 37.6 log10(d), d in metres, i.e. 148.1 + 37.6 log10(R) with R in km."""

PUBLISHED_LOS = PathLossModel(
    name="published-los",
    intercept_db=135.78,
    slope_db_per_decade=41.8,
    source="code of Zhang et al. (HBGNN): 10.38 + 20 * 2.09 log10(d), d in m, brought to km",
)
"""Line of sight as in the published code of Zhang et al. (HBGNN), 94.0 dB at 100 m; the constants are for km."""

PUBLISHED_NLOS = PathLossModel(
    name="published-nlos",
    intercept_db=239.54,
    slope_db_per_decade=75.0,
    source="code of Zhang et al. (HBGNN): 14.54 + 20 * 3.75 log10(d), d in m, brought to km",
)
"""No line of sight as in the published code of Zhang et al. (HBGNN), 164.5 dB at 100 m."""

PATH_LOSS_MODELS: Mapping[str, PathLossModel] = MappingProxyType(
    {model.name: model for model in (MACRO_NLOS, MICRO, PICO_LOS, PICO_NLOS, PUBLISHED_LOS, PUBLISHED_NLOS, URBAN)}
)
"""The models above by name, read-only."""
