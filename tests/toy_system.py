"""A second, tiny system: everything that the `System` protocol asks for, and nothing more."""

from dataclasses import dataclass
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np

from wirelax.channels import rayleigh
from wirelax.kernels import link_sinr, rate
from wirelax.systems import ArraySpec, Method, bounded, override_config
from wirelax.types import Solution, Status
from wirelax.units import linear_to_db


@dataclass(frozen=True, kw_only=True)
class PricedLinkConfig:
    num_subchannels: int = bounded(4, low=1)
    mean_gain: float = bounded(1e-11, above=0.0)
    noise_w: float = bounded(1e-13, above=0.0)
    max_power_w: float = bounded(0.1, above=0.0)
    price_per_w: float = bounded(30.0, above=0.0)


class PricedLink:
    """One link over parallel subchannels: sum_k log2(1 + SNR_k) - price * p_k, every p_k in [0, max_power_w]."""

    name = "priced-link"
    summary = "power on parallel subchannels at a price per watt"
    utility_name, utility_unit = "net_rate", "bit/s/Hz"
    arrays = (ArraySpec("gain", ("subchannel",)),)
    recipes = MappingProxyType({})

    def __init__(self, config=None, **overrides):
        self.config = override_config(config or PricedLinkConfig(), overrides)

    def sample(self, key):
        return {"gain": self.config.mean_gain * rayleigh((self.config.num_subchannels,), key=key)}

    def fit(self, channels):
        return PricedLink(self.config, num_subchannels=np.shape(channels["gain"])[-1])

    def features(self, channel):
        return linear_to_db(jnp.maximum(channel["gain"] / self.config.noise_w, 1e-4)) / 10

    def decode(self, outputs, channel):
        return {"power_w": self.config.max_power_w * jax.nn.sigmoid(outputs)}

    def _price(self, channel):
        return channel.get("price_per_w", self.config.price_per_w)

    def sum_rate(self, allocation, channel):
        sinr = link_sinr(jnp.diag(channel["gain"]), allocation["power_w"], self.config.noise_w)
        return rate(sinr).sum()

    def utility(self, allocation, channel):
        return self.sum_rate(allocation, channel) - self._price(channel) * allocation["power_w"].sum()

    def violations(self, allocation, channel):
        return {"max_power": allocation["power_w"].max() / self.config.max_power_w - 1}

    def metrics(self, allocation, channel):
        return {"net_rate": self.utility(allocation, channel), "sum_rate": self.sum_rate(allocation, channel)}

    def table_columns(self, utility, best, arrays):
        return {"net_rate_p5": float(np.percentile(utility, 5))}

    def reproduction(self, preset):
        raise ValueError(f"{self.name} comes from no paper, so there is nothing to reproduce")

    def _water_filling(self, state, channel, key):
        level_w = 1 / (self._price(channel) * jnp.log(2))
        return self._solution(
            jnp.clip(level_w - self.config.noise_w / channel["gain"], 0, self.config.max_power_w), channel
        )

    def _max_power(self, state, channel, key):
        return self._solution(jnp.full_like(channel["gain"], self.config.max_power_w), channel)

    def _solution(self, power_w, channel):
        allocation, zero = {"power_w": power_w}, jnp.zeros((), jnp.int32)
        utility = self.utility(allocation, channel)
        return Solution(allocation=allocation, utility=utility, iterations=zero, status=zero + Status.CONVERGED)

    @property
    def methods(self):
        found = (
            Method("water-filling", "the optimum: one water level, set by the price", self._water_filling),
            Method("max-power", "full power everywhere", self._max_power),
        )
        return {method.name: method for method in found}
