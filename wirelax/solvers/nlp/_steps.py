"""The steps of the interior-point method: directions, step sizes, barrier, damping, and the loop over them."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from wirelax.solvers.nlp._kkt import Kkt, Structure, dot, largest, small_solve
from wirelax.solvers.nlp.program import InteriorPointOptions, NonlinearProgram

__all__ = ["Iterate", "lagrangian_hessian", "local_at", "solve", "stationarity"]

BOUNDARY = 0.995
"""Share of the way to the boundary that a step may go."""
ARMIJO = 1e-4
STEPS = (1.0, 0.4, 0.15, 0.05, 0.01)
"""Step sizes tried at once, of the longest; where none fits, a heavier damping gives a shorter step."""
DAMPING_FIRST, DAMPING_UP, DAMPING_DOWN = 1e-2, 10.0, 1 / 5
"""First damping relative to the largest entry of the Hessian, its growth after a failure, its decay after."""
DAMPING_OFF, DAMPING_MAX = 1e-5, 1e8
"""Relative to the same: below it there is none, above it the instance has stalled."""
MAX_GRADIENT = 100.0
"""Objective and constraints are scaled down where their gradients at the start are larger."""
MULTIPLIER_SPREAD = 1e10
"""Duals may differ from barrier / slack by this factor at most."""
NEAR, OFF = 1e-4, 1e-2
"""Inequalities below the first at the start get the second as their slack."""
ROUNDING = 8
"""Machine epsilons of a gradient's size that its rounding may come to."""


class Iterate(NamedTuple):
    """Variables x, slacks s, multipliers y of equalities and z of inequalities, and what steers the steps."""

    x: Array
    s: Array
    y: Array
    z: Array
    barrier: Array
    damping: Array
    """Multiple of the identity added to the Hessian in the next factorisation."""
    penalty: Array
    iterations: Array
    stalled: Array


class Local(NamedTuple):
    """Values and derivatives at an iterate."""

    gradient: Array
    c: Array
    g: Array
    jac_c: Array
    jac_g: Array


def local_at(program: NonlinearProgram, x: Array, args: Any) -> Local:
    c, g = program.constraints(x, args)
    return Local(
        gradient=jax.grad(program.objective)(x, args),
        c=c,
        g=g,
        jac_c=jax.jacrev(lambda x: program.constraints(x, args)[0])(x),
        jac_g=program.structure.jacobian(lambda x, args: program.constraints(x, args)[1], x, args),
    )


def lagrangian_hessian(program: NonlinearProgram, it: Iterate, args: Any) -> Array:
    def lagrangian(x: Array) -> Array:
        c, g = program.constraints(x, args)
        return program.objective(x, args) - dot(it.y, c) - dot(it.z, g)

    return program.structure.hessian(lagrangian, it.x)


def stationarity(structure: Structure, local: Local, it: Iterate) -> Array:
    """Gradient of the Lagrangian [n]."""
    return local.gradient - jnp.sum(local.jac_c * it.y[:, None], axis=0) - structure.adjoint(local.jac_g, it.z)


def _dual_scale(it: Iterate) -> Array:
    """Mean multiplier over 100, at least 1."""
    size = jnp.abs(it.y).sum() + jnp.abs(it.z).sum()
    return jnp.maximum(100.0, size / max(it.y.size + it.z.size, 1)) / 100.0


def _error(
    structure: Structure, local: Local, it: Iterate, barrier: Array | float, rounding: Array | float = 0.0
) -> Array:
    """Largest of stationarity (beyond its rounding), feasibility and complementarity errors (eq. (19.10)).

    The first and the last are scaled by the multipliers, as Waechter and Biegler do.
    """
    slope = jnp.maximum(jnp.abs(stationarity(structure, local, it)) - rounding, 0.0)
    dual = jnp.maximum(largest(slope), largest(it.s * it.z - barrier))
    return jnp.maximum(dual / _dual_scale(it), jnp.maximum(largest(local.c), largest(local.g - it.s)))


def _beyond_rounding(structure: Structure, local: Local, it: Iterate, barrier: Array | float) -> Array:
    """`_error` but for what rounding leaves: gradients of thousands cancel to 1e-3 at best in float32."""
    size = largest(local.gradient) + largest(structure.adjoint(jnp.abs(local.jac_g), it.z))
    return _error(structure, local, it, barrier, ROUNDING * jnp.finfo(it.x.dtype).eps * size)


