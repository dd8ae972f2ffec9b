"""A problem with a closed-form answer, its policies, and checkpoints in memory."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array

from wirelax.policies import MLP, PolicySpec


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class PricedChannels:
    """sum_k ln(1 + gain_k p_k) - price * sum_k p_k, subject to sum_k p_k <= budget."""

    gain: Array
    price: Array
    budget: Array

    def utility(self, allocation):
        power = allocation["power"]
        return jnp.log1p(self.gain * power).sum() - self.price * power.sum()

    def violations(self, allocation):
        return {"budget": allocation["power"].sum() / self.budget - 1}


def priced(gain, price=0.5, budget=100.0):
    return PricedChannels(gain=jnp.asarray(gain, float), price=jnp.asarray(price), budget=jnp.asarray(budget))


def optimum(gain, price, budget):
    """Powers and multiplier of ``sum(p) / budget - 1 <= 0``, by bisection of the water level in float64."""
    gain = np.asarray(gain, np.float64)
    low, high = 0.0, 1e6
    for _ in range(200):
        extra = (low + high) / 2
        spent = sum(max(1 / (price + extra) - 1 / g, 0.0) for g in gain)
        low, high = (extra, high) if spent > budget else (low, extra)
    return np.array([max(1 / (price + high) - 1 / g, 0.0) for g in gain]), high * budget


def gains_of(problem):
    return jnp.log(problem.gain)


def positive_power(outputs, problem):
    return {"power": jax.nn.softplus(outputs)}


class Table(nn.Module):
    """Outputs that are parameters themselves, whatever the features: the optimum is within reach."""

    @nn.compact
    def __call__(self, features):
        return self.param("outputs", nn.initializers.zeros, features.shape)


class Normalised(nn.Module):
    """A dense layer after a batch normalisation, which learns its statistics beside the weights."""

    training: bool = False

    @nn.compact
    def __call__(self, features):
        norm = nn.BatchNorm(use_running_average=not self.training, momentum=0.5, axis_name="batch")
        return nn.Dense(features.shape[-1])(norm(features))


TABLE = PolicySpec(Table(), gains_of, positive_power)
DENSE = PolicySpec(MLP((16,), 2), gains_of, positive_power)


def random_problem(data, key):
    """Two gains around those of the data; price and budget as there."""
    spread = jnp.exp(jax.random.normal(key, data.gain.shape))
    return PricedChannels(gain=data.gain * spread, price=data.price, budget=data.budget)


def batch_of(*problems):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *problems)


def row_of(batch, index):
    return jax.tree.map(lambda leaf: leaf[index], batch)


class Kept:
    """Checkpoints in memory."""

    def __init__(self):
        self.states, self.closed = {}, 0

    def restore(self, like):
        if not self.states:
            return like
        found = self.states[max(self.states)]
        assert jax.tree.structure(found) == jax.tree.structure(like)
        return found

    def save(self, step, state):
        self.states[step] = jax.device_get(state)

    def close(self):
        self.closed += 1


class Lines:
    """A log in memory."""

    def __init__(self):
        self.lines = {}

    def write(self, step, metrics):
        self.lines[step] = dict(metrics)
