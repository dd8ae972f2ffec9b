"""Downlink NOMA as an optimisation problem: rates of a schedule, and the polytope of its feasible powers.

The users of a subchannel are kept in slots, sorted once by falling gain (the order of SIC), at most H of them.
In the powers r that a subchannel "receives" (r = p for ``interference_gain="receiver"``, r = p G for "paper"), the
rate constraints are linear with the same matrix for every channel:

    r_j - gamma (eps sum_{l weaker} r_l + sum_{k stronger} r_k) >= gamma v_j,    gamma = 2^R_min - 1,

where v is noise / G or the noise. Its inverse T is nonnegative where R_min can be met at all, so the feasible powers
are a simplex: p = p_min + T q with q >= 0 and one total (`QosSimplex`). Everything that must be feasible works there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from wirelax.kernels import InterferenceGain, ordered_sic_sinr, rate, sic_order, sic_sinr

__all__ = ["NomaProblem", "QosSimplex", "Slots", "make_noma_problem"]

NO_SHARE = -1e9
"""Log of a share that is 0; finite, so that derivatives are."""
REPAIR_STEPS = 12


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Slots:
    """A schedule in slots: per subchannel at most H users, strongest first, empty slots last.

    Attributes:
        user: user of every slot, -1 where it is empty [subchannel, slot].
        gain: of that user on that subchannel, linear, 1 where empty [subchannel, slot].
        weight: of that user, 0 where empty [subchannel, slot].
    """

    user: Int[Array, "subchannel slot"]
    gain: Float[Array, "subchannel slot"]
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


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class QosSimplex:
    """Powers of a schedule that meet R_min on every scheduled pair and spend the whole budget.

    Attributes:
        least: smallest powers that meet R_min, [subchannel, slot], W.
        spread: power per unit of excess q, p = least + spread q, [subchannel, slot, slot].
        price: what a unit of q costs in power, [subchannel, slot]; column sums of `spread`.
        budget: power left over the least, W.
        feasible: whether R_min can be met at all. Where not, the simplex is that of R_min = 0.
        unspread: q of given powers, q = unspread (p - least), [subchannel, slot, slot].
        used: slots that hold a user [subchannel, slot].
    """

    least: Float[Array, "subchannel slot"]
    spread: Float[Array, "subchannel slot slot"]
    price: Float[Array, "subchannel slot"]
    budget: Float[Array, ""]
    feasible: Bool[Array, ""]
    unspread: Float[Array, "subchannel slot slot"]
    used: Bool[Array, "subchannel slot"]

    def power(self, share: Float[Array, "subchannel slot"]) -> Float[Array, "subchannel slot"]:
        """Powers in W from shares of the budget that are at least 0 and sum to 1 over used slots."""
        excess = jnp.where(self.used, share, 0.0) * self.budget / self.price
        return self.least + jnp.einsum("ijl,il->ij", self.spread, excess)

    def share(self, power: Float[Array, "subchannel slot"]) -> Float[Array, "subchannel slot"]:
        """Shares of powers, the inverse of `power`; negative where R_min is missed."""
        excess = jnp.einsum("ijl,il->ij", self.unspread, power - self.least)
        return jnp.where(self.used, excess * self.price / jnp.maximum(self.budget, 1e-30), 0.0)

    def repair(self, power: Float[Array, "subchannel slot"]) -> Float[Array, "subchannel slot"]:
        """The powers where they are feasible, else feasible ones near them: missed rates are raised to R_min.

        Excess q0 below 0 is set to 0. What that costs is taken from the others by Kullback-Leibler projection on
        the budget, q = q0 exp(-level price), price in W of all power per W of the pair's own: most is taken from
        where power makes the R_min of weaker users dear. Powers that do not spend the budget are raised in
        proportion. Even shares where no excess is left.
        """
        share = jnp.maximum(self.share(power), 0.0)
        left = share > 0
        even = jnp.where(self.used, -jnp.log(jnp.maximum(self.used.sum(), 1)), NO_SHARE)
        log_share = jnp.where(left, jnp.log(jnp.where(left, share, 1.0)), jnp.where(left.any(), NO_SHARE, even))
        price = self.price / jnp.diagonal(self.spread, axis1=-2, axis2=-1)

        def newton(level: Array) -> Array:
            logits = (log_share - level * price).reshape(-1)
            mean_price = jnp.vdot(jax.nn.softmax(logits), price.reshape(-1))
            level += jax.nn.logsumexp(logits) / jax.lax.stop_gradient(mean_price)
            return jnp.where(level > 0, level, 0.0)

        # Log of a sum of exponentials: convex in the level, so Newton steps from 0 never pass the root.
        level = jax.lax.fori_loop(0, REPAIR_STEPS, lambda _, level: newton(level), jnp.zeros_like(self.budget))
        # One more from a constant, whose derivative is that of the root.
        level = newton(jax.lax.stop_gradient(level))
        logits = log_share - level * price
        return self.power(jax.nn.softmax(logits.reshape(-1)).reshape(logits.shape))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class NomaProblem:
    """One downlink NOMA network: the maximisation of the (weighted) sum rate, paper 2, eqs. (8)-(9).

    Attributes:
        gain: linear power gain [subchannel, user].
        weight: of every user's rate [user].
        noise_power_w: noise in a subchannel, W.
        sic_residual: eps, the share of a cancelled signal that is left.
        min_rate: R_min of every scheduled pair, bit/s/Hz.
        total_power_w: P_c, all of it is spent.
        max_users_per_subchannel: H.
        max_subchannels_per_user: V.
        interference_gain: see `wirelax.kernels.sic_sinr`.
    """

    gain: Float[Array, "subchannel user"]
    weight: Float[Array, " user"]
    noise_power_w: Float[ArrayLike, ""]
    sic_residual: Float[ArrayLike, ""]
    min_rate: Float[ArrayLike, ""]
    total_power_w: Float[ArrayLike, ""]
    max_users_per_subchannel: int = field(metadata={"static": True})
    max_subchannels_per_user: int = field(metadata={"static": True})
    interference_gain: InterferenceGain = field(metadata={"static": True})

    @property
    def num_users(self) -> int:
        """M."""
        return self.gain.shape[1]

    def rates(
        self, assignment: Bool[Array, "subchannel user"], power_w: Float[Array, "subchannel user"]
    ) -> Float[Array, "subchannel user"]:
        """Rate of every pair, bit/s/Hz, 0 where it is not scheduled; eq. (4)."""
        form = self.interference_gain
        return rate(sic_sinr(self.gain, power_w, assignment, self.noise_power_w, self.sic_residual, form))

    def utility(
        self, assignment: Bool[Array, "subchannel user"], power_w: Float[Array, "subchannel user"]
    ) -> Float[Array, ""]:
        """(Weighted) sum rate, bit/s/Hz; eq. (7)."""
        return (self.weight * self.rates(assignment, power_w)).sum()

    def slots(self, assignment: Bool[Array, "subchannel user"]) -> Slots:
        """The schedule in slots; users beyond the first H of a subchannel in SIC order are dropped."""
        order = sic_order(self.gain, assignment)[:, : self.max_users_per_subchannel]
        user = jnp.where(jnp.take_along_axis(assignment, order, 1), order, -1)
        missing = self.max_users_per_subchannel - user.shape[1]
        return self.fill(jnp.pad(user, ((0, 0), (0, max(missing, 0))), constant_values=-1))

    def fill(self, user: Int[Array, "subchannel slot"]) -> Slots:
        """Slots of users that are in SIC order already."""
        used = user >= 0
        gain = jnp.take_along_axis(self.gain, jnp.maximum(user, 0), 1)
        return Slots(
            user=user, gain=jnp.where(used, gain, 1.0), weight=jnp.where(used, self.weight[jnp.maximum(user, 0)], 0.0)
        )

    def slot_rates(self, slots: Slots, power_w: Float[Array, "subchannel slot"]) -> Float[Array, "subchannel slot"]:
        """Rate of every slot, bit/s/Hz, 0 where it is empty."""
        power_w = jnp.where(slots.used, power_w, 0.0)
        form = self.interference_gain
        return rate(ordered_sic_sinr(slots.gain, power_w, self.noise_power_w, self.sic_residual, form))

    def slot_utility(self, slots: Slots, power_w: Float[Array, "subchannel slot"]) -> Float[Array, ""]:
        """(Weighted) sum rate of a schedule in slots, bit/s/Hz."""
        return (slots.weight * self.slot_rates(slots, power_w)).sum()

    def equal_power(self, slots: Slots) -> Float[Array, "subchannel slot"]:
        """P_c split evenly over the scheduled pairs."""
        return slots.used * (self.total_power_w / jnp.maximum(slots.used.sum(), 1))

    def simplex(self, slots: Slots) -> QosSimplex:
        """The feasible powers of a schedule."""
        size, used = slots.user.shape[1], slots.used
        # A hair above R_min, so that rates of the least powers meet it after rounding.
        margin = 1 + 32 * jnp.finfo(self.gain.dtype).eps
        gamma = margin * jnp.expm1(jnp.log(2.0) * jnp.asarray(self.min_rate, self.gain.dtype))
        if self.interference_gain == "receiver":
            divisor = jnp.ones_like(slots.gain)
            need = self.noise_power_w / jnp.maximum(slots.gain, jnp.finfo(slots.gain.dtype).tiny ** 0.5)
        else:
            divisor = jnp.maximum(slots.gain, jnp.finfo(slots.gain.dtype).tiny ** 0.5)
            need = self.noise_power_w * jnp.ones_like(slots.gain)
        heard = jnp.tril(jnp.ones((size, size)), -1) + self.sic_residual * jnp.triu(jnp.ones((size, size)), 1)
        matrices, inverses = _by_count(heard, gamma)
        count = used.sum(1)
        solvable = (inverses[count] >= 0).all()
        unspread = jnp.where(solvable, matrices[count], jnp.eye(size)) * divisor[:, None, :]
        spread = jnp.where(solvable, inverses[count], jnp.eye(size)) / divisor[:, :, None]
        least = jnp.where(used, jnp.einsum("ijl,il->ij", spread, gamma * need * used), 0.0)
        feasible = solvable & (least.sum() <= self.total_power_w)
        relaxed = jnp.eye(size) / divisor[:, :, None]
        spread = jnp.where(feasible, spread, relaxed)
        least = jnp.where(feasible, least, 0.0)
        return QosSimplex(
            least=least,
            spread=spread,
            price=jnp.where(used, (spread * used[:, :, None]).sum(1), 1.0),
            budget=jnp.asarray(self.total_power_w) - least.sum(),
            feasible=feasible,
            unspread=jnp.where(feasible, unspread, jnp.eye(size) * divisor[:, None, :]),
            used=used,
        )


def _by_count(
    heard: Float[Array, "slot slot"], gamma: Array
) -> tuple[Float[Array, "count slot slot"], Float[Array, "count slot slot"]]:
    """I - gamma B of the first 0, 1, ..., H slots of a subchannel, and its inverses."""
    size = heard.shape[0]
    index = jnp.arange(size)
    inside = index < jnp.arange(size + 1)[:, None]
    matrices = jnp.eye(size) - gamma * heard * inside[:, :, None] * inside[:, None, :]
    return matrices, _inverse(matrices)


def _inverse(matrices: Float[Array, "count n n"]) -> Float[Array, "count n n"]:
    """Gauss-Jordan without pivoting: right for the M-matrices that count, not nonnegative or NaN for others."""
    n = matrices.shape[-1]
    rows = jnp.concatenate([matrices, jnp.broadcast_to(jnp.eye(n, dtype=matrices.dtype), matrices.shape)], axis=-1)
    for k in range(n):
        pivot = rows[:, k] / rows[:, k, k, None]
        eliminated = rows - rows[:, :, k, None] * pivot[:, None, :]
        rows = jnp.where(jnp.arange(n)[:, None] == k, pivot[:, None, :], eliminated)
    return rows[..., n:]


def make_noma_problem(
    gain: Float[Array, "subchannel user"],
    *,
    weight: Float[Array, " user"] | None = None,
    noise_power_w: Float[ArrayLike, ""] = 0.1,
    sic_residual: Float[ArrayLike, ""] = 0.05,
    min_rate: Float[ArrayLike, ""] = 0.01,
    total_power_w: Float[ArrayLike, ""] = 19.952623149688797,
    max_users_per_subchannel: int = 3,
    max_subchannels_per_user: int = 4,
    interference_gain: InterferenceGain = "receiver",
) -> NomaProblem:
    """A `NomaProblem`, its shapes checked; paper 2's constants by default (43 dBm in all).

    Raises:
        ValueError: a shape does not fit one network (a batch needs ``jax.vmap``).
    """
    gain = jnp.asarray(gain)
    if gain.ndim != 2:
        raise ValueError(f"gain has shape {gain.shape}, wanted [subchannel, user] of one network: use jax.vmap")
    weight = jnp.ones(gain.shape[1], gain.dtype) if weight is None else jnp.asarray(weight)
    if weight.shape != gain.shape[1:]:
        raise ValueError(f"weight has shape {weight.shape}, wanted {gain.shape[1:]}, one weight per user")
    return NomaProblem(
        gain=gain,
        weight=weight,
        noise_power_w=noise_power_w,
        sic_residual=sic_residual,
        min_rate=min_rate,
        total_power_w=total_power_w,
        max_users_per_subchannel=max_users_per_subchannel,
        max_subchannels_per_user=max_subchannels_per_user,
        interference_gain=interference_gain,
    )
