"""Multi-start gradient ascent on the utility of any problem, through its kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from wirelax.problems import Problem, evaluate, is_feasible
from wirelax.types import Allocation, Solution, Status

__all__ = ["gradient_ascent"]

PENALTY = 10.0
"""Price of a relative violation, in utilities."""


def gradient_ascent(
    problem: Problem,
    starts: Any,
    decode: Callable[[Any, Problem], Allocation],
    *,
    steps: int = 300,
    learning_rate: float = 0.1,
) -> Solution:
    """The best decision that Adam meets on its way from several starts.

    Adam climbs the utility, relative to its largest size so far, less a price on violations. `decode` keeps the
    constraints that have a closed form (budgets, say) and is differentiable in the floats of its variables; the price
    has to keep the others. Adam's steps have the size of the learning rate whatever the slope: variables should be of
    order 1, such as logarithms of powers.

    Args:
        problem: one instance.
        starts: pytree of variables with a leading axis of starts; integers and booleans among them are held.
        decode: ``(variables, problem) -> allocation``.
        steps: per start (static).
        learning_rate: at the first step; it falls along half a cosine to a hundredth.

    Returns:
        `Solution`: the best feasible decision over all starts and steps; where there is none the one that breaks
        its constraints least, with status INFEASIBLE; NOT_FINITE, and variables of 0 in place of what is no number,
        where no utility on the way was a number. Its utility has derivatives with respect to the problem with
        the variables held: those of the local optimum where no constraint binds that `decode` leaves to the price.
    """
    given, problem = problem, jax.lax.stop_gradient(problem)
    optimizer = optax.adam(optax.cosine_decay_schedule(learning_rate, steps, 0.01))

    def measured(variables: Any, size: Array) -> tuple[Array, tuple[tuple[Array, Array], Array]]:
        allocation = decode(variables, problem)
        utility, violations = problem.utility(allocation), problem.violations(allocation)
        broken = sum((jax.nn.relu(v) for v in violations.values()), jnp.zeros(()))
        # Not its present size: where a utility passes through zero, one huge slope would stop Adam for good.
        now = jnp.abs(jax.lax.stop_gradient(utility))
        size = jnp.maximum(size, jnp.where(jnp.isfinite(now), now, 0.0))
        loss = broken * PENALTY - utility / jnp.where(size > 0, size, 1.0)
        return loss, ((utility, jnp.where(is_feasible(violations), 0.0, broken + 1e-30)), size)

    def climb(start: Any) -> tuple[Any, tuple[Array, Array]]:
        moving, held = _split(start)

        def step(state, _):
            moving, memory, best, size = state
            slope = jax.grad(lambda m: measured(_join(m, held), size), has_aux=True)
            gradient, (seen, size) = slope(moving)
            better = _better(seen, best[1])
            best = jax.tree.map(lambda new, old: jnp.where(better, new, old), (moving, seen), best)
            updates, memory = optimizer.update(gradient, memory, moving)
            return (optax.apply_updates(moving, updates), memory, best, size), None

        worst = (-jnp.inf * jnp.ones(()), jnp.inf * jnp.ones(()))
        state = (moving, optimizer.init(moving), (moving, worst), first_size)
        moving, _, best, _ = jax.lax.scan(step, state, None, length=steps)[0]
        last = measured(_join(moving, held), first_size)[1][0]
        better = _better(last, best[1])
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), (moving, last), best)
        return _join(best[0], held), best[1]

    first = jnp.abs(jax.vmap(lambda start: problem.utility(decode(start, problem)))(starts))
    first_size = jnp.where(jnp.isfinite(first), first, 0.0).max()
    found, (utility, broken) = jax.vmap(climb)(starts)
    value = jnp.where(broken > 0, -jnp.inf, utility)
    chosen = jnp.where((broken > 0).all(), jnp.argmin(broken), jnp.argmax(value))
    variables = jax.lax.stop_gradient(jax.tree.map(lambda leaf: leaf[chosen], found))
    lost = jnp.isinf(broken).all()
    variables = jax.tree.map(lambda leaf: jnp.where(lost & ~jnp.isfinite(leaf), 0, leaf).astype(leaf.dtype), variables)
    status = jnp.where((broken > 0).all(), Status.INFEASIBLE, Status.CONVERGED)
    status = jnp.where(lost, Status.NOT_FINITE, status)
    return evaluate(given, decode(variables, given), status=status, iterations=steps)


def _better(new: tuple[Array, Array], old: tuple[Array, Array]) -> Bool[Array, ""]:
    """Whether (utility, violation) beats another: less violation first, then more utility; NaN beats nothing."""
    less = new[1] < old[1]
    return jnp.isfinite(new[0]) & (less | ((new[1] == old[1]) & (new[0] > old[0])))


def _split(variables: Any) -> tuple[list[Float[Array, "..."]], tuple[Any, list[Any]]]:
    """The floats, and all that it takes to put them back."""
    leaves, structure = jax.tree.flatten(variables)
    moving = [leaf for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return moving, (structure, [None if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf for leaf in leaves])


def _join(moving: list[Array], held: tuple[Any, list[Any]]) -> Any:
    structure, places = held
    floats = iter(moving)
    return jax.tree.unflatten(structure, [next(floats) if place is None else place for place in places])
