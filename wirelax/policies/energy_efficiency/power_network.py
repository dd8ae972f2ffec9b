"""Powers of given assignments: closed-form steps that a message-passing network corrects, at any size.

Candidates are the last axis of every array, where a CPU vectorises.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from wirelax.kernels import link_powers
from wirelax.units import decades

__all__ = ["Mix", "PowerNetwork", "nominal_power", "received_powers"]

LOG_POWER_LOW, LOG_POWER_HIGH = -7.5, 0.5
"""Range of the log10 fractions of the budgets between steps; at `SEARCH_BOUNDS.threshold` and below a link is off."""
LOG_NOMINAL, LOG_NOMINAL_LOW, LOG_NOMINAL_HIGH = -0.7, -4.0, -0.5
"""The first powers: a link alone takes about one over its price, 10 ** -0.7 over the network's links."""
TINY = 1e-9
"""Added inside logarithms: prices and leaks below it are nothing."""

received_powers = jax.vmap(jax.vmap(link_powers, in_axes=-1, out_axes=-1))
"""`wirelax.kernels.link_powers` over subchannels, the first axis, and candidates, the last."""


def nominal_power(consumption: Float[Array, " bs"], num_subchannels: int) -> Float[Array, " bs"]:
    """log10 fractions of the budgets that the search and the power network start from."""
    links = float(num_subchannels * consumption.shape[0])
    return jnp.clip(LOG_NOMINAL - consumption - decades(links), LOG_NOMINAL_LOW, LOG_NOMINAL_HIGH)


class Mix(nn.Module):
    """A dense layer over the first axis, the features; every other axis stays where it is.

    Attributes:
        outputs: width.
        bias: whether there is one.
        zero: whether it starts at zero.
    """

    outputs: int
    bias: bool = False
    zero: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "feature ..."]) -> Float[Array, "output ..."]:
        """Outputs on the first axis."""
        start = nn.initializers.zeros if self.zero else nn.initializers.lecun_normal()
        kernel = self.param("kernel", start, (x.shape[0], self.outputs))
        y = jnp.einsum("io,i...->o...", kernel, x)
        if not self.bias:
            return y
        bias = self.param("bias", nn.initializers.zeros, (self.outputs,))
        return y + bias.reshape(-1, *[1] * (y.ndim - 1))


class _Correction(nn.Module):
    """The learned part of a power step: messages between the BSs of a subchannel, means over what is shared.

    Attributes:
        width: of the hidden state.
        messages: width of a message.
    """

    width: int
    messages: int

    @nn.compact
    def __call__(
        self,
        hidden: Float[Array, "width subchannel bs candidate"],
        node: Float[Array, "node subchannel bs candidate"],
        edge: Float[Array, "edge subchannel bs bs candidate"],
    ) -> tuple[Array, Array]:
        """The next hidden state, and what to add to the log10 powers [subchannel, bs, candidate]."""
        x = jnp.concatenate([node, hidden])
        both = Mix(2 * self.messages)(x)
        to, by = both[: self.messages], both[self.messages :]
        message = nn.relu(to[:, :, :, None] + by[:, :, None] + Mix(self.messages, bias=True)(edge))
        own = jnp.eye(node.shape[2], dtype=bool)[..., None]
        loudest = jnp.where(own, 0.0, message).max(3)
        cell = hidden.mean(1)
        shared = Mix(self.width)(cell) + Mix(self.width)(cell.mean(1))[:, None]
        new = nn.relu(Mix(self.width, bias=True)(jnp.concatenate([x, loudest])) + shared[:, None])
        return new, Mix(1, bias=True, zero=True)(new)[0]


class _Step(NamedTuple):
    """One closed-form power step and what it saw, [subchannel, bs, candidate] each."""

    closed: Array
    heard: Array
    leak: Array
    price: Array
    received: Array  # [subchannel, bs, bs, candidate]


def _closed_form(gain: Array, log_power: Array, drawn: Array) -> _Step:
    """log10 of ``alpha / (leak + price)``, without the budgets' multipliers; see the solver's module."""
    power = 10.0**log_power
    own, others = received_powers(gain, power)
    heard = 1.0 + others
    alpha = own / (own + heard)
    _, leak = received_powers(jnp.swapaxes(gain, 1, 2), alpha / heard)
    drawn = drawn[:, None]
    price = drawn * jnp.log1p(own / heard).sum((0, 1)) / (1.0 + (power * drawn).sum((0, 1)))
    closed = decades(alpha + TINY) - decades(leak + price + TINY)
    return _Step(closed, heard, leak, jnp.broadcast_to(price, own.shape), gain * power[:, None])


class PowerNetwork(nn.Module):
    """Powers of assignments: closed-form steps, each corrected by a network that sees what the step sees.

    A closed-form step sets ``p = alpha / (leak + price)`` (Papandriopoulos and Evans, "SCALE", 2009; see
    `wirelax.solvers.energy_efficiency`). Untrained, the network is those steps, so that no power starts at a
    vanishing gradient; trained, a few steps take the path that takes dozens, to better stationary points.

    Attributes:
        width: of the hidden states.
        messages: width of the messages.
        steps: how many.
    """

    width: int = 16
    messages: int = 6
    steps: int = 3

    @nn.compact
    def __call__(
        self,
        log_gain: Float[Array, "subchannel bs bs candidate"],
        consumption: Float[Array, " bs"],
    ) -> Float[Array, "step subchannel bs candidate"]:
        """log10 fractions of the budgets after every step.

        Args:
            log_gain: log10 SNR at full power to the user that each cell serves (second axis) from every BS (third).
            consumption: log10 of the power drawn at full budget over the circuit power.
        """
        gain, drawn = 10.0**log_gain, 10.0**consumption
        own_gain = jnp.where(jnp.eye(log_gain.shape[1], dtype=bool)[..., None], log_gain, 0.0).sum(2)
        start = nominal_power(consumption, len(log_gain))[:, None]
        log = lambda x: decades(x + TINY)  # noqa: E731

        def step(correct: _Correction, state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], Array]:
            hidden, log_power = state
            seen = _closed_form(gain, log_power, drawn)
            node = (
                own_gain,
                log_power,
                log(seen.heard),
                log(seen.leak),
                log(seen.price),
                seen.closed,
            )
            edge = jnp.stack([log_gain, log(1.0 + seen.received)])
            edge = jnp.concatenate([edge, jnp.swapaxes(edge, 2, 3)])
            hidden, correction = correct(hidden, 0.5 * jnp.stack(node), 0.5 * edge)
            log_power = jnp.clip(seen.closed + 2.0 * correction, LOG_POWER_LOW, LOG_POWER_HIGH)
            return (hidden, log_power), log_power

        # A scan with weights of its own for every step: it compiles one step.
        steps = nn.scan(
            step,
            variable_axes={"params": 0},
            split_rngs={"params": True},
            length=self.steps,
        )
        nothing = jnp.zeros((self.width, *own_gain.shape), own_gain.dtype)
        state = (nothing, jnp.broadcast_to(start, own_gain.shape))
        return steps(_Correction(self.width, self.messages), state, None)[1]
