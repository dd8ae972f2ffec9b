"""What the policies for energy efficiency are trained by: errors of labels, the efficiency itself, symmetries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from wirelax.policies import LogPowerBounds, PolicySpec, PolicyState, budgeted_power
from wirelax.policies.energy_efficiency import candidates, local_matching, rate_and_consumption, raw_of
from wirelax.problems import EnergyEfficiencyProblem
from wirelax.training.losses import classify_and_regress, expected_utility, label_weights
from wirelax.training.objectives import Evaluation, Objective

__all__ = [
    "assignment_error",
    "log_efficiency",
    "renumbered",
    "search_objective",
    "symmetries",
    "with_varied_constants",
]

RANDOM_CHOICES = 2
"""Random assignments of a problem that the power network also learns from, beside the two matchings."""
EARLY_STEPS = 0.1
"""Weight of the power network's steps before the last one."""
IMITATION = 0.02
"""Weight of the scores' imitation of the best candidates."""
SHARPNESS = 30.0


def symmetries(
    num_micro: int, users_per_bs: int, num_subchannels: int, limit: int = 64
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Renumberings of subchannels, users and BSs that leave the network what it is, at most `limit` of them.

    Returns:
        Index arrays [symmetry, subchannel], [symmetry, user], [symmetry, bs]: users move within their cells,
        micro BSs with their cells; all symmetries where there are few, random ones where there are many.
    """
    rng, found = np.random.default_rng(0), {}
    for _ in range(40 * limit):
        bs = np.concatenate([[0], 1 + rng.permutation(num_micro)])
        user = np.concatenate([users_per_bs * b + rng.permutation(users_per_bs) for b in bs])
        found[tuple(rng.permutation(num_subchannels)), tuple(user), tuple(bs)] = None
        if len(found) == limit:
            break
    subchannel, user, bs = zip(*sorted(found), strict=True)
    return np.array(subchannel), np.array(user), np.array(bs)


def renumbered(problem: EnergyEfficiencyProblem, key: PRNGKeyArray) -> EnergyEfficiencyProblem:
    """The same network, renumbered by one of `symmetries` at random; budgets of micros are equal."""
    tables = symmetries(problem.num_bs - 1, problem.users_per_bs, problem.num_subchannels)
    pick = jax.random.randint(key, (), 0, len(tables[0]))
    subchannel, user, bs = (jnp.asarray(table)[pick] for table in tables)
    return replace(problem, snr=problem.snr[subchannel[:, None, None], user[:, None], bs])


def assignment_error(outputs: Mapping[str, Array], problem: Any, label: Mapping[str, Array]) -> Array:
    """Cross-entropy of the assignment and squared error of the powers, eqs. (10)-(12)."""
    best = jnp.argmax(label["value"])
    if outputs["log_power"].ndim == 2:
        values, targets = outputs["log_power"], label["log_power"][best]
        return classify_and_regress(outputs["assignment_logits"], best, raw_of(values), raw_of(targets))
    weight = jnp.sqrt(label_weights(label["value"])[:, None, None])
    values, targets = (weight * raw_of(x) for x in (outputs["log_power"], label["log_power"]))
    return classify_and_regress(outputs["assignment_logits"], best, values, targets)


def log_efficiency(
    bounds: LogPowerBounds, outputs: Mapping[str, Array], problem: EnergyEfficiencyProblem, key: PRNGKeyArray
) -> Evaluation:
    """Minus the expected log energy efficiency (Mbit/J), through the kernels."""
    power_w, listed = budgeted_power(outputs["log_power"], problem.max_power_w, bounds), candidates(problem)
    shared = power_w.ndim == 2
    power_w = jnp.broadcast_to(power_w, (len(listed), *power_w.shape[-2:]))
    value = jax.vmap(problem.energy_efficiency)(listed, power_w)
    value = jnp.log(jnp.maximum(value, 1.0) * 1e-6)
    metrics = {"mean_best_log_efficiency": value.max()}
    if shared:
        return Evaluation(-expected_utility(outputs["assignment_logits"], value), metrics=metrics)
    weight = jax.lax.stop_gradient(label_weights(jnp.exp(value)))
    choice = -expected_utility(outputs["assignment_logits"], jax.lax.stop_gradient(value))
    return Evaluation(choice - (weight * value).sum(), metrics=metrics)


def search_objective(spec: PolicySpec) -> Objective:
    """Unsupervised: minus the log energy efficiency of the powers that an `AssignmentSearch` gives to assignments.

    The assignments are the policy's own two matchings and random ones, the better weighing more; the scores behind the
    matchings imitate the best of them. For batches of problems of one size.

    Args:
        spec: network, an `AssignmentSearch`, and its features.
    """
    network: Any = spec.network

    def one(policy: PolicyState, features: Mapping[str, Array], key: PRNGKeyArray) -> tuple[Array, Array]:
        scores, starts = (network.apply(policy.params, features, method=name) for name in ("scores", "starts"))
        drawn = [local_matching(jax.random.uniform(k, scores.shape)) for k in jax.random.split(key, RANDOM_CHOICES)]
        choice = jnp.concatenate([starts, jnp.stack(drawn, -1)], -1)
        steps, gain = network.apply(policy.params, features, choice, method="powers")

        def log_ratio(log_power: Array) -> Array:
            sum_rate, drawn = rate_and_consumption(features, gain, log_power)
            return jnp.log(jnp.maximum(sum_rate, 1e-6)) - jnp.log(drawn)

        values = jax.vmap(log_ratio)(steps)
        weight = jax.lax.stop_gradient(label_weights(jnp.exp(values[-1]), SHARPNESS))
        climb = (weight * values[-1]).sum() + EARLY_STEPS * (weight * values[:-1]).sum()
        best = jax.nn.softmax(jax.lax.stop_gradient(SHARPNESS * values[-1]))
        likely = jax.nn.log_softmax(scores, axis=1)
        users = jnp.arange(scores.shape[1])[:, None, None]
        picked = jnp.where(choice[:, None] == users, likely[..., None], 0.0).sum(1).mean((0, 1))
        return -climb - IMITATION * (best * picked).sum(), values[-1].max()

    def objective(policy: PolicyState, batch: Any, key: PRNGKeyArray) -> Evaluation:
        features = jax.vmap(lambda problem: spec.inputs(policy, problem), out_axes=-1)(batch)
        keys = jax.random.split(key, len(jax.tree.leaves(batch)[0]))
        loss, value = jax.vmap(one, in_axes=(None, -1, 0))(policy, features, keys)
        return Evaluation(loss.mean(), metrics={"log_efficiency": value.mean()})

    return objective


def with_varied_constants(problem: EnergyEfficiencyProblem, key: PRNGKeyArray) -> EnergyEfficiencyProblem:
    """Three problems in ten with another noise, other budgets and another circuit power, by up to 10, 7 and 5 dB."""
    coin, size = jax.random.split(key)
    drawn = jax.random.bernoulli(coin, 0.3) * jax.random.uniform(size, (3,), minval=-1.0, maxval=1.0)
    noise, budget, circuit = jnp.power(10.0, drawn * jnp.asarray([1.0, 0.7, 0.5]))
    return replace(
        problem,
        snr=problem.snr * (budget / noise),
        max_power_w=problem.max_power_w * budget,
        circuit_power_w=problem.circuit_power_w * circuit,
    )
