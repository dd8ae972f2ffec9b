"""What the rounds of the unfolded network see of the network at its association and powers of the moment."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from wirelax.kernels import rate
from wirelax.policies.association.features import LinkFeatures

__all__ = ["Outlook", "outlook"]

RATE_UNIT = 5.0
"""bit/s/Hz, in which rates are measured: inputs are of order 1."""
MOST_SHARE = 0.999
"""Of the interference at a UE, that one BS is credited with."""
SMALLEST = 1e-9
POWERS = (1e-6, 0.9975)
"""Bounds of proposed powers."""
FIRST_SLOPE = 0.2
"""What a BS alone with one UE gains by a unit of the logarithm of its power, in units of values."""
NO_LINK = -10.0
"""Value of a link that there is not."""


class Outlook(NamedTuple):
    """What one decision looks like. Values are of the utility, in units of order 1.

    Attributes:
        links: matrices [ue, bs] by which logits may change, 0 where there is no link.
        ue: numbers of every UE [ue, input].
        bs: numbers of every BS [bs, input].
        mask: which BS serves which UE [ue, bs].
        takeover: what a UE would gain with a BS at full power [ue, bs].
        harm: what a BS at full power would take from UEs of others [ue, bs].
        part: share of the interference at a UE that comes from a BS [ue, bs].
        proposal: logits of the powers that meet the first-order condition with the others as they are [bs].
    """

    links: tuple[Float[Array, "ue bs"], ...]
    ue: Float[Array, "ue input"]
    bs: Float[Array, "bs input"]
    mask: Bool[Array, "ue bs"]
    takeover: Float[Array, "ue bs"]
    harm: Float[Array, "ue bs"]
    part: Float[Array, "ue bs"]
    proposal: Float[Array, " bs"]


def _value(rates: Array, floor: Array | None) -> Array:
    """What a rate counts in the utility."""
    return rates / RATE_UNIT if floor is None else jnp.log(rates + floor) / 2


def _slope(rates: Array, floor: Array | None) -> Array:
    return jnp.full_like(rates, 1 / RATE_UNIT) if floor is None else 1 / (rates + floor) / 2


def _of_own(mask: Array, values: Array) -> Array:
    return jnp.where(mask, values, 0.0).sum(-1)


def _others(received: Array) -> Array:
    """Noise and interference [ue, bs] where each BS serves: the sum of all less the own, if that is not the strongest.

    What is left then is at least half of all, so that the difference is good to rounding; the strongest's is summed.
    """
    strongest = jnp.argmax(received, -1)[:, None] == jnp.arange(received.shape[1])
    rest = 1 + jnp.where(strongest, 0.0, received).sum(-1, keepdims=True)
    top = jnp.where(strongest, received, 0.0).sum(-1, keepdims=True)
    return jnp.where(strongest, rest, rest + top - received)


def outlook(
    features: LinkFeatures, association: Int[Array, " ue"], power: Float[Array, " bs"], *, fair: bool
) -> Outlook:
    """Rates and marginal values of all links, BSs and UEs at a hard association.

    Empty BSs are silent, and what they would do if they were not is seen as well: the rate of a link at full power,
    what it adds for the UE and takes from the others of the BS, and what full power would cost all others (exactly,
    not to first order: a BS next to a served UE costs more than its slope says).

    Args:
        features: the links.
        association: the BS of every UE; of no meaning for one that none reaches.
        power: shares of the budgets.
        fair: whether the utility is proportionally fair (static).
    """
    snr, reach = features["snr"], features["reach"]
    floor = features["rate_floor"] if fair else None
    mask = (association[:, None] == jnp.arange(snr.shape[1])) & reach
    load = mask.sum(0).astype(snr.dtype)
    received = snr * jnp.where(load > 0, power, 0.0)
    others = _others(received)
    clean = snr / others
    sharing = _of_own(mask, jnp.maximum(load, 1))
    own_others = jnp.maximum(_of_own(mask, others), 1.0)
    own_sinr = _of_own(mask, received) / own_others
    rates = rate(own_sinr) / jnp.maximum(sharing, 1)
    worth, slope = _value(rates, floor), _slope(rates, floor)
    # The power that meets the first-order condition, and that of a BS with one UE of a high rate.
    weight = slope / jnp.maximum(sharing, 1)
    victim = reach & ~mask & (sharing > 0)[:, None]
    pull = weight * own_sinr / (1 + own_sinr)
    gain = jnp.where(mask, pull[:, None], 0.0).sum(0)
    cost = jnp.where(victim, (pull / own_others)[:, None] * snr, 0.0).sum(0) + SMALLEST
    alone = jnp.clip(FIRST_SLOPE / cost, *POWERS)
    best = jnp.where(load > 0, jnp.clip(gain / cost, *POWERS), alone)
    # What one more UE takes from those of a BS, and what a BS takes from the UEs of others.
    price = jnp.where(mask, (slope * rates)[:, None], 0.0).sum(0) / (1 + load)
    now, then = rate(clean * power), rate(clean * alone)
    join_now, join_then = (_value(rates / (1 + load), floor) - price for rates in (now, then))
    takeover = jnp.where(reach, join_then - worth[:, None], NO_LINK)
    part = jnp.where(mask, 0.0, jnp.clip(received / own_others[:, None], 0.0, MOST_SHARE))
    without = own_sinr[:, None] / (1 - part)
    under = own_sinr[:, None] / (1 - part + snr * alone / own_others[:, None])
    harm = jnp.where(victim, weight[:, None] * jnp.log((1 + without) / (1 + under)), 0.0)
    ue = [worth, jnp.log1p(own_sinr) / RATE_UNIT, jnp.log1p(sharing), takeover.max(-1), then.max(-1) / RATE_UNIT]
    bs = [
        jnp.log1p(load),
        price,
        jnp.where(mask, rates[:, None], 0.0).sum(0) / RATE_UNIT,
        jnp.where(mask, then, 0.0).max(0) / RATE_UNIT,
        harm.sum(0),
        jnp.log(alone) / RATE_UNIT,
        jnp.log(best) / RATE_UNIT,
        takeover.max(0),
        then.max(0) / RATE_UNIT,
        features["macro"],
    ]
    stack = lambda values: jnp.stack([jnp.asarray(v, snr.dtype) for v in values], -1)  # noqa: E731
    links = (now / RATE_UNIT, then / RATE_UNIT, join_now, join_then, mask.astype(snr.dtype))
    links = tuple(jnp.where(reach, matrix, 0.0) for matrix in links)
    return Outlook(links, stack(ue), stack(bs), mask, takeover, harm, part, jnp.log(best) - jnp.log1p(-best))
