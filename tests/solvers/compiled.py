"""Problems from gains, and compiled solvers shared by the test modules: compiling is what takes the time."""

import functools

import jax
import jax.numpy as jnp

from wirelax import solvers
from wirelax.problems import make_energy_efficiency_problem
from wirelax.solvers.energy_efficiency import make_power_grid, power_levels

from ..compiling import quick_jit
from . import reference


def make_problems(gains, target=0.0, **changes):
    """A batch of problems from gains [instance, subchannel, user, bs], with one SE target or one each."""
    gains = jnp.asarray(gains, float)
    settings = reference.constants(gains.shape[-1]) | changes
    targets = jnp.broadcast_to(jnp.asarray(target, gains.dtype), gains.shape[:1])

    def one(gain, target):
        return make_energy_efficiency_problem(gain, min_spectral_efficiency=target, **settings)

    return jax.vmap(one)(gains, targets)


def make_problem(gain, target=0.0, **changes):
    """One problem, its constants those of `reference.constants`."""
    settings = reference.constants(gain.shape[-1]) | changes
    return make_energy_efficiency_problem(gain, min_spectral_efficiency=target, **settings)


@functools.cache
def searches(count, spacing="db", *, quick=True, plain=True):
    """A compiled function: batch of problems -> fast optimum, fast optimum per assignment, plain optimum."""

    def one(problem):
        fast, each = solvers.search_with_assignments(
            problem, make_power_grid(problem.num_subchannels, count, spacing=spacing)
        )
        levels = power_levels(count, spacing=spacing)
        return fast, each, solvers.exhaustive_search_reference(problem, levels) if plain else None

    return (quick_jit if quick else jax.jit)(functools.partial(jax.lax.map, one))


def in_chunks(solve, problems, chunk):
    """Run a compiled batch function on chunks of one size, so that it is compiled for that size only."""
    count = len(problems.snr)
    rows = jnp.arange(-(-count // chunk) * chunk) % count
    parts = []
    for start in range(0, len(rows), chunk):
        part = jax.tree.map(lambda leaf, at=rows[start : start + chunk]: leaf[at], problems)
        parts.append(jax.tree.map(jax.device_get, solve(part)))
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves)[:count], *parts)


def default_search(gains, target=0.0, **changes):
    """`searches` of the default size on 4 levels, for any number of channels."""
    return in_chunks(searches(4), make_problems(gains, target, **changes), 50)


@functools.cache
def compiled_polish():
    """`exhaustive_polish` of a batch, on 4 levels."""

    def polish(problem):
        return solvers.exhaustive_polish(problem, make_power_grid(problem.num_subchannels, 4))

    return quick_jit(functools.partial(jax.lax.map, polish))


def polish(gains, target=0.0, **changes):
    """`exhaustive_polish` of any number of channels of the default size."""
    return in_chunks(compiled_polish(), make_problems(gains, target, **changes), 12)


@functools.cache
def dozen():
    """Twelve channels of the default size, and their polished optima."""
    gains = reference.random_gains(20, 12)
    return gains, polish(gains)


def value_of(function, gains, solution, **settings):
    """A function of the reference at every allocation of a batch."""
    pairs = zip(gains, solution.allocation["assignment"], solution.allocation["power_w"], strict=True)
    return jnp.array([function(g, a.tolist(), jnp.asarray(p, float).tolist(), **settings) for g, a, p in pairs])
