"""Small-scale fading: complex amplitudes ``h`` and power gains ``|h|^2`` of unit mean."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Complex, Float, PRNGKeyArray

__all__ = ["complex_normal", "rayleigh", "rician"]


def complex_normal(shape: tuple[int, ...], *, key: PRNGKeyArray) -> Complex[Array, "..."]:
    """Circular complex normal amplitudes of unit variance (1/2 in each part), of the given shape."""
    return jax.random.normal(key, shape, dtype=complex)


def rayleigh(shape: tuple[int, ...], *, key: PRNGKeyArray) -> Float[Array, "..."]:
    """Rayleigh-fading power gains of the given shape: |h|^2 of `complex_normal`, exponential of mean 1.

    Drawn through h because -log(1 - u) of a float32 uniform is exactly 0 once in 2^23 draws and never
    above 16.
    """
    return _power(complex_normal(shape, key=key))


def rician(shape: tuple[int, ...], k_factor: ArrayLike, *, key: PRNGKeyArray) -> Float[Array, "..."]:
    """Rician-fading power gains of unit mean.

    ``|sqrt(K / (K + 1)) + sqrt(1 / (K + 1)) h|^2`` with h circular complex normal.

    Args:
        shape: shape of the result.
        k_factor: K, power of the fixed path over that of the scattered ones, linear, >= 0; broadcasts
            against `shape`. 0 is Rayleigh fading, inf no fading.
        key: random key.

    Returns:
        Power gains of the given shape. At K = 0, where the derivative in K is infinite, it is returned as 0.
    """
    scattered = jnp.broadcast_to(1.0 / (1.0 + jnp.asarray(k_factor, dtype=float)), shape)
    fixed = 1.0 - scattered
    has_fixed = fixed > 0
    offset = jnp.where(has_fixed, jnp.sqrt(jnp.where(has_fixed, fixed, 1.0)), 0.0)
    return _power(offset + jnp.sqrt(scattered) * complex_normal(shape, key=key))


def _power(h: Complex[Array, "..."]) -> Float[Array, "..."]:
    """|h|^2 without the square root of abs, whose gradient at zero is not finite."""
    return jnp.square(h.real) + jnp.square(h.imag)
