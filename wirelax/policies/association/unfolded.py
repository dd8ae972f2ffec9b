"""The unfolded network: rounds of one learned update that sees rates, loads, prices and harms at its last decision."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, PRNGKeyArray

from wirelax.policies.association.features import LinkFeatures, edge_inputs
from wirelax.policies.association.heads import MOST_POWER_LOGIT, declare_temperature
from wirelax.policies.association.physics import Outlook, outlook

__all__ = ["START_CHANNELS", "UnfoldedNetwork", "random_start"]

START_CHANNELS = 2
"""Random numbers of a BS that a start has: one moves its first power, all are seen in every round."""
FURTHEST = 10.0
"""How far behind its UE's largest a logit is seen."""
SHARPNESS = 3.0
"""Of the softmax over what links would gain, by which nodes look at each other."""


class _State(NamedTuple):
    """What one round hands to the next: logits, power logits, states of UEs and BSs."""

    logits: Float[Array, "ue bs"]
    power: Float[Array, " bs"]
    ue: Float[Array, "ue width"]
    bs: Float[Array, "bs width"]


def random_start(num_bss: int, *, key: PRNGKeyArray) -> Float[Array, "bs channel"]:
    """A start of the network, standard normal; rows belong to BSs."""
    return jax.random.normal(key, (num_bss, START_CHANNELS))


class _Round(nn.Module):
    """One round, the same numbers in all of them."""

    width: int
    hidden: int
    edge: int
    fair: bool
    training: bool

    @nn.compact
    def __call__(
        self, state: _State, links: LinkFeatures, fixed: tuple[Array, ...], start: Array
    ) -> tuple[_State, tuple[Array, Array]]:
        reach = links["reach"]
        masked = jnp.where(reach, state.logits, -jnp.inf)
        power = jnp.clip(state.power, -MOST_POWER_LOGIT, MOST_POWER_LOGIT)
        seen = jax.lax.stop_gradient(outlook(links, jnp.argmax(masked, -1), jax.nn.sigmoid(power), fair=self.fair))
        to_ue, to_bs = _looks(seen, reach)
        ue_in = jnp.concatenate([seen.ue, state.ue, *(look @ state.bs for look in to_ue)], -1)
        bs_in = [seen.bs, power[:, None] / 4, start, state.bs, *(look.T @ state.ue for look in to_bs)]
        ue, bs = self._node("ue", state.ue, ue_in), self._node("bs", state.bs, jnp.concatenate(bs_in, -1))
        matrices = (*fixed, *seen.links)
        by_ue, by_bs = (nn.Dense(len(matrices) + 1, name=f"{name}_links")(x) for name, x in (("ue", ue), ("bs", bs)))
        change = sum((by_ue[:, None, n] + by_bs[:, n]) * matrix for n, matrix in enumerate(matrices))
        change = change + nn.Dense(self.width, name="match")(ue) @ bs.T / self.width
        change = change + self._by_link((*matrices, _behind(masked)), ue, bs)
        keep = nn.sigmoid(by_bs[:, -1] + 2.0)
        turn = nn.Dense(2, name="turn")(nn.relu(nn.Dense(self.hidden, name="turn_in")(bs)))
        power = power + nn.sigmoid(turn[:, 0]) * (seen.proposal - power) + turn[:, 1]
        power = jnp.clip(power, -MOST_POWER_LOGIT, MOST_POWER_LOGIT)
        new = _State(keep * state.logits + change, power, ue, bs)
        return new, (new.logits, new.power)

    def _by_link(self, matrices: tuple[Array, ...], ue: Array, bs: Array) -> Array:
        """Change of the logits by a hidden layer of every link.

        Written out, unit by unit, it becomes one pass over the links that keeps nothing; for a gradient, which would be
        as many passes again, the layer is a product of matrices.
        """
        of_link, of_ue, of_bs = (nn.Dense(self.edge, name=f"link_{name}") for name in ("in", "ue", "bs"))
        last, by_ue, by_bs = nn.Dense(1, name="link_out"), of_ue(ue), of_bs(bs)
        if self.training or self.is_initializing():
            return last(nn.relu(of_link(jnp.stack(matrices, -1)) + by_ue[:, None] + by_bs))[..., 0]
        weights = of_link.variables["params"], last.variables["params"]
        (first, shift), (second, change) = ((layer["kernel"], layer["bias"]) for layer in weights)
        for unit in range(self.edge):
            hidden = by_ue[:, None, unit] + (by_bs[:, unit] + shift[unit])
            hidden = hidden + sum(first[n, unit] * matrix for n, matrix in enumerate(matrices))
            change = change + second[unit] * nn.relu(hidden)
        return change

    def _node(self, name: str, old: Array, seen: Array) -> Array:
        inner = nn.relu(nn.Dense(self.hidden, name=f"{name}_in")(seen))
        return nn.LayerNorm(name=f"{name}_norm")(old + nn.Dense(self.width, name=f"{name}_out")(inner))


