"""Signal to interference and noise ratios of one network.

Interference is always a sum over the *other* transmitters. Total minus own loses every digit in float32 once
the own signal is 70 dB above the interference.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wirelax.kernels._numerics import exclusive_sums
from wirelax.kernels._shapes import check_network

__all__ = ["all_pairs_sinr", "interference", "link_powers", "link_sinr"]

PRODUCT_FROM, PRODUCT_TO = 8, 256
"""Transmitters of which interference is a matrix product (measured on a CPU)."""


def interference(received: Float[Array, "*batch rx tx"]) -> Float[Array, "*batch rx tx"]:
    """Received power from all transmitters but one, for every receiver and every one left out.

    Without a subtraction: a product with ones everywhere but on the diagonal, which takes a fourth of the time
    of two running sums where there are a hundred transmitters; or, of a few or very many, the sum of those before
    added to the sum of those after, in time linear in their number.

    Args:
        received: power at receiver rx from transmitter tx, [..., rx, tx], any linear unit.

    Returns:
        ``out[..., rx, tx] = sum of received[..., rx, j] over j != tx``, [..., rx, tx], in the unit of
        `received`: the term I of Xu et al. (2019), eq. (3).
    """
    count = received.shape[-1]
    if PRODUCT_FROM <= count <= PRODUCT_TO:
        others = 1 - jnp.eye(count, dtype=received.dtype)
        return jnp.matmul(received, others, precision=jax.lax.Precision.HIGHEST)
    before, after = exclusive_sums(received)
    return before + after


def all_pairs_sinr(
    gain: Float[Array, "rx tx"],
    power: Float[Array, " tx"],
    noise: Float[ArrayLike, ""] | Float[Array, " rx"],
) -> Float[Array, "rx tx"]:
    """SINR of every receiver under every transmitter that could serve it, all the others interfering.

    Args:
        gain: linear power gain from transmitter tx to receiver rx, [rx, tx]; 0 where unreachable.
        power: transmit power, [tx], W (or the unit of `noise`).
        noise: noise power, scalar or [rx], W; 1 if `gain` is already noise-normalised. It may be 0 where
            some interference is left.

    Returns:
        SINR, linear, [rx, tx]: ``gain[r, t] power[t] / (noise[r] + sum_{j != t} gain[r, j] power[j])``.

    Raises:
        ValueError: a shape does not fit one network (a batch needs ``jax.vmap``).

    The argument of the logarithm in Xu et al. (2019), eq. (3), less the "1 +" that is
    missing there in print and that `wirelax.kernels.rate` adds.
    """
    check_network(gain, power, noise, square=False)
    received, noise = _noise_normalised(gain, power, noise)
    return received / (noise + interference(received))


def link_sinr(
    gain: Float[Array, "link link"],
    power: Float[Array, " link"],
    noise: Float[ArrayLike, ""] | Float[Array, " link"],
) -> Float[Array, " link"]:
    """SINR of links that share one channel, link i going from transmitter i to receiver i.

    Args:
        gain: linear power gain from transmitter tx to receiver rx, [rx, tx], as many of each.
        power: transmit power, [link], W (or the unit of `noise`).
        noise: noise power, scalar or [link], W; 1 if `gain` is already noise-normalised. It may be 0 where
            some interference is left.

    Returns:
        SINR, linear, [link]: ``gain[i, i] power[i] / (noise[i] + sum_{j != i} gain[i, j] power[j])``, the
        diagonal of `all_pairs_sinr`.

    Raises:
        ValueError: a shape does not fit one network (a batch needs ``jax.vmap``).
    """
    check_network(gain, power, noise, square=True)
    received, noise = _noise_normalised(gain, power, noise)
    own, others = _split(received)
    return own / (noise[:, 0] + others)


def link_powers(
    gain: Float[Array, "link link"], power: Float[Array, " link"]
) -> tuple[Float[Array, " link"], Float[Array, " link"]]:
    """Signal and interference of links that share one channel, link i going from transmitter i to receiver i.

    Args:
        gain: linear power gain from transmitter tx to receiver rx, [rx, tx], as many of each.
        power: transmit power, [link], any linear unit.

    Returns:
        ``gain[i, i] power[i]`` and ``sum_{j != i} gain[i, j] power[j]``, both [link], in the unit of gain
        times power: numerator and, less the noise, denominator of `link_sinr`.

    Raises:
        ValueError: a shape does not fit one network (a batch needs ``jax.vmap``).
    """
    check_network(gain, power, 1.0, square=True)
    return _split(gain * power)


def _split(received: Array) -> tuple[Array, Array]:
    """Diagonal and off-diagonal row sums, by masks: they vectorise over a batch, gathers do not."""
    own = jnp.eye(received.shape[0], dtype=bool)
    return jnp.sum(jnp.where(own, received, 0), axis=-1), jnp.sum(jnp.where(own, 0, received), axis=-1)


def _noise_normalised(gain: Array, power: Array, noise: ArrayLike) -> tuple[Array, Array]:
    """Received power [rx, tx] and noise [rx, 1] over the noise, so that neither underflows in float32.

    The divisor is a constant for the derivatives: it cancels in every SINR, and differentiating through it
    would square noise powers of 1e-16 W and below.
    """
    gain, power = jnp.asarray(gain), jnp.asarray(power)
    noise = jnp.broadcast_to(jnp.asarray(noise, dtype=jnp.result_type(gain, noise)), gain.shape[:1])[:, None]
    reference = jax.lax.stop_gradient(jnp.where(noise > 0, noise, 1))
    return gain / reference * power, noise / reference
