"""A user's own system, whole: parallel subchannels whose power has a price, with a policy, a comparison, a report."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

import wirelax
from wirelax.kernels import rate
from wirelax.policies import MLP, PolicySpec
from wirelax.systems import ArraySpec, Recipe, Stage, System, bounded, fresh_problems, function_method, train_policy
from wirelax.training import LoopConfig, utility_objective


@dataclass(frozen=True, kw_only=True)
class Config:
    num_subchannels: int = bounded(4, "Subchannels of the link.", low=1)
    noise_w: float = bounded(1e-13, "Noise in a subchannel.", unit="W", above=0.0)
    max_power_w: float = bounded(0.1, "Largest power of a subchannel.", unit="W", above=0.0)
    price_per_w: float = bounded(30.0, "Price of power.", unit="bit/s/Hz/W", above=0.0)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Problem:
    snr: jax.Array  # at full power, [subchannel]
    max_power_w: jax.Array
    price_per_w: jax.Array

    def utility(self, allocation):
        share = allocation["power_w"] / self.max_power_w
        return rate(self.snr * share).sum() - self.price_per_w * allocation["power_w"].sum()

    def violations(self, allocation):
        return {"max_power": allocation["power_w"].max() / self.max_power_w - 1}


def water_filling(problem):
    """The optimum: one water level, set by the price."""
    level_w = 1 / (problem.price_per_w * jnp.log(2))
    return {"power_w": jnp.clip(level_w - problem.max_power_w / problem.snr, 0, problem.max_power_w)}


def max_power(problem):
    """Full power everywhere."""
    return {"power_w": jnp.full_like(problem.snr, problem.max_power_w)}


SPEC = PolicySpec(  # the same few layers for every subchannel, so it serves any number of them
    network=MLP((32, 32), 1),
    features=lambda problem: jnp.log(jnp.maximum(problem.snr, 1e-6))[:, None],
    head=lambda outputs, problem: {"power_w": problem.max_power_w * jax.nn.sigmoid(outputs[:, 0])},
    shared_statistics=True,
)


class PricedLink(System):
    """Power on parallel subchannels at a price per watt."""

    name, config, utility_name, utility_unit = "priced-link", Config(), "net_rate", "bit/s/Hz"
    arrays = (ArraySpec("gain", ("subchannel",), "Linear power gain.", sizes={"subchannel": "num_subchannels"}),)
    methods = {m.name: m for m in map(function_method, (water_filling, max_power))}  # noqa: RUF012

    def sample(self, key):
        return {"gain": 1e-11 * jax.random.exponential(key, (self.config.num_subchannels,))}

    def problem(self, channel):
        power_w, price = self.config.max_power_w, self.config.price_per_w
        return Problem(snr=channel["gain"] / self.config.noise_w * power_w, max_power_w=power_w, price_per_w=price)

    @property
    def recipes(self):
        def stages(preset, seed):
            loop = LoopConfig(steps=200 if preset == "smoke" else 2000, learning_rate=1e-2, seed=seed)
            return [Stage(name="all", objective=utility_objective(SPEC), source=fresh_problems(self, 64), loop=loop)]

        return {"mlp": Recipe(name="mlp", summary="dense layers, no labels", spec=SPEC, stages=stages)}


def train_and_compare(folder, preset="quick", count=1000):
    link = PricedLink()
    policy = train_policy(link, "mlp", directory=f"{folder}/run", preset=preset)
    return wirelax.compare(link, {**link.methods, "mlp": policy}, wirelax.sample(link, count), out=f"{folder}/report")