def _direction(structure: Structure, local: Local, it: Iterate, hessian: Array) -> tuple[Iterate, Array, Array]:
    """Newton direction of the perturbed KKT system (eq. (19.12)), reduced to x and y.

    Returns:
        The direction (in the fields x, s, y, z), whether it is one of descent, and its curvature d' W d.
    """
    sigma, gap = it.z / it.s, local.g - it.s
    target = it.barrier / it.s - it.z - sigma * gap
    right = structure.adjoint(local.jac_g, target) - stationarity(structure, local, it)
    kkt = Kkt(hessian, local.jac_g, sigma, it.damping, local.jac_c, right, local.c)
    dx, dy, good, curvature = structure.solve(kkt)
    ds = structure.apply(local.jac_g, dx) + gap
    return it._replace(x=dx, s=ds, y=dy, z=target + sigma * (gap - ds)), good, curvature


def _longest(value: Array, change: Array) -> Array:
    """Longest step in (0, 1] that keeps the value above (1 - BOUNDARY) of itself."""
    ratio = jnp.where(change < 0, -BOUNDARY * value / jnp.where(change < 0, change, -1.0), 1.0)
    return jnp.min(ratio, initial=1.0)


def _search(
    program: NonlinearProgram, local: Local, it: Iterate, step: Iterate, curvature: Array, args: Any
) -> tuple[Array, Array]:
    """Step size by backtracking on the l1 merit function (eq. (19.26)), and its penalty.

    All sizes are tried at once. Also taken: the longest step if it halves the KKT residual, which undoes the
    Maratos effect and the rounding of the merit near the solution.
    """

    def parts(x: Array, s: Array) -> tuple[Array, Array]:
        c, g = program.constraints(x, args)
        cost = program.objective(x, args) - it.barrier * jnp.log(s).sum()
        return cost, jnp.abs(c).sum() + jnp.abs(g - s).sum()

    size = _longest(it.s, step.s) * jnp.asarray((0.0, *STEPS), it.x.dtype)
    costs, brokens = jax.vmap(lambda a: parts(it.x + a * step.x, it.s + a * step.s))(size)
    cost, broken = costs[0], brokens[0]
    slope = dot(local.gradient, step.x) - it.barrier * (step.s / it.s).sum()
    needed = (slope + 0.5 * jnp.maximum(curvature, 0.0)) / jnp.maximum(0.7 * broken, 1e-30)
    penalty = jnp.where(broken > 0, jnp.maximum(it.penalty, needed), it.penalty)
    descent = slope - penalty * broken

    size, merit, merits = size[1:], cost + penalty * broken, costs[1:] + penalty * brokens[1:]
    slack = 10 * jnp.finfo(it.x.dtype).eps * (jnp.abs(cost) + penalty * broken)
    fits = (merits <= merit + ARMIJO * size * descent + slack) & jnp.isfinite(merits)
    return jnp.where(fits.any(), size[jnp.argmax(fits)], 0.0), penalty


def _advance(it: Iterate, step: Iterate, size: Array) -> Iterate:
    """A step of that size; the duals of inequalities go their own way to their boundary."""
    size_z = _longest(it.z, step.z)
    s, z = it.s + size * step.s, it.z + size_z * step.z
    low, high = it.barrier / (MULTIPLIER_SPREAD * s), MULTIPLIER_SPREAD * it.barrier / s
    return it._replace(x=it.x + size * step.x, s=s, y=it.y + size * step.y, z=jnp.clip(z, low, high))


def _step(
    program: NonlinearProgram, it: Iterate, local: Local, args: Any, tolerance: float, options: InteriorPointOptions
) -> tuple[Iterate, Local]:
    """One factorisation: a Newton step, or a heavier damping where that is no descent or no size fits."""
    structure, floor = program.structure, tolerance / 10
    solved = _beyond_rounding(structure, local, it, it.barrier) <= 10 * it.barrier
    lower = jnp.maximum(floor, jnp.minimum(options.barrier_decrease * it.barrier, it.barrier**1.5))
    it = it._replace(
        barrier=jnp.where(solved, lower, it.barrier), penalty=jnp.where(solved, jnp.ones_like(it.penalty), it.penalty)
    )
    hessian = lagrangian_hessian(program, it, args)
    step, good, curvature = _direction(structure, local, it, hessian)
    size, penalty = _search(program, local, it, step, curvature, args)

    pair = jax.tree.map(
        lambda a, b: jnp.stack([a, b]), _advance(it, step, _longest(it.s, step.s)), _advance(it, step, size)
    )
    locals_ = jax.vmap(lambda x: local_at(program, x, args))(pair.x)
    first = lambda tree: jax.tree.map(lambda leaf: leaf[0], tree)  # noqa: E731
    halved = _error(structure, first(locals_), first(pair), it.barrier) <= 0.5 * _error(
        structure, local, it, it.barrier
    )
    moved, at_moved = jax.tree.map(lambda leaf: jnp.where(halved, leaf[0], leaf[1]), (pair, locals_))

    taken = good & (halved | (size > 0))
    scale = jnp.maximum(largest(hessian), 1e-8)
    lighter = jnp.where(it.damping > DAMPING_OFF * scale, DAMPING_DOWN * it.damping, 0.0)
    heavier = jnp.maximum(DAMPING_UP * it.damping, DAMPING_FIRST * scale)
    moved, kept = moved._replace(penalty=penalty, damping=lighter), it._replace(damping=heavier)
    new, at_new = jax.tree.map(lambda a, b: jnp.where(taken, a, b), (moved, at_moved), (kept, local))
    stalled = ~taken & (heavier > DAMPING_MAX * scale)
    return new._replace(iterations=it.iterations + 1, stalled=stalled), at_new


