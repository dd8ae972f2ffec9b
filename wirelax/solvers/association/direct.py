"""Gradient ascent on a relaxed association and powers of one downlink, with falling temperature."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from wirelax.kernels import activity
from wirelax.problems import AssociationProblem, evaluate
from wirelax.solvers.association.links import best_bs, links_of
from wirelax.solvers.association.power import update_links
from wirelax.types import Solution

__all__ = ["association_direct"]

TEMPERATURES = (1.0, 0.05)
"""Of the first and of the last step."""
LEARNING_RATE = 0.1
LARGEST_SLOPE = 2.0
"""By which the standardised logarithms of the gains enter the logits: from 0 in the first start to this in the last."""
POWER_STEPS = 30

Variables = tuple[Float[Array, "ue bs"], Float[Array, "bs"]]


def _starts(problem: AssociationProblem, key: PRNGKeyArray, starts: int) -> Variables:
    """Logits from the gains, more or less, and noise; powers at random."""
    reach = problem.snr > 0
    ln_snr = jnp.log(jnp.where(reach, problem.snr, 1.0))
    number = jnp.maximum(reach.sum(), 1)
    mean = jnp.where(reach, ln_snr, 0.0).sum() / number
    spread = jnp.sqrt(jnp.where(reach, jnp.square(ln_snr - mean), 0.0).sum() / number)
    standard = jnp.where(reach, (ln_snr - mean) / jnp.where(spread > 0, spread, 1.0), 0.0)
    noise, level, shift = jax.random.split(key, 3)
    slope = jnp.linspace(LARGEST_SLOPE, 0.0, starts, dtype=ln_snr.dtype)[:, None, None]
    logits = slope * standard + 0.3 * jax.random.normal(noise, (starts, *standard.shape), ln_snr.dtype)
    shape = (starts, problem.num_bss)
    power = jax.random.normal(level, shape, ln_snr.dtype)
    return logits, power + jax.random.uniform(shift, (starts, 1), ln_snr.dtype, -2.0, 2.0)


def _relaxed_utility(problem: AssociationProblem, variables: Variables, temperature: Array) -> Float[Array, ""]:
    logits, power = variables
    reach = problem.snr > 0
    held = reach.any(-1, keepdims=True)
    share = jax.nn.softmax(logits / temperature, -1, where=reach | ~held)
    share = jnp.where(reach, share, 0.0)
    # The gate is held: the slopes of a product over UEs cost more than they tell where shares are far from 0 and 1.
    power = jax.nn.sigmoid(power) * jax.lax.stop_gradient(activity(share))
    return problem.utility_of_rates(problem.relaxed_rates(share, power, gate=False))


def _climb(problem: AssociationProblem, start: Variables, steps: int) -> tuple[Int[Array, "ue"], Array, Array]:
    """The best association, powers and utility on the way, all of them hard."""
    optimizer = optax.adam(optax.cosine_decay_schedule(LEARNING_RATE, steps, 0.1))
    first, last = TEMPERATURES
    reach = (problem.snr > 0).T

    def hard(variables: Variables) -> tuple[Array, Array, Array]:
        association = best_bs(variables[0].T, reach)[1]
        links = links_of(problem, association)
        power = jnp.where(links.load > 0, jax.nn.sigmoid(variables[1]), 0.0)
        return association, power, problem.utility_of_rates(links.rates(power))

    def step(state, fraction):
        variables, memory, best = state
        met = hard(variables)
        better = met[2] > best[2]
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), met, best)
        temperature = first * (last / first) ** fraction
        gradient = jax.grad(lambda v: -_relaxed_utility(problem, v, temperature))(variables)
        updates, memory = optimizer.update(gradient, memory)
        return (optax.apply_updates(variables, updates), memory, best), None

    fractions = jnp.linspace(0, 1, steps, dtype=problem.snr.dtype)
    state = (start, optimizer.init(start), hard(start))
    variables, _, best = jax.lax.scan(step, state, fractions)[0]
    met = hard(variables)
    association, power, _ = jax.tree.map(lambda new, old: jnp.where(met[2] > best[2], new, old), met, best)
    links = links_of(problem, association)
    risen = update_links(links, power, POWER_STEPS, problem.rate_floor, problem.objective)
    values = [problem.utility_of_rates(links.rates(p)) for p in (power, risen)]
    return association, jnp.where(values[1] > values[0], risen, power), jnp.maximum(*values)


def association_direct(
    problem: AssociationProblem, *, key: PRNGKeyArray, starts: int = 8, steps: int = 400
) -> Solution:
    """Adam on logits of the association and of the powers of this one downlink, from several starts.

    The ascent is on `AssociationProblem.relaxed_rates`, whose softmax cools down. The best hard association and powers
    on the way are kept, their powers then updated by the fixed point.

    Args:
        problem: one downlink.
        key: random key.
        starts: how many (static).
        steps: of each (static).
    """
    still = jax.lax.stop_gradient(problem)
    found = jax.lax.map(lambda start: _climb(still, start, steps), _starts(still, key, starts))
    association, power, _ = jax.tree.map(lambda leaf: leaf[jnp.argmax(found[2])], found)
    return evaluate(problem, problem.allocation(association, power), iterations=steps)
