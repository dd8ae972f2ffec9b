"""A policy for any number of BSs, users and subchannels: learned power steps and a search over assignments.

Nothing here lists assignments. A power network gives the powers of one assignment; the assignment comes from a matching
on scores, improved by a local search whose candidates are scored by the energy efficiency at the network's powers. All
parameters are shared over BSs, users and subchannels, so one file of weights serves every size, and renumbering any of
them renumbers the decision. Candidates are the last axis of every array; map a batch likewise to the last axis
(``jax.vmap(..., in_axes=-1, out_axes=-1)``) where speed matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Bool, Float, Int

from wirelax.kernels import link_sinr, rate
from wirelax.policies.energy_efficiency.power_network import Mix, PowerNetwork, nominal_power
from wirelax.policies.heads import LogPowerBounds, budgeted_power
from wirelax.problems import EnergyEfficiencyProblem
from wirelax.types import FEASIBILITY_TOLERANCE, Allocation
from wirelax.units import decades

__all__ = [
    "SEARCH_BOUNDS",
    "AssignmentSearch",
    "SearchedAssignment",
    "local_matching",
    "neighbours",
    "rate_and_consumption",
    "search_features",
]

LOG_SNR_FLOOR = -4.0
"""log10: links below -40 dB at full power look alike; unreachable ones must have finite features."""
LEAST_CIRCUIT = 1e-3
"""The circuit power is taken for at least this share of the budgets; it may be zero."""
SEARCH_BOUNDS = LogPowerBounds(off=-7.5, threshold=-7.0, smallest=-4.0)
"""Of the power network's outputs, which no grid limits."""

_sinr = jax.vmap(jax.vmap(link_sinr, in_axes=(-1, -1, None), out_axes=-1), in_axes=(0, 0, None))


def search_features(problem: EnergyEfficiencyProblem) -> dict[str, Array]:
    """What the policy sees of a problem: its dimensionless numbers, which are all that the optimum depends on.

    Returns:
        ``snr`` [user, bs, subchannel], log10 of the SNR at full power; ``consumption`` [bs], log10 of the power drawn
        at full budget over the circuit power; ``target``, the least sum rate over all links in bit/s/Hz.
    """
    snr = decades(jnp.maximum(problem.snr, 10.0**LOG_SNR_FLOOR))
    budgets = problem.max_power_w
    circuit = jnp.maximum(problem.amplifier_efficiency * problem.circuit_power_w, LEAST_CIRCUIT * budgets.sum())
    return {
        "snr": jnp.moveaxis(snr, 0, -1),
        "consumption": decades(budgets / circuit),
        "target": problem.min_spectral_efficiency * problem.num_subchannels,
    }


def cells_of(features: Mapping[str, Array]) -> Float[Array, "subchannel user cell bs"]:
    """log10 SNR from every BS to the users of every cell, numbered within it."""
    snr = features["snr"]
    num_bs = snr.shape[1]
    return jnp.transpose(snr.reshape(num_bs, -1, *snr.shape[1:]), (3, 1, 0, 2))


def local_matching(
    scores: Float[Array, "subchannel user bs"],
) -> Int[Array, "subchannel bs"]:
    """The user of every subchannel, numbered within its cell, by a greedy matching that leaves nobody out.

    First every user gets a subchannel, the largest score first; then every subchannel left goes to its best user.
    """
    num_subchannels, users, num_bs = scores.shape
    left, choice = scores, jnp.full((num_subchannels, num_bs), -1)
    for _ in range(users):
        flat = jnp.argmax(left.reshape(-1, num_bs), axis=0)
        here = jnp.arange(num_subchannels)[:, None] == flat // users
        user = flat % users
        choice = jnp.where(here, user, choice)
        left = jnp.where(here[:, None] | (jnp.arange(users)[:, None] == user), -jnp.inf, left)
    return jnp.where(choice < 0, jnp.argmax(scores, axis=1), choice)


def neighbours(
    choice: Int[Array, "subchannel bs"], users: int
) -> tuple[Int[Array, "subchannel bs move"], Bool[Array, "bs move"]]:
    """What every cell can do instead: swap two subchannels, or give one subchannel to another of its users.

    Returns:
        The columns of `choice` after every move, and which of them change something and leave no user without a
        subchannel. There are K (K - 1) / 2 swaps, and K (U - 1) gifts where a user can have two subchannels.
    """
    num = choice.shape[0]
    moves = []
    for i in range(num):
        for j in range(i + 1, num):
            moves.append(choice.at[i].set(choice[j]).at[j].set(choice[i]))
    if users < num:
        moves += [choice.at[i].set((choice[i] + shift) % users) for i in range(num) for shift in range(1, users)]
    moved = jnp.stack(moves or [choice], axis=-1)
    served = (moved[:, None] == jnp.arange(users)[:, None, None]).any(0).all(0)
    return moved, served & (moved != choice[..., None]).any(0)


