"""Methods that run the unfolded network with the weights that come with the package, adapted to the event or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from wirelax.io import load_shipped
from wirelax.policies import PolicySpec, PolicyState
from wirelax.policies.association.starts import UPDATES, BestOfStarts, settled
from wirelax.problems import AssociationProblem, evaluate
from wirelax.solvers import association as solvers
from wirelax.systems.hudn.catalogue import METHODS
from wirelax.systems.hudn.recipes import unfolded_spec
from wirelax.systems.policies import policy_method
from wirelax.training import specialise
from wirelax.training.association import AssociationObjective, FixedTemperature
from wirelax.types import Allocation, Method, Solution

__all__ = ["Polished", "Specialised", "policy", "weights_of"]

FEW = 5
"""Rounds before a polish, which brings decisions of five rounds as far as those of eight."""
TINY, MANY = 256, 16
"""Links up to which the network decides from many starts: there they take no time, and one may miss by much."""
MOVED = 0.15
"""Share of the BSs and UEs that change at random in a start near the best so far."""
LEAST_SEEN = 1e-4
"""Share of the budget at which UEs see silent BSs then."""
CHUNK = 2
"""Problems at once: the matrices of a round stay in the cache."""


def weights_of(system: Any) -> str:
    """The weights of the unfolded network for the utility of a system."""
    return "unfolded-fair" if system.config.utility == "proportional-fair" else "unfolded"


_Found = tuple[Float[Array, ""], Allocation]
"""Utility and allocation."""


def _better(old: _Found, new: _Found) -> _Found:
    return jax.tree.map(lambda a, b: jnp.where(new[0] > old[0], a, b), new, old)


def _best_of(found: _Found) -> _Found:
    return jax.tree.map(lambda leaf: leaf[jnp.argmax(found[0])], found)


def _polished(problem: AssociationProblem, allocation: Allocation) -> _Found:
    found = solvers.association_polish(problem, allocation)
    return found.utility, dict(found.allocation)


def _near(problem: AssociationProblem, allocation: Allocation, key: PRNGKeyArray) -> Allocation:
    """A decision near another: some BSs are on or off at random, some UEs at the strongest of those on."""
    association, power = allocation["association"], problem.power_share(allocation)
    bs_key, ue_key, on_key, share_key = jax.random.split(key, 4)
    on = jax.random.bernoulli(on_key, jax.random.uniform(share_key, minval=0.1, maxval=0.6), power.shape)
    power = jnp.where(jax.random.bernoulli(bs_key, MOVED, power.shape), on.astype(power.dtype), power)
    strongest = jnp.argmax(problem.snr * (power + LEAST_SEEN), -1)
    moved = jax.random.bernoulli(ue_key, MOVED, association.shape)
    return problem.allocation(jnp.where(moved, strongest, association), power)


@dataclass(frozen=True, kw_only=True)
class Specialised:
    """The unfolded network trained on the event alone from where its weights start, the paper's SRL.

    Every step decides from several random starts; the best decision of all steps, starts and rounds counts.

    Attributes:
        spec: of the policy.
        steps: of training.
        starts: random starts in every step.
        learning_rate: of Adam.
        settled: how many of the best decisions, each of another step, have their powers settled.
        polish: whether these are polished instead.
        search: starts near the best so far after that, with `polish`.
        entropy: weight of the entropy of the choices.
    """

    spec: PolicySpec
    steps: int = 16
    starts: int = 1
    learning_rate: float = 1e-3
    settled: int = 16
    polish: bool = False
    search: int = 0
    entropy: float = 1e-2

    def __call__(self, state: PolicyState, problem: AssociationProblem, key: PRNGKeyArray) -> Solution:
        """Decide one problem."""
        still = jax.lax.stop_gradient(problem)
        train_key, search_key = jax.random.split(key)
        utility, allocation = self.decisions(state, still, train_key)
        rows = jax.lax.top_k(utility, min(self.settled, utility.size))[1]

        def finish(row: Array) -> _Found:
            decided = jax.tree.map(lambda leaf: leaf[row], allocation)
            return _polished(still, decided) if self.polish else settled(still, utility[row], decided, UPDATES)

        def explore(best: _Found, key: PRNGKeyArray) -> tuple[_Found, None]:
            return _better(best, _polished(still, _near(still, best[1], key))), None

        best = _best_of(jax.lax.map(finish, rows))
        if self.search:
            best, _ = jax.lax.scan(explore, best, jax.random.split(search_key, self.search))
        return evaluate(problem, best[1], iterations=self.steps)

    def decisions(
        self, state: PolicyState, problem: AssociationProblem, key: PRNGKeyArray
    ) -> tuple[Float[Array, " step"], Allocation]:
        """Utility and allocation of the best decision of every step; row 0 is that without adaptation."""
        first = BestOfStarts(spec=self.spec)(state, problem, key)
        objective = AssociationObjective(
            spec=self.spec,
            temperature=FixedTemperature(),
            entropy=self.entropy,
            starts=self.starts,
            every=2,
            keep=True,
        )
        optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(self.learning_rate))
        _, seen = specialise(objective, state, problem, steps=self.steps, optimizer=optimizer, key=key)
        allocation = jax.vmap(problem.allocation)(seen["association"], seen["power"])
        join = lambda one, many: jnp.concatenate([one[None], many])  # noqa: E731
        utility = join(first.utility, seen["best_utility"])
        allocation = jax.tree.map(join, dict(first.allocation), dict(allocation))
        return jnp.where(jnp.isfinite(utility), utility, -jnp.inf), allocation


@dataclass(frozen=True, kw_only=True)
class Polished:
    """The best of a network's decisions, polished.

    Attributes:
        starts: makes the decisions.
        best: how many of them, each from another start, are polished.
    """

    starts: BestOfStarts
    best: int = 1

    def __call__(self, state: PolicyState, problem: AssociationProblem, key: PRNGKeyArray) -> Solution:
        """Decide one problem."""
        still = jax.lax.stop_gradient(problem)
        utility, allocation = self.starts.candidates(state, still, key)
        rows = jax.lax.top_k(jnp.where(jnp.isfinite(utility), utility, -jnp.inf), self.best)[1]
        polish = lambda row: _polished(still, jax.tree.map(lambda leaf: leaf[row], dict(allocation)))  # noqa: E731
        return evaluate(problem, _best_of(jax.lax.map(polish, rows))[1])


def policy(system: Any, name: str) -> Method:
    """A method of the unfolded network, with the weights for the utility of the system."""
    spec = unfolded_spec(system)
    tiny = system.config.num_ues * system.config.num_bss <= TINY
    starts, best = (MANY, MANY // 4) if tiny else (1, 1)
    solves: dict[str, Callable[..., Solution]] = {
        "unfolded-grl": BestOfStarts(spec=spec, starts=starts),
        "unfolded-grl+polish": Polished(
            starts=BestOfStarts(spec=spec, starts=starts, rounds=FEW, updates=0), best=best
        ),
        "unfolded-srl": Specialised(spec=spec),
        "unfolded-srl+polish": Specialised(spec=spec, steps=8, settled=8, polish=True, search=100),
    }
    load = lambda: load_shipped(system.name, weights_of(system))  # noqa: E731
    return policy_method(system, name, METHODS[name].summary, spec, load, solve=solves[name], chunk=CHUNK)
