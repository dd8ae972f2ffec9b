"""Conversions between decibel and linear power, and thermal noise.

The only module that takes the base-10 logarithm of a power. Linear powers are in watt, gains are power
ratios, frequencies are in hertz. Every function works on Python floats and on arrays, under ``jit``,
``vmap`` and ``grad``.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

__all__ = [
    "BOLTZMANN_J_PER_K",
    "db_to_linear",
    "dbm_to_watt",
    "decades",
    "linear_to_db",
    "thermal_noise_dbm",
    "watt_to_dbm",
]

BOLTZMANN_J_PER_K = 1.380649e-23
"""Boltzmann's constant, J/K (exact in the SI since 2019)."""


def db_to_linear(value_db: ArrayLike) -> Float[Array, "..."]:
    """Power ratio of a level in dB: ``10 ** (value_db / 10)``; -inf dB gives 0."""
    return 10.0 ** (jnp.asarray(value_db, dtype=float) / 10.0)


def linear_to_db(ratio: ArrayLike) -> Float[Array, "..."]:
    """Level in dB of a power ratio: ``10 log10(ratio)``; 0 gives -inf."""
    return 10.0 * jnp.log10(jnp.asarray(ratio, dtype=float))


def decades(ratio: ArrayLike) -> Float[Array, "..."]:
    """Power ratio in decades, tens of dB: ``log10(ratio)``; 0 gives -inf."""
    return jnp.log10(ratio)


def dbm_to_watt(power_dbm: ArrayLike) -> Float[Array, "..."]:
    """Power in W of a level in dBm (dB over one milliwatt)."""
    return db_to_linear(jnp.asarray(power_dbm, dtype=float) - 30.0)


def watt_to_dbm(power_w: ArrayLike) -> Float[Array, "..."]:
    """Level in dBm of a power in W; 0 W gives -inf."""
    return linear_to_db(power_w) + 30.0


def thermal_noise_dbm(
    bandwidth_hz: ArrayLike, noise_figure_db: ArrayLike = 0.0, temperature_k: ArrayLike = 290.0
) -> Float[Array, "..."]:
    """Receiver noise power ``k T B`` in dBm, plus the noise figure: -174 dBm/Hz at 290 K."""
    density_dbm_hz = watt_to_dbm(BOLTZMANN_J_PER_K * 1e20 * temperature_k) - 200.0
    return density_dbm_hz + linear_to_db(bandwidth_hz) + jnp.asarray(noise_figure_db, dtype=float)