class _Found(NamedTuple):
    """A choice [subchannel, bs], the log10 power fractions that go with it, and what it is worth."""

    choice: Array
    log_power: Array
    value: Array


class AssignmentSearch(nn.Module):
    """The policy: scores of users, a matching, and rounds of local search with the power network's powers.

    Attributes:
        width: of the power network's hidden states.
        messages: width of its messages.
        steps: of the power network.
        rounds: of local search; None for a number that grows with the size (`default_rounds`).
    """

    width: int = 16
    messages: int = 6
    steps: int = 3
    rounds: int | None = None

    def setup(self) -> None:
        """Parts that the methods share."""
        self.power = PowerNetwork(self.width, self.messages, self.steps)
        self.scorer = [Mix(16, bias=True), Mix(16, bias=True), Mix(1, bias=True)]

    def scores(self, features: Mapping[str, Array]) -> Float[Array, "subchannel user bs"]:
        """How much a user deserves a subchannel of its cell: its rate at nominal powers plus a learned correction."""
        cells, consumption = cells_of(features), features["consumption"]
        received = cells + nominal_power(consumption, len(cells))
        own = jnp.eye(cells.shape[2], dtype=bool)
        signal = jnp.where(own, received, 0.0).sum(-1)
        others = jnp.where(own, 0.0, 10.0**received)
        noise, loudest = (
            decades(1.0 + others.sum(-1)),
            decades(1.0 + others.max(-1)),
        )
        rate = jnp.log1p(10.0 ** (signal - noise))
        terms = (
            signal,
            noise,
            loudest,
            rate,
            rate.mean(0),
            rate.mean(1, keepdims=True),
        )
        x = 0.5 * jnp.stack([jnp.broadcast_to(term, rate.shape) for term in terms])
        for layer in self.scorer[:-1]:
            x = nn.relu(layer(x))
        return rate + self.scorer[-1](x)[0]

    def powers(
        self,
        features: Mapping[str, Array],
        choice: Int[Array, "subchannel bs candidate"],
    ):
        """Powers of given choices, which number users within their cells.

        Returns:
            log10 fractions [subchannel, bs, candidate] after every step, and the gains [subchannel, bs, bs,
            candidate] over the noise at full power between the links served.
        """
        cells = cells_of(features)
        # One user after the other: a gather would not vectorise over the candidates.
        log_gain = jnp.zeros(())
        for user in range(cells.shape[1]):
            log_gain = jnp.where((choice == user)[:, :, None], cells[:, user, ..., None], log_gain)
        return self.power(log_gain, features["consumption"]), 10.0**log_gain

    def judge(
        self,
        features: Mapping[str, Array],
        choice: Int[Array, "subchannel bs candidate"],
    ):
        """log10 fractions of given choices, and what the search maximises (`score`)."""
        steps, gain = self.powers(features, choice)
        return steps[-1], score(features, gain, steps[-1])

    def starts(self, features: Mapping[str, Array]) -> Int[Array, "subchannel bs start"]:
        """The matching on the scores, and the one that avoids all of its pairs."""
        scores = self.scores(features)
        first = local_matching(scores)
        taken = first[:, None] == jnp.arange(scores.shape[1])[:, None]
        worst = scores.max() - scores.min() + 1.0
        return jnp.stack([first, local_matching(jnp.where(taken, scores - worst, scores))], axis=-1)

    def __call__(self, features: Mapping[str, Array]) -> dict[str, Array]:
        """The decision: ``choice`` [bs, subchannel], users numbered in their cells, and ``log_power`` likewise."""
        users = features["snr"].shape[0] // features["snr"].shape[1]
        starts = self.starts(features)
        num_subchannels, num_bs, _ = starts.shape
        rounds = default_rounds(num_bs, users, num_subchannels) if self.rounds is None else self.rounds
        trial, valid = starts, jnp.ones(starts.shape[-1], bool)
        if rounds:
            moves, allowed = _all_moves(starts, users)
            trial, valid = (
                jnp.concatenate([starts, moves], axis=-1),
                jnp.concatenate([valid, allowed]),
            )
        found = self.best_of(features, trial, valid)[0]
        if rounds > 1:
            found = self.improve(features, found, users, rounds - 1)
        return {"choice": found.choice.T, "log_power": found.log_power.T}

    def best_of(self, features: Mapping[str, Array], trial: Array, valid: Array) -> tuple[_Found, Array]:
        """The best of some choices, and what each is worth, minus infinity where it is not valid."""
        log_power, value = self.judge(features, trial)
        value = jnp.where(valid, value, -jnp.inf)
        best = jnp.argmax(value)
        return _Found(trial[..., best], log_power[..., best], value[best]), value

    def improve(self, features: Mapping[str, Array], found: _Found, users: int, rounds: int) -> _Found:
        """Rounds of local search: the best move of any cell, or what all improving cells did at once a round before."""
        num_bs = found.choice.shape[1]

        def turn(policy: AssignmentSearch, state: tuple[_Found, Array], _: None):
            found, together = state
            moves, valid = _all_moves(found.choice[..., None], users)
            trial = jnp.concatenate([moves, together[..., None]], axis=-1)
            best, value = policy.best_of(features, trial, jnp.append(valid, True))
            each = value[:-1].reshape(num_bs, -1)  # [cell that moves, move]
            moved = moves.reshape(*found.choice.shape, *each.shape)
            cell = jnp.arange(num_bs)
            own = moved[:, cell, cell, jnp.argmax(each, axis=1)]
            together = jnp.where(each.max(1) > found.value, own, found.choice)
            better = best.value > found.value
            return (
                jax.tree.map(lambda new, old: jnp.where(better, new, old), best, found),
                together,
            ), None

        loop = nn.scan(
            turn,
            variable_broadcast="params",
            split_rngs={"params": False},
            length=rounds,
        )
        return loop(self, (found, found.choice), None)[0][0]


