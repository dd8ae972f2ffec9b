"""The exhaustive search of Xu et al. (2019) as one would write it in NumPy, from the equations, without wirelax.

The baseline of the benchmarks, in two versions: a loop over candidates, and all candidates at once. It is an
independent check of the compiled searches too: it shares no code with them, and takes gains and constants in physical
units as they are configured, not the normalised problems that the package makes of them.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "Candidates",
    "Found",
    "Network",
    "all_candidates",
    "loop_search",
    "network_of",
    "same_decision",
    "vectorised_search",
]


class Network(NamedTuple):
    """One channel and the constants of the problem, float64."""

    gain: np.ndarray  # [subchannel, user, bs]
    noise_w: float
    max_power_w: np.ndarray  # [bs]
    bandwidth_per_subchannel_hz: float
    amplifier_efficiency: float
    circuit_power_w: float
    min_spectral_efficiency: float


def network_of(config: Any, gain: np.ndarray) -> Network:
    """A channel [subchannel, user, bs] of the system ``hetnet-ee`` with the numbers of its configuration."""
    micros = gain.shape[-1] - 1
    return Network(
        gain=np.asarray(gain, np.float64),
        noise_w=10 ** ((config.noise_dbm - 30) / 10),
        max_power_w=np.array([config.max_power_macro_w] + micros * [config.max_power_micro_w]),
        bandwidth_per_subchannel_hz=config.bandwidth_per_subchannel_hz,
        amplifier_efficiency=config.amplifier_efficiency,
        circuit_power_w=config.circuit_power_macro_w + micros * config.circuit_power_micro_w,
        min_spectral_efficiency=config.min_spectral_efficiency,
    )


class Candidates(NamedTuple):
    """The search space of one channel."""

    assignments: np.ndarray  # [assignment, bs, subchannel] global user index
    powers_w: np.ndarray  # [candidate, bs, subchannel]

    @property
    def count(self) -> int:
        """Assignments times power allocations."""
        return len(self.assignments) * len(self.powers_w)

    def thinned(self, most: int) -> Candidates:
        """At most `most` of them in all: every assignment, evenly spaced power allocations."""
        step = -(-len(self.powers_w) // max(1, most // len(self.assignments)))
        return Candidates(self.assignments, self.powers_w[::step])


class Found(NamedTuple):
    """The best candidate: energy efficiency in bit/J (minus the rate shortfall where the SE target fails)."""

    utility: float
    assignment: np.ndarray
    power_w: np.ndarray


def all_candidates(network: Network, levels: int, range_db: float = 40.0) -> Candidates:
    """Every assignment, and every allocation of dB-spaced power levels within the budgets."""
    num_subchannels, num_users, num_bs = network.gain.shape
    users = num_users // num_bs
    cell = [c for c in itertools.product(range(users), repeat=num_subchannels) if len(set(c)) == users]
    assignments = np.array(list(itertools.product(cell, repeat=num_bs)))
    assignments += users * np.arange(num_bs)[:, None]
    steps_db = np.linspace(-range_db, 0.0, levels - 1) if levels > 2 else np.zeros(1)
    fractions = np.append(0.0, 10 ** (steps_db / 10))
    of_bs = [c for c in itertools.product(fractions, repeat=num_subchannels) if sum(c) <= 1 + 1e-6]
    powers_w = np.array(list(itertools.product(of_bs, repeat=num_bs))) * network.max_power_w[:, None]
    return Candidates(assignments, powers_w)


def loop_search(network: Network, candidates: Candidates) -> Found:
    """One candidate after the other."""
    num_subchannels, _, num_bs = network.gain.shape
    subchannel, others = np.arange(num_subchannels)[:, None], 1 - np.eye(num_bs)
    best = Found(-np.inf, candidates.assignments[0], candidates.powers_w[0])
    for assignment in candidates.assignments:
        links = network.gain[subchannel, assignment.T]  # [subchannel, served user, bs]
        for power_w in candidates.powers_w:
            received = links * power_w.T[:, None, :]
            signal = np.einsum("kii->ki", received)
            sinr = signal / (network.noise_w + np.sum(received * others, axis=-1))
            rate_bps = network.bandwidth_per_subchannel_hz * np.sum(np.log2(1 + sinr))
            utility = _utility(network, rate_bps, np.sum(power_w))
            if utility > best.utility:
                best = Found(float(utility), assignment, power_w)
    return best


def vectorised_search(network: Network, candidates: Candidates) -> Found:
    """All candidates in arrays [assignment, candidate, subchannel, served user, bs]."""
    num_subchannels, _, num_bs = network.gain.shape
    subchannel, others = np.arange(num_subchannels)[:, None], 1 - np.eye(num_bs)
    links = network.gain[subchannel, np.swapaxes(candidates.assignments, 1, 2)]
    received = links[:, None] * np.swapaxes(candidates.powers_w, 1, 2)[:, :, None, :]
    signal = np.einsum("apkii->apki", received)
    sinr = signal / (network.noise_w + np.sum(received * others, axis=-1))
    rate_bps = network.bandwidth_per_subchannel_hz * np.sum(np.log2(1 + sinr), axis=(-1, -2))
    utility = _utility(network, rate_bps, np.sum(candidates.powers_w, axis=(-1, -2)))
    first, second = np.unravel_index(np.argmax(utility), utility.shape)
    return Found(float(utility[first, second]), candidates.assignments[first], candidates.powers_w[second])


def _utility(network: Network, rate_bps: np.ndarray, radiated_w: np.ndarray) -> np.ndarray:
    """Energy efficiency, or minus the shortfall of the sum rate where the SE target is missed."""
    bandwidth_hz = len(network.gain) * network.bandwidth_per_subchannel_hz
    shortfall_bps = rate_bps - network.min_spectral_efficiency * bandwidth_hz
    total_w = radiated_w / network.amplifier_efficiency + network.circuit_power_w
    return np.where(shortfall_bps >= 0, rate_bps / total_w, shortfall_bps)


def same_decision(first: Any, second: Any) -> bool:
    """Whether two (assignment, power_w) pairs are the same: equal powers, and equal users wherever power is.

    Whom a silent subchannel serves is no decision; the searches break that tie as they meet it.
    """
    (user_a, power_a), (user_b, power_b) = first, second
    active = np.asarray(power_a) > 0
    return bool(
        np.allclose(power_a, power_b, rtol=1e-5, atol=0)
        and np.array_equal(np.asarray(user_a)[active], np.asarray(user_b)[active])
    )
