"""Rates at finite blocklength: the normal approximation for the complex AWGN channel.

Source: Polyanskiy, Poor and Verdu, "Channel coding rate in the finite blocklength regime", IEEE Trans. Inf.
Theory 56 (2010), and eqs. (1)-(2) of the uplink QoS paper.
"""

from __future__ import annotations

import math
from typing import Literal

import jax.numpy as jnp
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, ArrayLike, Bool, Float, Num

from wirelax.kernels._numerics import safe_sqrt

__all__ = [
    "channel_dispersion",
    "decoding_error_probability",
    "finite_blocklength_rate",
    "inverse_q",
    "parallel_blocklength_rate",
]

Dispersion = Literal["exact", "one"]
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
    dispersion: Dispersion = "exact",
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
    snr = jnp.asarray(snr)
    penalty = safe_sqrt(_variance(snr, dispersion) / channel_uses) * inverse_q(error_probability)
    return (jnp.log1p(snr) - penalty) / math.log(2)


def parallel_blocklength_rate(
    snr: Float[ArrayLike, "*batch channel"],
    used: Bool[ArrayLike, "*batch channel"],
    channel_uses: Num[ArrayLike, ""],
    error_probability: Float[ArrayLike, ""],
    dispersion: Dispersion = "exact",
) -> Float[Array, "*batch"]:
    """Rate of one code over parallel channels, ``(sum C - sqrt(sum V / n) Q^-1(error)) / ln 2``.

    The sums are over the channels used, C = ln(1 + snr): Yin et al. (2025), eq. (1), over the bandwidth of a channel.

    Args:
        snr: linear SNR of every channel, at least 0.
        used: the channels that carry the code; with "one", each counts by V = 1 whatever its SNR.
        channel_uses: of one channel, above 0.
        error_probability: decoding error probability, in (0, 1).
        dispersion: see `finite_blocklength_rate`.

    Returns:
        Rate, bit per channel use of one channel (bit/s/Hz); 0 of no channel, negative where the SNRs are too low.
    """
    snr, used = jnp.asarray(snr), jnp.asarray(used)
    variance = jnp.where(used, _variance(snr, dispersion), 0.0).sum(-1)
    penalty = safe_sqrt(variance / channel_uses) * inverse_q(error_probability)
    return (jnp.where(used, jnp.log1p(snr), 0.0).sum(-1) - penalty) / math.log(2)


def decoding_error_probability(
    snr: Float[ArrayLike, "*batch channel"],
    used: Bool[ArrayLike, "*batch channel"],
    channel_uses: Num[ArrayLike, ""],
    rate: Float[ArrayLike, "*#batch"],
) -> Float[Array, "*batch"]:
    """Error probability at which parallel channels carry a rate, with the exact dispersion.

    `parallel_blocklength_rate` solved for its error: ``Q((sum C - rate ln 2) sqrt(n / sum V))``.

    Args:
        snr: linear SNR of every channel, at least 0.
        used: the channels that carry the code.
        channel_uses: of one channel, above 0.
        rate: carried, bit per channel use of one channel; one for all or one of each.

    Returns:
        Probability, the batch shape; 1 where nothing can carry a positive rate, 0 where nothing need be
        carried.
    """
    snr, used = jnp.asarray(snr), jnp.asarray(used)
    need = jnp.asarray(rate) * math.log(2)
    spare = jnp.where(used, jnp.log1p(snr), 0.0).sum(-1) - need
    deviation = safe_sqrt(jnp.where(used, channel_dispersion(snr), 0.0).sum(-1) / channel_uses)
    active = deviation > 0
    error = ndtr(-spare / jnp.where(active, deviation, 1.0))
    return jnp.where(need > 0, jnp.where(active, error, 1.0), 0.0)


def _variance(snr: Array, dispersion: Dispersion) -> Array:
    if dispersion not in _DISPERSIONS:
        raise ValueError(f"dispersion is {dispersion!r}, wanted one of {', '.join(map(repr, _DISPERSIONS))}")
    return channel_dispersion(snr) if dispersion == "exact" else jnp.ones_like(snr)