def _init(structure: Structure, local: Local, start: Array, options: InteriorPointOptions) -> Iterate:
    """Slacks at the constraints where they hold, which linear ones do ever after, else off the boundary.

    The multipliers of equalities are a least-squares fit.
    """
    dtype = start.dtype
    s = jnp.where(local.g > NEAR, local.g, OFF)
    z = jnp.clip(options.barrier / s, 1e-3, 1e3)
    y = jnp.zeros(local.c.size, dtype)
    if local.c.size:
        normal = local.jac_c @ local.jac_c.T + 1e-6 * jnp.eye(local.c.size, dtype=dtype)
        fitted = small_solve(normal, local.jac_c @ (local.gradient - structure.adjoint(local.jac_g, z)))
        y = jnp.where(largest(fitted) < 1e3, fitted, 0.0)
    zero, one = jnp.zeros((), dtype), jnp.ones((), dtype)
    count, barrier = jnp.zeros((), jnp.int32), options.barrier * one
    return Iterate(start, s, y, z, barrier, zero, one, count, count > 0)


def _scales(structure: Structure, local: Local) -> tuple[Array, Array, Array]:
    """Factors on objective and constraints that bound their gradients by `MAX_GRADIENT` here."""
    shrink = lambda size: jnp.minimum(1.0, MAX_GRADIENT / jnp.maximum(size, 1e-30))  # noqa: E731
    of_c = shrink(jnp.max(jnp.abs(local.jac_c), axis=1, initial=0.0))
    return shrink(largest(local.gradient)), of_c, shrink(structure.row_sizes(local.jac_g))


def _scaled(program: NonlinearProgram) -> NonlinearProgram:
    """The program times factors that come with the arguments, as ``(args, scales)``."""
    of = lambda f, i: f and (lambda x, packed: packed[1][i] * f(x, packed[0]))  # noqa: E731
    return NonlinearProgram(of(program.objective, 0), of(program.equality, 1), of(program.inequality, 2), program.block)


def solve(
    program: NonlinearProgram, start: Array, args: Any, options: InteriorPointOptions
) -> tuple[Iterate, Array, Array]:
    """The last iterate, its multipliers those of the problem as given, its KKT residual, and if that is converged."""
    start, args = jax.lax.stop_gradient((start, args))
    structure, tolerance = program.structure, options.tolerance_of(start.dtype)
    local = local_at(program, start, args)
    of_f, of_c, of_g = scales = _scales(structure, local)
    jac_g = structure.scale_rows(local.jac_g, of_g)
    local = Local(local.gradient * of_f, local.c * of_c, local.g * of_g, local.jac_c * of_c[:, None], jac_g)
    scaled, packed = _scaled(program), (args, scales)

    def converged(local: Local, it: Iterate) -> Array:
        return _beyond_rounding(structure, local, it, 0.0) <= tolerance

    def go_on(state: tuple[Iterate, Local]) -> Array:
        it, local = state
        return (it.iterations < options.max_iterations) & ~it.stalled & ~converged(local, it)

    def body(state: tuple[Iterate, Local]) -> tuple[Iterate, Local]:
        return _step(scaled, *state, packed, tolerance, options)

    it, local = jax.lax.while_loop(go_on, body, (_init(structure, local, start, options), local))
    residual = _error(structure, local, it, 0.0)
    ended = converged(local, it)
    return it._replace(y=it.y * of_c / of_f, z=it.z * of_g / of_f, s=it.s / of_g), residual, ended
