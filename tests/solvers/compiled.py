"""Problems from gains, and compiled solvers shared by the test modules: compiling is what takes the time."""

import functools

import jax
import jax.numpy as jnp

from wirelax import solvers

from ..compiling import quick_jit
from . import reference


def make_problems(gains, target=0.0, **changes):
    """A batch of problems from gains [instance, subchannel, user, bs], with one SE target or one each."""
    gains = jnp.asarray(gains, float)
    settings = reference.constants(gains.shape[-1]) | changes
    targets = jnp.broadcast_to(jnp.asarray(target, gains.dtype), gains.shape[:1])

    def one(gain, target):
        return solvers.make_energy_efficiency_problem(gain, min_spectral_efficiency=target, **settings)

    return jax.jit(jax.vmap(one))(gains, targets)


@functools.cache
def searches(levels, spacing="db", *, quick=False, plain=True):
    """A compiled function: batch of problems -> fast optimum, fast optimum per assignment, plain optimum."""
    grid = {"levels": levels, "spacing": spacing}

    def one(problem):
        fast, each = solvers.search_with_assignments(problem, **grid)
        return fast, each, solvers.exhaustive_search_reference(problem, **grid) if plain else None

    return (quick_jit if quick else jax.jit)(functools.partial(jax.lax.map, one))


def in_chunks(solve, problems, chunk):
    """Run a compiled batch function on chunks of one size, so that it is compiled for that size only."""
    count = len(problems.gain)
    rows = jnp.arange(-(-count // chunk) * chunk) % count
    parts = []
    for start in range(0, len(rows), chunk):
        part = jax.tree.map(lambda leaf, at=rows[start : start + chunk]: leaf[at], problems)
        parts.append(jax.tree.map(jax.device_get, solve(part)))
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves)[:count], *parts)


def default_search(gains, target=0.0):
    """`searches` of the default size on 4 levels, for any number of channels."""
    return in_chunks(searches(4), make_problems(gains, target), 125)
