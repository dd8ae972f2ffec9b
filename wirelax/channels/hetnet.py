"""A macro cell with micros around it: drops with 3GPP path loss and Rayleigh fading, and their variations."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wirelax.channels.fading import rayleigh
from wirelax.channels.path_loss import MACRO_NLOS, MICRO, path_gain
from wirelax.channels.topology import hexagonal_grid, pairwise_distance, uniform_distance_drop
from wirelax.units import db_to_linear

__all__ = ["hetnet_sites", "sample_hetnet", "vary_path_gain"]


def hetnet_sites(num_micro: int, inter_site_distance_m: Float[ArrayLike, ""]) -> Float[Array, "bs 2"]:
    """The macro at the origin and the micros around it, the first two closing an equilateral triangle; in m.

    Args:
        num_micro: micros (static); up to six on a hexagon, more on a circle.
        inter_site_distance_m: from the macro to each micro.
    """
    with jax.ensure_compile_time_eval():
        ring = np.asarray(hexagonal_grid(1, 1.0))[1:]
    if num_micro > len(ring):
        angle = 2 * np.pi * np.arange(num_micro) / num_micro
        ring = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    order = np.argsort(np.round(np.arctan2(ring[:, 1], ring[:, 0]) % (2 * np.pi), 6))
    sites = np.concatenate([np.zeros((1, 2)), ring[order][:num_micro]])
    return jnp.asarray(inter_site_distance_m) * jnp.asarray(sites)


def sample_hetnet(
    sites_m: Float[Array, "bs 2"],
    users_per_bs: int,
    num_subchannels: int,
    *,
    max_distance_m: Float[ArrayLike, ""],
    height_m: Float[ArrayLike, ""],
    key: PRNGKeyArray,
) -> Float[Array, "subchannel user bs"]:
    """Power gains of one drop: uniform user distances, 3GPP path loss over 3-D distance, Rayleigh fading.

    Args:
        sites_m: of the BSs, the first one with the path loss of a macro, the others with that of micros.
        users_per_bs: users that each BS serves (static).
        num_subchannels: subchannels, which fade independently (static).
        max_distance_m: users are up to this far from their BS.
        height_m: of the BSs above the users.
        key: random key.
    """
    drop_key, fading_key = jax.random.split(key)
    users = uniform_distance_drop(sites_m, users_per_bs, max_distance_m, key=drop_key)
    lift = lambda points, z: jnp.concatenate([points, jnp.full((len(points), 1), z)], axis=-1)  # noqa: E731
    distance_km = pairwise_distance(lift(users, 0.0), lift(sites_m, height_m)) / 1000
    macro, micro = path_gain(distance_km, MACRO_NLOS), path_gain(distance_km, MICRO)
    mean_gain = jnp.where(jnp.arange(len(sites_m)) == 0, macro, micro)
    return mean_gain * rayleigh((num_subchannels, *mean_gain.shape), key=fading_key)


def vary_path_gain(
    gain: Float[Array, "subchannel user bs"], *, key: PRNGKeyArray
) -> Float[Array, "subchannel user bs"]:
    """Domain randomisation: the same network with other path gains and less fading, on half of all draws.

    Every link gets a shadowing of 10 dB, three in ten are blocked by up to 100 dB (served links by up to 40),
    and the fading over subchannels shrinks by a common factor, down to the flat channels of ray tracing.
    A policy trained on these draws carries over to sites that the triangle does not resemble.
    """
    coin, shadow, blocked, depth, flat = jax.random.split(key, 5)
    num_users, num_bs = gain.shape[1:]
    served = jnp.arange(num_users)[:, None] // (num_users // num_bs) == jnp.arange(num_bs)
    loss_db = 10 * jax.random.normal(shadow, served.shape)
    deepest = jnp.where(served, 40.0, 100.0)
    block = jax.random.bernoulli(blocked, 0.3, served.shape)
    loss_db += block * deepest * jax.random.uniform(depth, served.shape)
    log_gain = jnp.log(jnp.maximum(gain, jnp.finfo(gain.dtype).tiny))
    mean = log_gain.mean(0)
    spread = jax.random.uniform(flat) * (log_gain - mean)
    varied = jnp.exp(mean + spread) * db_to_linear(-loss_db)
    return jnp.where(jax.random.bernoulli(coin), varied, gain)
