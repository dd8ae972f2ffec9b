"""The users of a NOMA schedule in slots, sorted once in the order of SIC."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

__all__ = ["Slots"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Slots:
    """A schedule in slots: per subchannel at most H users, strongest first, empty slots last.

    Attributes:
        user: user of every slot, -1 where it is empty [subchannel, slot].
        snr: of that user on that subchannel at the total power, linear, 1 where empty [subchannel, slot].
        weight: of that user, 0 where empty [subchannel, slot].
    """

    user: Int[Array, "subchannel slot"]
    snr: Float[Array, "subchannel slot"]
    weight: Float[Array, "subchannel slot"]

    @property
    def used(self) -> Bool[Array, "subchannel slot"]:
        """Which slots hold a user."""
        return self.user >= 0

    def scatter(self, value: Float[Array, "subchannel slot"], num_users: int) -> Float[Array, "subchannel user"]:
        """Values of slots at the places of their users, 0 elsewhere."""
        at = self.user[..., None] == jnp.arange(num_users)
        return jnp.where(at, value[..., None], 0.0).sum(-2)

    def gather(self, value: Float[Array, "subchannel user"]) -> Float[Array, "subchannel slot"]:
        """Values of pairs in slots, 0 where a slot is empty: the inverse of `scatter`."""
        return jnp.where(self.used, jnp.take_along_axis(value, jnp.maximum(self.user, 0), 1), 0.0)

    def assignment(self, num_users: int) -> Bool[Array, "subchannel user"]:
        """The schedule as a matrix."""
        return (self.user[..., None] == jnp.arange(num_users)).any(-2)