def _behind(masked: Array) -> Array:
    """How far the logits of a UE are behind its largest, bounded; 0 without a link."""
    top = jnp.where(jnp.isfinite(masked), masked, -1e9).max(-1, keepdims=True)
    return jnp.where(jnp.isfinite(masked), jnp.maximum(masked - top, -FURTHEST), 0.0) / 2


def _looks(seen: Outlook, reach: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Weights [ue, bs] with which UEs look at BSs and BSs at UEs, 0 without a link: served, most wanted, harmed."""
    served = seen.mask / jnp.maximum(seen.mask.sum(0), 1)
    appeal = jnp.where(reach, jnp.exp(SHARPNESS * jnp.clip(seen.takeover, -10.0, 10.0)), 0.0)
    wanted_by_ue = appeal / jnp.maximum(appeal.sum(1, keepdims=True), 1e-30)
    wanted_by_bs = appeal / jnp.maximum(appeal.sum(0), 1e-30)
    harmed = seen.harm / (1 + seen.harm.sum(0))
    return (seen.mask.astype(appeal.dtype), wanted_by_ue, seen.part), (served, wanted_by_bs, harmed)


class UnfoldedNetwork(nn.Module):
    """Rounds of a learned update of logits and powers for any numbers of UEs and BSs.

    Every round decides, looks at what the kernels say of the decision (`outlook`, a constant for the gradient), and
    changes the logits of all links and the powers, which it also moves towards their first-order condition as far as a
    learned gate says. UEs and BSs have states and look at each other with weights that the physics gives; a link has
    its logit alone, which changes by what the physics says of the link and the states at its ends say of themselves,
    so that a round takes about the time of a few dozen updates of the powers. The rounds share their numbers, so that
    there may be more of them than in training. Permuting UEs, or BSs of one tier, permutes the outputs.

    Attributes:
        rounds: how many.
        width: of the states of nodes.
        hidden: of the hidden layers of nodes.
        edge: of the hidden layer of links.
        fair: whether the utility is proportionally fair.
        training: whether a start that is not given is drawn; else it is 0.
    """

    rounds: int = 8
    width: int = 16
    hidden: int = 32
    edge: int = 16
    fair: bool = False
    training: bool = False

    @nn.compact
    def __call__(self, features: LinkFeatures, start: Float[Array, "bs channel"] | None = None) -> dict[str, Any]:
        """Outputs for an `AssociationHead`: those of the last round, and of all of them as "rounds".

        Args:
            features: of `link_features`.
            start: random numbers of every BS, see `random_start`.
        """
        declare_temperature(self)
        ues, bss = features["snr"].shape
        if start is None:
            drawn = self.training and self.has_rng("dropout")
            start = random_start(bss, key=self.make_rng("dropout")) if drawn else jnp.zeros((bss, START_CHANNELS))
        inputs = edge_inputs(features)
        fixed = tuple(inputs[..., n] for n in range(3))
        state = _State(
            2 * inputs[..., 3],
            start[:, 0] * self.param("spread", nn.initializers.ones, ()),
            jnp.zeros((ues, self.width)),
            jnp.zeros((bss, self.width)),
        )
        scan = nn.scan(
            _Round,
            variable_broadcast="params",
            split_rngs={"params": False},
            in_axes=(nn.broadcast, nn.broadcast, nn.broadcast),
            length=self.rounds,
        )
        last, (logits, power) = scan(self.width, self.hidden, self.edge, self.fair, self.training, name="round")(
            state, features, fixed, start
        )
        return {"logits": last.logits, "power": last.power, "rounds": {"logits": logits, "power": power}}
