"""From trained weights to methods of the NOMA system."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from wirelax.policies import Policy, check_trained_for, outputs_of
from wirelax.solvers.noma_problem import Slots
from wirelax.systems.noma.config import Head
from wirelax.types import Channel, Method, Solution, Status

if TYPE_CHECKING:
    from wirelax.systems.noma.system import Noma

__all__ = ["policy_method", "policy_power"]

SIZES = ("num_subchannels", "num_users")


def policy_power(
    system: Noma, network: Any, head: Head, state: Any, channel: Channel, slots: Slots
) -> Float[Array, "subchannel slot"]:
    """Feasible powers in W that a network gives to any schedule of a channel."""
    problem = system.problem(channel)
    scheduled = {**channel, "assignment": slots.assignment(problem.num_users)}
    outputs = outputs_of(network.apply, state, system.features(scheduled))
    power_w = slots.gather(system.power(outputs, scheduled, head))
    return problem.simplex(slots).repair(power_w)


def check_sizes(system: Noma, policy: Policy) -> None:
    """Raise ValueError where the network's shape belongs to another size."""
    general = policy.name == "equivariant"
    remedy = "train one for this size" + ("" if general else " or use 'equivariant'")
    check_trained_for(policy, system.config, ("max_users_per_subchannel",) if general else SIZES, remedy)


def policy_method(
    system: Noma, name: str, summary: str, network: Any, policy: Callable[[], Policy], head: Head
) -> Method:
    """A method that runs a policy, loaded when first used."""

    def load() -> dict[str, Any]:
        loaded = policy()
        check_sizes(system, loaded)
        return loaded.state

    def solve(state: Any, channel: Channel, key: PRNGKeyArray) -> Solution:
        outputs = outputs_of(network.apply, state, system.features(channel))
        decision = system.decode(outputs, channel, head)
        problem = system.problem(channel)
        reachable = problem.simplex(problem.slots(decision["assignment"])).feasible
        return Solution(
            allocation=decision,
            utility=system.utility(decision, channel),
            iterations=jnp.zeros((), jnp.int32),
            status=jnp.where(reachable, Status.CONVERGED, Status.INFEASIBLE).astype(jnp.int32),
        )

    return Method(name=name, summary=summary, solve=solve, load=load)
