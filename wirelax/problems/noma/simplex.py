"""The powers of a schedule that meet R_min and spend the whole budget: a simplex.

In the powers r that a subchannel "receives" (r = p for ``interference_gain="receiver"``, r = p SNR for "paper"), the
rate constraints are linear with the same matrix for every channel:

    r_j - gamma (eps sum_{l weaker} r_l + sum_{k stronger} r_k) >= gamma v_j,    gamma = 2^R_min - 1,

where v is 1 / SNR or 1 and powers are shares of the total power. The inverse T of that matrix is nonnegative where
R_min can be met at all, so the feasible powers are p = p_min + T q with q >= 0 and one total.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from wirelax.kernels import InterferenceGain
from wirelax.problems.noma.slots import Slots

__all__ = ["QosSimplex", "RateRows", "invert", "least_powers", "make_simplex", "rate_rows", "sinr_target"]

NO_SHARE = -1e9
"""Log of a share that is 0; finite, so that derivatives are."""
REPAIR_STEPS = 12


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class QosSimplex:
    """Powers of a schedule that meet R_min on every scheduled pair and spend the whole budget, as shares of it.

    The feasible powers are those of all shares of the excess that are at least 0 and sum to 1, whatever the noise,
    the budget or R_min are. So by the envelope theorem the derivative of the best utility is that at fixed shares.

    Attributes:
        least: smallest powers that meet R_min, [subchannel, slot].
        spread: power per unit of excess q, p = least + spread q, [subchannel, slot, slot].
        price: what a unit of q costs in power, [subchannel, slot]; column sums of `spread`.
        budget: what the least powers leave of the total.
        feasible: whether anybody is scheduled and R_min can be met. Where not, the simplex is that of R_min = 0.
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
        """Powers from shares of the excess that are at least 0 and sum to 1 over used slots."""
        excess = jnp.where(self.used, share, 0.0) * self.budget / self.price
        return self.least + jnp.einsum("ijl,il->ij", self.spread, excess)

    def share(self, power: Float[Array, "subchannel slot"]) -> Float[Array, "subchannel slot"]:
        """Shares of the excess of powers, the inverse of `power`; negative where R_min is missed."""
        excess = jnp.einsum("ijl,il->ij", self.unspread, power - self.least)
        return jnp.where(self.used, excess * self.price / jnp.maximum(self.budget, 1e-30), 0.0)

    def repair(self, power: Float[Array, "subchannel slot"]) -> Float[Array, "subchannel slot"]:
        """The powers where they are feasible, else feasible ones near them: missed rates are raised to R_min.

        Excess q0 below 0 is set to 0. What that costs is taken from the others by Kullback-Leibler projection on
        the budget, q = q0 exp(-level price), price of all power per unit of the pair's own: most is taken from
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


class RateRows(NamedTuple):
    """The rate constraints of a subchannel with its first n slots in use, n = 0, 1, ..., H.

    Attributes:
        matrix: I - gamma B [count, slot, slot].
        inverse: of it [count, slot, slot]; meaningless where `solvable` is false, but finite.
        solvable: whether so many users can all have R_min, at whatever power [count].
    """

    matrix: Float[Array, "count slot slot"]
    inverse: Float[Array, "count slot slot"]
    solvable: Bool[Array, " count"]


def sinr_target(min_rate: Float[Array, ""]) -> Float[Array, ""]:
    """The SINR of R_min and a hair more, so that rates of the least powers meet it after rounding."""
    return (1 + 32 * jnp.finfo(min_rate.dtype).eps) * jnp.expm1(jnp.log(2.0) * min_rate)


def rate_rows(sic_residual: Float[Array, ""], min_rate: Float[Array, ""], size: int) -> RateRows:
    """The rows of `size` slots, strongest user first."""
    ones, index = jnp.ones((size, size), min_rate.dtype), jnp.arange(size)
    heard = jnp.tril(ones, -1) + sic_residual * jnp.triu(ones, 1)
    inside = index < jnp.arange(size + 1)[:, None]
    pairs = inside[:, :, None] & inside[:, None, :]
    matrix = jnp.eye(size, dtype=ones.dtype) - jnp.where(pairs, sinr_target(min_rate) * heard, 0.0)
    return RateRows(matrix, *invert(matrix))


def invert(matrices: Float[Array, "count n n"]) -> tuple[Float[Array, "count n n"], Bool[Array, " count"]]:
    """Gauss-Jordan without pivoting; all pivots are positive exactly where the inverse is nonnegative.

    That holds for matrices without positive entries off the diagonal (M-matrices). Others get pivots of 1.
    """
    n = matrices.shape[-1]
    rows = jnp.concatenate([matrices, jnp.broadcast_to(jnp.eye(n, dtype=matrices.dtype), matrices.shape)], axis=-1)
    solvable = jnp.ones(matrices.shape[:-2], bool)
    for k in range(n):
        own = rows[:, k, k]
        solvable &= own > 0
        pivot = rows[:, k] / jnp.where(own > 0, own, 1.0)[:, None]
        eliminated = rows - rows[:, :, k, None] * pivot[:, None, :]
        rows = jnp.where(jnp.arange(n)[:, None] == k, pivot[:, None, :], eliminated)
    return rows[..., n:], solvable


def least_powers(
    slots: Slots,
    inverse: Float[Array, "subchannel slot slot"],
    target: Float[Array, ""],
    interference_gain: InterferenceGain,
) -> tuple[Float[Array, "subchannel slot"], Float[Array, "subchannel slot slot"]]:
    """Least powers that meet an SINR target, and the powers per unit of excess, from the inverse matrices."""
    reach = reachable_snr(slots)
    if interference_gain == "receiver":
        spread, need = inverse, 1.0 / reach
    else:
        spread, need = inverse / reach[:, :, None], jnp.ones_like(reach)
    least = jnp.einsum("ijl,il->ij", spread, target * need * slots.used)
    return jnp.where(slots.used, least, 0.0), spread


def reachable_snr(slots: Slots) -> Float[Array, "subchannel slot"]:
    """SNRs that are not 0, so that what a user of none needs is more than there is, and finite."""
    return jnp.maximum(slots.snr, jnp.finfo(slots.snr.dtype).tiny ** 0.5)


def make_simplex(
    slots: Slots,
    *,
    sic_residual: Float[Array, ""],
    min_rate: Float[Array, ""],
    interference_gain: InterferenceGain,
) -> QosSimplex:
    """The feasible powers of a schedule; see `QosSimplex`."""
    size, used = slots.user.shape[1], slots.used
    rows, count = rate_rows(sic_residual, min_rate, size), used.sum(1)
    least, spread = least_powers(slots, rows.inverse[count], sinr_target(min_rate), interference_gain)
    feasible = rows.solvable[count].all() & (least.sum() <= 1) & used.any()
    eye = jnp.eye(size, dtype=spread.dtype)
    divisor = jnp.ones_like(slots.snr) if interference_gain == "receiver" else reachable_snr(slots)
    spread = jnp.where(feasible, spread, eye / divisor[:, :, None])
    least = jnp.where(feasible, least, 0.0)
    return QosSimplex(
        least=least,
        spread=spread,
        price=jnp.where(used, (spread * used[:, :, None]).sum(1), 1.0),
        budget=1 - least.sum(),
        feasible=feasible,
        unspread=jnp.where(feasible, rows.matrix[count], eye) * divisor[:, None, :],
        used=used,
    )