def _all_moves(choice: Int[Array, "subchannel bs start"], users: int) -> tuple[Array, Array]:
    """All moves of all cells from every start: choices [subchannel, bs, candidate], and which are valid."""
    moved, valid = jax.vmap(neighbours, in_axes=(-1, None), out_axes=-1)(choice, users)
    num_subchannels, num_bs = choice.shape[:2]
    cell = jnp.eye(num_bs, dtype=bool)[None, ..., None, None]  # [., bs, cell that moves, move, start]
    trial = jnp.where(cell, moved[:, :, None], choice[:, :, None, None])
    return trial.reshape(num_subchannels, num_bs, -1), valid.reshape(-1)


def default_rounds(num_bs: int, users: int, num_subchannels: int) -> int:
    """Rounds of local search for a size: one where two opposite starts and their neighbours are all there is."""
    if users == 1:
        return 0
    return 1 if num_subchannels == 2 and num_bs <= 3 else max(num_subchannels + 1, num_bs // 2)


def score(
    features: Mapping[str, Array],
    gain: Float[Array, "subchannel bs bs candidate"],
    log_power: Float[Array, "subchannel bs candidate"],
) -> Float[Array, " candidate"]:
    """Efficiency in bit per circuit energy where the rate target is met, else minus the shortfall in bit."""
    sum_rate, drawn = rate_and_consumption(features, gain, log_power)
    met = sum_rate >= features["target"] * (1 - FEASIBILITY_TOLERANCE)
    return jnp.where(met, sum_rate / drawn, sum_rate - features["target"])


def rate_and_consumption(
    features: Mapping[str, Array], gain: Array, log_power: Array
) -> tuple[Float[Array, " candidate"], Float[Array, " candidate"]]:
    """Sum rate in bit/s/Hz and power drawn over the circuit power, at powers scaled into the budgets."""
    power = jnp.swapaxes(log_power, 0, -1)  # [candidate, bs, subchannel]
    fraction = budgeted_power(power, jnp.ones(power.shape[1]), SEARCH_BOUNDS)
    fraction = jnp.swapaxes(fraction, 0, -1)
    sum_rate = rate(_sinr(gain, fraction, 1.0)).sum((0, 1))
    return sum_rate, 1.0 + (fraction * 10.0 ** features["consumption"][:, None]).sum((0, 1))


@dataclass(frozen=True)
class SearchedAssignment:
    """The decision of an `AssignmentSearch` in the problem's terms, never over a budget."""

    def __call__(self, outputs: Mapping[str, Array], problem: EnergyEfficiencyProblem) -> Allocation:
        """Global user indices and powers in W of ``choice`` and ``log_power`` [bs, subchannel]."""
        choice = outputs["choice"]
        first = problem.users_per_bs * jnp.arange(problem.num_bs)[:, None]
        return {
            "assignment": (choice + first).astype(jnp.int32),
            "power_w": budgeted_power(outputs["log_power"], problem.max_power_w, SEARCH_BOUNDS),
        }
