"""Rates at finite blocklength: the normal approximation for the complex AWGN channel.

Source: Polyanskiy, Poor and Verdu, "Channel coding rate in the finite blocklength regime", IEEE Trans. Inf.
Theory 56 (2010), and eqs. (1)-(2) of the uplink QoS paper.
"""

from __future__ import annotations

import math
from typing import Literal

import jax.numpy as jnp
from jax.scipy.special import ndtri
from jaxtyping import Array, ArrayLike, Float, Num

from wirelax.kernels._numerics import safe_sqrt

__all__ = ["channel_dispersion", "finite_blocklength_rate", "inverse_q"]

_DISPERSIONS = ("exact", "one")


def inverse_q(probability: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
    """Inverse of the Gaussian tail probability Q: the x with ``P(normal > x) = probability``.

    Args:
        probability: tail probability in (0, 1), any shape.

    Returns:
        ``Q^-1(probability)``, the shape of `probability`; 4.26489 at 1e-5. Computed as ``-ndtri(p)``:
        ``ndtri(1 - p)`` is already wrong in the fourth digit there in float32, and infinite at 1e-9.
    """
    return -ndtri(jnp.asarray(probability))


def channel_dispersion(snr: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
    """Dispersion of the complex AWGN channel, ``V = 1 - (1 + snr)^-2``, in nat^2 per channel use.

    Args:
        snr: linear SNR, any shape, at least 0.

    Returns:
        ``V`` in [0, 1], the shape of `snr`, as ``snr (2 + snr) / (1 + snr)^2``: no cancellation at a low SNR
        and, in two factors, no overflow at a high one.
    """
    snr = jnp.asarray(snr)
    return snr / (1 + snr) * ((2 + snr) / (1 + snr))


def finite_blocklength_rate(
    snr: Float[ArrayLike, "..."],
    channel_uses: Num[ArrayLike, "..."],
    error_probability: Float[ArrayLike, "..."],
    dispersion: Literal["exact", "one"] = "exact",
) -> Float[Array, "..."]:
    """Rate of a code of finite length, ``log2(1 + snr) - sqrt(V / n) Q^-1(error) / ln 2``.

    Args:
        snr: linear SNR, any shape, at least 0.
        channel_uses: blocklength n in complex channel uses, above 0.
        error_probability: decoding error probability, in (0, 1).
        dispersion: "exact" for `channel_dispersion`; "one" for its upper bound V = 1, the conservative rate
            of the uplink QoS paper.

    Returns:
        Rate, bit per channel use (bit/s/Hz), the broadcast shape of the arguments. It is negative where the
        SNR is too low for so short a block: nothing is clipped. The slope of the exact form goes to minus
        infinity as the SNR goes to 0; at exactly 0 the gradient of the penalty is taken as 0.

    Raises:
        ValueError: `dispersion` is neither "exact" nor "one".
    """
    if dispersion not in _DISPERSIONS:
        raise ValueError(f"dispersion is {dispersion!r}, wanted one of {', '.join(map(repr, _DISPERSIONS))}")
    snr = jnp.asarray(snr)
    variance = channel_dispersion(snr) if dispersion == "exact" else jnp.ones_like(snr)
    penalty = safe_sqrt(variance / channel_uses) * inverse_q(error_probability)
    return (jnp.log1p(snr) - penalty) / math.log(2)
