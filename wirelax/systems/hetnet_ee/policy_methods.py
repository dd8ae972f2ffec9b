"""From trained weights to methods: the likeliest assignment, the best of all, or that one refined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array

from wirelax.policies import Policy, budgeted_power, check_trained_for, outputs_of
from wirelax.solvers.energy_efficiency import efficiency_steps
from wirelax.types import Channel, Method, Solution, Status

if TYPE_CHECKING:
    from wirelax.systems.hetnet_ee.system import HetNetEE

__all__ = ["Mode", "policy_method"]

Mode = Literal["class", "best", "refine"]

REFINE_STEPS = 8
SIZES = ("num_micro", "users_per_bs", "num_subchannels")


def solution_of(system: HetNetEE, channel: Channel, assignment: Array, power_w: Array) -> Solution:
    """Evaluate a decision through the kernels."""
    problem = system.problem(channel)
    met = problem.meets_target(assignment, power_w)
    return Solution(
        allocation={"assignment": assignment, "power_w": power_w},
        utility=problem.energy_efficiency(assignment, power_w),
        iterations=jnp.zeros((), jnp.int32),
        status=jnp.where(met, Status.CONVERGED, Status.INFEASIBLE).astype(jnp.int32),
    )


def best_of_all(system: HetNetEE, outputs: Mapping[str, Array], channel: Channel) -> tuple[Array, Array]:
    """Every assignment scored by the kernels with the powers that the network gives it; the best decision."""
    problem, candidates = system.problem(channel), jnp.asarray(system.assignments)
    power_w = budgeted_power(outputs["log_power"], jnp.asarray(system.max_power_w))
    power_w = jnp.broadcast_to(power_w, (len(candidates), *power_w.shape[-2:]))
    rate_bps = jax.vmap(problem.sum_rate_bps)(candidates, power_w)
    efficiency = rate_bps / problem.total_power_w(power_w.sum((-2, -1)))
    score = jnp.where(rate_bps >= problem.min_sum_rate_bps, efficiency, rate_bps - problem.min_sum_rate_bps)
    best = jnp.argmax(score)
    return candidates[best], power_w[best]


def check_sizes(system: HetNetEE, policy: Policy) -> None:
    """Raise ValueError where the network's shape belongs to another size."""
    fixed = SIZES[:1] if policy.name == "equivariant" else SIZES
    check_trained_for(policy, system.config, fixed, "train one for this size")


def policy_method(
    system: HetNetEE,
    name: str,
    summary: str,
    network: Any,
    policy: Callable[[], Policy],
    mode: Mode,
) -> Method:
    """A method that runs a policy, loaded when first used.

    Modes: "class" decodes the network's own choice, "best" scores all assignments with the kernels, "refine"
    adds a few steps of the closed-form power iteration to the best one.
    """

    def load() -> dict[str, Any]:
        loaded = policy()
        check_sizes(system, loaded)
        return loaded.state

    def decide(state: Any, channel: Channel) -> tuple[Array, Array]:
        outputs = outputs_of(network.apply, state, system.features(channel))
        if mode == "class":
            decision = system.decode(outputs, channel)
            return decision["assignment"], decision["power_w"]
        return best_of_all(system, outputs, channel)

    def solve(state: Any, channel: Channel, key: Array) -> Solution:
        return solution_of(system, channel, *decide(state, channel))

    def refine(state: Any, channels: Channel, keys: Array) -> Solution:
        assignment, power_w = jax.vmap(decide, in_axes=(None, 0))(state, channels)
        problems = jax.vmap(system.problem)(channels)
        power_w = efficiency_steps(problems, assignment, power_w, steps=REFINE_STEPS)
        return jax.vmap(partial(solution_of, system))(channels, assignment, power_w)

    if mode == "refine":
        return Method(name=name, summary=summary, solve=refine, load=load, over="batch")
    return Method(name=name, summary=summary, solve=solve, load=load)
