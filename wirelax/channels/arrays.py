"""Antenna arrays and the Saleh-Valenzuela multipath channel."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Complex, Float, PRNGKeyArray

from wirelax.channels.fading import complex_normal

__all__ = ["mrc_gain", "saleh_valenzuela", "ula_response"]


def ula_response(
    angle_rad: ArrayLike, num_antennas: int, spacing_wavelengths: float = 0.5
) -> Complex[Array, "... antennas"]:
    """Response of a uniform linear array: ``exp(j 2 pi spacing n sin(angle))``, n = 0 .. antennas - 1.

    Args:
        angle_rad: angle of arrival from broadside, rad, any shape.
        num_antennas: antennas (static).
        spacing_wavelengths: distance between antennas over the wavelength.

    Returns:
        Unit-modulus responses [..., antennas].

    Raises:
        ValueError: `num_antennas` is below 1.
    """
    if num_antennas < 1:
        raise ValueError(f"num_antennas must be at least 1, got {num_antennas}")
    step = 2.0 * math.pi * spacing_wavelengths * jnp.sin(jnp.asarray(angle_rad, dtype=float))
    return jnp.exp(1j * step[..., None] * jnp.arange(num_antennas))


def saleh_valenzuela(
    rb_offset_hz: Float[Array, "rb"],
    num_antennas: int,
    num_paths: int,
    max_delay_s: ArrayLike,
    max_angle_rad: ArrayLike,
    *,
    key: PRNGKeyArray,
) -> Complex[Array, "rb antennas"]:
    """One multipath channel at a half-wavelength array, constant within each RB.

    ``h_f = sum_i c_i exp(-j 2 pi f tau_i) a(phi_i) / sqrt(paths)`` with c_i circular complex normal of unit
    variance, tau_i uniform in [0, max_delay_s], phi_i uniform in [-max_angle_rad, max_angle_rad] and a the
    `ula_response`; so E|h|^2 = 1 at every antenna and RB. The channel of the `uplink-qos` system (Saleh and
    Valenzuela, 1987, with uniform delays and angles).

    Args:
        rb_offset_hz: frequency of every RB centre relative to the carrier [rb], Hz.
        num_antennas: receive antennas (static).
        num_paths: paths (static).
        max_delay_s: largest delay, s.
        max_angle_rad: largest angle of arrival, rad.
        key: random key.

    Returns:
        Amplitudes [rb, antennas].

    Raises:
        ValueError: `num_antennas` or `num_paths` is below 1.
    """
    if num_paths < 1:
        raise ValueError(f"num_paths must be at least 1, got {num_paths}")
    gain_key, delay_key, angle_key = jax.random.split(key, 3)
    c = complex_normal((num_paths,), key=gain_key)
    delay_s = jnp.asarray(max_delay_s) * jax.random.uniform(delay_key, (num_paths,), dtype=float)
    share = jax.random.uniform(angle_key, (num_paths,), dtype=float, minval=-1.0)
    response = ula_response(jnp.asarray(max_angle_rad) * share, num_antennas)
    phase = jnp.exp(-2j * math.pi * rb_offset_hz[:, None] * delay_s)
    # Full precision also where matrix products default to less (TensorFloat-32 on GPUs).
    return jnp.matmul(phase * c, response, precision="highest") / math.sqrt(num_paths)


def mrc_gain(h: Complex[Array, "*batch antennas"]) -> Float[Array, "*batch"]:
    """Power gain after maximum ratio combining: the sum of |h|^2 over the antennas, the last axis."""
    return jnp.sum(jnp.square(h.real) + jnp.square(h.imag), axis=-1)
