"""UAMWSER and JUAPCMWSER with what the published code of Zhang et al. (HBGNN) makes of them.

Four faults of that code are kept. Association starts from every UE at the last BS. The line search along the Newton
step overwrites what it starts from, so that no trial passes its test and all of them add up. The iteration ends as soon
as one of its residuals is exactly zero, as that of a BS without UEs is, rather than when all are. And the multipliers
are rescaled to a sum of 1 in every iteration. Powers follow the high-SINR form of the update, without
``alpha = SINR / (1 + SINR)``, and all of it sees 1/400 of the noise that results are scored with.

Settled here: iterations, trials and their halving, turns, steps of the power in a turn, association before powers in a
turn, interference without the signal of the own BS, and that the last iterate is returned.
"""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from wirelax.problems import AssociationProblem, evaluate
from wirelax.solvers.association.links import (
    Links,
    best_bs,
    efficiency,
    full_power,
    gather,
    links_of,
    load_of,
    product,
    sum_by_bs,
)
from wirelax.types import Solution

__all__ = ["association_juapcmwser_published", "association_uamwser_published", "high_sinr_step"]

NOISE_RATIO = 400.0
"""4e-14 W, which results are scored with, over 1e-16 W, which the baselines see."""
STEPS = 30
TRIALS = 10
HALVING = 0.5
TURNS = 8
POWER_STEPS = 40


def _seen(problem: AssociationProblem) -> AssociationProblem:
    return replace(problem, snr=problem.snr * NOISE_RATIO)


def _sums(efficiency: Array, association: Array) -> tuple[Array, Array]:
    own = jnp.take_along_axis(efficiency, jnp.maximum(association, 0)[None], 0)[0]
    load = sum_by_bs(jnp.ones_like(own), association, len(efficiency))
    return load, sum_by_bs(own, association, len(efficiency))


def _associate(problem: AssociationProblem, power: Float[Array, "bs"]) -> Int[Array, "ue"]:
    eff, reach = efficiency(problem, power), (problem.snr > 0).T
    step_sum = sum(HALVING**trial for trial in range(TRIALS))

    def normalised(scale: Array) -> Array:
        return scale / scale.sum()

    def step(state):
        scale, mean, _, _, count = state
        association = best_bs(scale[:, None] * (eff - mean[:, None]), reach)[1]
        load, total = _sums(eff, association)
        residual = jnp.stack([mean * load - total, scale * load - 1])
        held = jnp.maximum(load, 1.0)
        new_scale = scale + step_sum * (1 / held - scale)
        new_mean = mean + step_sum * (total / held - mean)
        scale = normalised(jnp.maximum(new_scale, jnp.finfo(scale.dtype).tiny))
        return scale, new_mean, association, (residual == 0).any(), count + 1

    start = jnp.where((problem.snr > 0).any(1), problem.num_bss - 1, -1)
    load, total = _sums(eff, start)
    held = jnp.maximum(load, 1.0)
    state = (normalised(1 / held), total / held, start, jnp.zeros((), bool), jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(lambda state: ~state[3] & (state[4] < STEPS), step, state)[2]


def high_sinr_step(links: Links, power: Float[Array, "bs"]) -> Float[Array, "bs"]:
    """``p_m = min(1, sum_k z_mk / sum_{n != m, k} z_nk g_mk / (I_k + 1))`` with ``z = x / N``, as shares."""
    weight = jnp.where(links.association >= 0, 1 / jnp.maximum(gather(links.load, links.association), 1.0), 0.0)
    lost = product(links.cross.T, weight / links.signals(power)[1])
    served = links.load > 0
    return jnp.where(served, 1 / jnp.maximum(lost, 1.0), 0.0)


def association_uamwser_published(problem: AssociationProblem) -> Solution:
    """UAMWSER with the faults of the published code, every BS at full power, also those without UEs.

    Args:
        problem: one downlink.
    """
    still = jax.lax.stop_gradient(problem)
    association = _associate(_seen(still), full_power(still))
    return evaluate(problem, problem.allocation(association, full_power(still)))


def association_juapcmwser_published(problem: AssociationProblem) -> Solution:
    """JUAPCMWSER with the faults of the published code: BSs that fall silent never come back.

    Args:
        problem: one downlink.
    """
    still = jax.lax.stop_gradient(problem)
    seen = _seen(still)

    def turn(_, state: tuple[Array, Array]) -> tuple[Array, Array]:
        association = _associate(seen, state[1])
        links = links_of(seen, association)
        power = jax.lax.fori_loop(0, POWER_STEPS, lambda _, power: high_sinr_step(links, power), state[1])
        return association, power

    power = full_power(still)
    association, power = jax.lax.fori_loop(0, TURNS, turn, (_associate(seen, power), power))
    power = jnp.where(load_of(still, association) > 0, power, 0.0)
    return evaluate(problem, problem.allocation(association, power), iterations=TURNS)
