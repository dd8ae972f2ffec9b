"""Every way to solve the NOMA problem, by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from wirelax.policies import load_shipped
from wirelax.solvers.noma_joint import noma_joint
from wirelax.solvers.noma_power import CHUNK, noma_power
from wirelax.solvers.noma_problem import NomaProblem, Slots
from wirelax.solvers.paus import paus
from wirelax.solvers.swap_matching import swap_matching
from wirelax.systems.noma.config import Head
from wirelax.systems.noma.policy_methods import policy_method, policy_power
from wirelax.systems.noma.recipes import recipes
from wirelax.types import Channel, Method, Solution, Status

if TYPE_CHECKING:
    from wirelax.systems.noma.system import Noma

__all__ = ["methods", "solution_of_slots"]

# method: (weights file, head, summary)
_SHIPPED: dict[str, tuple[str, Head, str]] = {
    "dnn": ("dnn", "split", "paper 2's DNN, supervised on interior-point labels, repaired"),
    "dnn+rate": ("dnn+rate", "split", "that DNN fine-tuned on the sum rate, repaired"),
    "dnn+qos": ("dnn+qos", "split", "that DNN with learnt floors, fine-tuned with R_min by primal-dual, repaired"),
    "dnn-raw": ("dnn", "raw", "dnn as the network gives it, no repair"),
    "dnn+rate-raw": ("dnn+rate", "raw", "dnn+rate as the network gives it, no repair"),
    "dnn+qos-raw": ("dnn+qos", "raw", "dnn+qos as the network gives it, no repair"),
    "dnn+simplex": ("dnn+simplex", "simplex", "that DNN splitting what R_min leaves over, fine-tuned on the sum rate"),
    "equivariant": ("equivariant", "simplex", "one network for any numbers of subchannels and users"),
}


def solution_of_slots(problem: NomaProblem, slots: Slots, power_w: Array, found: Solution | None = None) -> Solution:
    """A decision in slots as matrices, evaluated through the kernels."""
    assignment, power = slots.assignment(problem.num_users), slots.scatter(power_w, problem.num_users)
    zero = jnp.zeros((), jnp.int32)
    return Solution(
        allocation={"assignment": assignment, "power_w": power},
        utility=problem.utility(assignment, power),
        iterations=zero if found is None else found.iterations,
        status=zero + Status.CONVERGED if found is None else found.status,
    )


def _interior_point(system: Noma, state: Any, channel: Channel, key: PRNGKeyArray) -> Solution:
    problem = system.problem(channel)
    slots = problem.slots(system.schedule(channel))
    found = noma_power(problem, slots, starts=system.config.starts, key=key)
    return solution_of_slots(problem, slots, found.allocation["power_w"], found)


def _max_power(system: Noma, state: Any, channel: Channel, key: PRNGKeyArray) -> Solution:
    problem = system.problem(channel)
    slots = problem.slots(system.schedule(channel))
    return solution_of_slots(problem, slots, problem.equal_power(slots))


def _random_power(system: Noma, state: Any, channel: Channel, key: PRNGKeyArray) -> Solution:
    problem = system.problem(channel)
    slots = problem.slots(system.schedule(channel))
    drawn = jnp.where(slots.used, jax.random.uniform(key, slots.user.shape, minval=1e-6), 0.0)
    return solution_of_slots(problem, slots, drawn * (system.total_power_w / drawn.sum()))


def _swap_matching(system: Noma, state: Any, channel: Channel, key: PRNGKeyArray) -> Solution:
    problem = system.problem(channel)
    slots = problem.slots(system.schedule(channel))
    return _from_users(problem, swap_matching(problem, slots, problem.equal_power(slots)))


def _from_users(problem: NomaProblem, found: Solution) -> Solution:
    slots = problem.fill(found.allocation["user"])
    return solution_of_slots(problem, slots, found.allocation["power_w"], found)


def _paus_ip(system: Noma, state: Any, channel: Channel, key: PRNGKeyArray) -> Solution:
    problem = system.problem(channel)
    slots = problem.slots(system.schedule(channel))
    # One start a round: more have not been seen to find better powers (tests/solvers/test_noma_power.py).
    power_of = lambda slots: noma_power(problem, slots, starts=1, key=key).allocation["power_w"]  # noqa: E731
    return _from_users(problem, paus(problem, slots, power_of))


def _paus(system: Noma, network: Any, head: Head, state: Any, channel: Channel, key: PRNGKeyArray) -> Solution:
    problem = system.problem(channel)
    slots = problem.slots(system.schedule(channel))
    return _from_users(problem, paus(problem, slots, partial(policy_power, system, network, head, state, channel)))


def _joint(system: Noma, state: Any, channel: Channel, key: PRNGKeyArray) -> Solution:
    problem = system.problem(channel)
    return _from_users(problem, noma_joint(problem, key=key, starts=system.config.starts))


def methods(system: Noma) -> Mapping[str, Method]:
    """Solvers, heuristics and the shipped policies that fit the sizes of `system`."""
    heuristics = {
        "max-power": ("equal powers over scheduled pairs", _max_power),
        "random-power": ("uniform random powers scaled to the total", _random_power),
    }
    iterative = {
        "interior-point": ("powers of the schedule by interior point, multi-start", _interior_point),
        "swap-matching": ("equal powers, users exchanged while the sum rate rises", _swap_matching),
        "paus-ip": ("interior point and swap matching in turns", _paus_ip),
        "joint": ("schedule by dynamic programming over a power grid, powers by interior point", _joint),
    }
    found = {
        name: Method(name, summary, partial(solve, system), chunk=chunk)
        for table, chunk in ((iterative, CHUNK), (heuristics, None))
        for name, (summary, solve) in table.items()
    }
    known = recipes(system)
    for name, (weights, head, summary) in _SHIPPED.items():
        load = partial(load_shipped, system.name, weights)
        found[name] = policy_method(system, name, summary, known[weights].network, load, head)
    for name, weights in (("paus", "dnn"), ("paus-equivariant", "equivariant")):
        solve = partial(_paus, system, known[weights].network, _SHIPPED[weights][1])
        found[name] = Method(
            name, f"{weights} and swap matching in turns", solve, load=found[weights].load, chunk=CHUNK
        )
    return found
