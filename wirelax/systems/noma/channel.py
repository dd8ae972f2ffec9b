"""Synthetic and ray-traced channels of the NOMA system, and the schedules they start with."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wirelax.channels import MunichBsCandidates, rayleigh, sample_munich_bs
from wirelax.solvers.noma_schedule import greedy_schedule, random_schedule
from wirelax.systems.noma.config import NomaConfig
from wirelax.types import Channel
from wirelax.units import dbm_to_watt, thermal_noise_dbm

__all__ = ["sample_channel", "sample_mixed"]

MUNICH_RB = 48
RB_BANDWIDTH_HZ = 360e3
WEIGHT_RANGE = (0.1, 2.0)


def _gain(config: NomaConfig, munich: MunichBsCandidates | None, key: PRNGKeyArray) -> Float[Array, "subchannel user"]:
    if munich is None:
        return rayleigh((config.num_subchannels, config.num_users), key=key)
    gain = sample_munich_bs(munich, config.num_users, config.num_subchannels, key=key)
    bandwidth_hz = MUNICH_RB // config.num_subchannels * RB_BANDWIDTH_HZ
    noise_w = dbm_to_watt(thermal_noise_dbm(bandwidth_hz, config.noise_figure_db))
    return gain * (config.noise_power_w / noise_w)


def sample_channel(config: NomaConfig, munich: MunichBsCandidates | None, *, key: PRNGKeyArray) -> Channel:
    """``gain`` [subchannel, user], ``assignment`` [subchannel, user] and, where asked for, ``weight`` [user]."""
    gain_key, schedule_key, weight_key = jax.random.split(key, 3)
    gain = _gain(config, munich, gain_key)
    quotas = config.max_users_per_subchannel, config.max_subchannels_per_user
    greedy = config.initial_schedule == "greedy"
    assignment = greedy_schedule(gain, *quotas) if greedy else random_schedule(gain, *quotas, key=schedule_key)
    channel = {"gain": gain, "assignment": assignment}
    if config.weights == "random":
        low, high = WEIGHT_RANGE
        channel["weight"] = jax.random.uniform(weight_key, (config.num_users,), minval=low, maxval=high)
    return channel


def sample_mixed(config: NomaConfig, munich: MunichBsCandidates | None, *, key: PRNGKeyArray) -> Channel:
    """A channel whose schedule is anything between random and greedy, as matching algorithms meet them."""
    gain_key, noise_key, mix_key = jax.random.split(key, 3)
    gain = _gain(config, munich, gain_key)
    mix = jax.random.uniform(mix_key)
    score = mix * jnp.log(jnp.maximum(gain, 1e-30)) + (1 - mix) * jax.random.gumbel(noise_key, gain.shape)
    quotas = config.max_users_per_subchannel, config.max_subchannels_per_user
    return {"gain": gain, "assignment": greedy_schedule(jnp.exp(score), *quotas)}
