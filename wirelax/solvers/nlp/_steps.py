"""The steps of the interior-point method: directions, step sizes, barrier, damping, and the loop over them."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from wirelax.solvers.nlp._kkt import Kkt, Structure, dot, largest, small_solve
from wirelax.solvers.nlp._local import Local, Scaled, Scales, Weights, scales_of
from wirelax.solvers.nlp.program import InteriorPointOptions, NonlinearProgram
from wirelax.types import Status

__all__ = ["Iterate", "Run", "solve", "stationarity"]

BOUNDARY = 0.995
"""Share of the way to the boundary that a step may go."""
ARMIJO = 1e-4
STEPS = (1.0, 0.4, 0.15, 0.05, 0.01)
"""Step sizes tried at once, of the longest; where none fits, a heavier damping gives a shorter step."""
DAMPING_FIRST, DAMPING_UP, DAMPING_DOWN = 1e-2, 10.0, 1 / 5
"""First damping relative to the largest entry of the Hessian, its growth after a failure, its decay after."""
DAMPING_OFF, DAMPING_MAX = 1e-5, 1e8
"""Relative to the same: below it there is none, above it the instance has stalled."""
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
    finite: Array
    """Whether functions and derivatives at the start are numbers."""
    stalled: Array


class Run(NamedTuple):
    """Where a run ended.

    Attributes:
        last: the last iterate, its multipliers those of the problem as given.
        residual: of its KKT conditions.
        violation: of its constraints, relative.
        status: one of `Status`.
    """

    last: Iterate
    residual: Array
    violation: Array
    status: Array


def stationarity(structure: Structure, local: Local, it: Iterate) -> Array:
    """Gradient of the Lagrangian [n]."""
    return local.gradient - jnp.sum(local.jac_c * it.y[:, None], axis=0) - structure.adjoint(local.jac_g, it.z)


def _dual_scale(it: Iterate) -> Array:
    """Mean multiplier over 100, at least 1."""
    size = jnp.abs(it.y).sum() + jnp.abs(it.z).sum()
    return jnp.maximum(100.0, size / max(it.y.size + it.z.size, 1)) / 100.0


def _error(
    structure: Structure,
    local: Local,
    it: Iterate,
    weights: Weights,
    barrier: Array | float,
    rounding: Array | float = 0.0,
) -> Array:
    """Largest of stationarity (beyond its rounding), feasibility and complementarity errors (eq. (19.10)).

    The first and the last are scaled by the multipliers, as Waechter and Biegler do, the second by its terms.
    """
    slope = jnp.maximum(jnp.abs(stationarity(structure, local, it)) - rounding, 0.0)
    dual = jnp.maximum(largest(slope), largest(it.s * it.z - barrier))
    primal = jnp.maximum(largest(local.c * weights.c), largest((local.g - it.s) * weights.g))
    return jnp.maximum(dual / _dual_scale(it), primal)


def _violation(local: Local, weights: Weights) -> Array:
    """Largest relative violation of a constraint."""
    return jnp.maximum(largest(local.c * weights.c), largest(jnp.minimum(local.g, 0.0) * weights.g))


def _beyond_rounding(
    structure: Structure, local: Local, it: Iterate, weights: Weights, barrier: Array | float
) -> Array:
    """`_error` but for what rounding leaves: gradients of thousands cancel to 1e-3 at best in float32."""
    size = largest(local.gradient) + largest(structure.adjoint(jnp.abs(local.jac_g), it.z))
    return _error(structure, local, it, weights, barrier, ROUNDING * jnp.finfo(it.x.dtype).eps * size)


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
    program: Scaled, local: Local, it: Iterate, step: Iterate, curvature: Array, args: Any
) -> tuple[Array, Array]:
    """Step size by backtracking on the l1 merit function (eq. (19.26)), and its penalty.

    All sizes are tried at once. Also taken: the longest step if it halves the KKT residual, which undoes the
    Maratos effect and the rounding of the merit near the solution.
    """

    def parts(x: Array, s: Array) -> tuple[Array, Array]:
        c, g = program.equality(x, args), program.inequality(x, args)
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
    program: Scaled,
    it: Iterate,
    local: Local,
    weights: Weights,
    args: tuple[Any, Scales],
    tolerance: float,
    options: InteriorPointOptions,
) -> tuple[Iterate, Local, Weights]:
    """One factorisation: a Newton step, or a heavier damping where that is no descent or no size fits."""
    structure, floor = program.structure, tolerance / 10
    solved = _beyond_rounding(structure, local, it, weights, it.barrier) <= 10 * it.barrier
    lower = jnp.maximum(floor, jnp.minimum(options.barrier_decrease * it.barrier, it.barrier**1.5))
    it = it._replace(
        barrier=jnp.where(solved, lower, it.barrier), penalty=jnp.where(solved, jnp.ones_like(it.penalty), it.penalty)
    )
    hessian = program.hessian(it.x, it.y, it.z, args)
    step, good, curvature = _direction(structure, local, it, hessian)
    size, penalty = _search(program, local, it, step, curvature, args)

    pair = jax.tree.map(
        lambda a, b: jnp.stack([a, b]), _advance(it, step, _longest(it.s, step.s)), _advance(it, step, size)
    )
    locals_ = jax.vmap(lambda x: program.local(x, args))(pair.x)
    first = lambda tree: jax.tree.map(lambda leaf: leaf[0], tree)  # noqa: E731
    after = _error(structure, first(locals_), first(pair), weights, it.barrier)
    halved = after <= 0.5 * _error(structure, local, it, weights, it.barrier)
    moved, at_moved = jax.tree.map(lambda leaf: jnp.where(halved, leaf[0], leaf[1]), (pair, locals_))

    scale = jnp.maximum(largest(hessian), 1e-8)
    number = jnp.isfinite(scale)
    taken = good & number & (halved | (size > 0))
    lighter = jnp.where(it.damping > DAMPING_OFF * scale, DAMPING_DOWN * it.damping, 0.0)
    heavier = jnp.maximum(DAMPING_UP * it.damping, DAMPING_FIRST * scale)
    moved, kept = moved._replace(penalty=penalty, damping=lighter), it._replace(damping=heavier)
    new, at_new = jax.tree.map(lambda a, b: jnp.where(taken, a, b), (moved, at_moved), (kept, local))
    stalled = ~taken & ((heavier > DAMPING_MAX * scale) | ~number)
    finite = it.finite & (number | (it.iterations > 0))
    new = new._replace(iterations=it.iterations + 1, finite=finite, stalled=stalled)
    return new, at_new, program.weights(new.x, at_new, args[1])


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
    return Iterate(start, s, y, z, barrier, zero, one, count, local.finite, (local.g == -jnp.inf).any())


def _status(it: Iterate, violation: Array, converged: Array, options: InteriorPointOptions) -> Array:
    ended = jnp.where(it.stalled, Status.STALLED, Status.ITERATION_LIMIT)
    ended = jnp.where(converged, Status.CONVERGED, ended)
    ended = jnp.where(violation <= options.feasibility, ended, Status.INFEASIBLE)
    return jnp.where(it.finite, ended, Status.NOT_FINITE).astype(jnp.int32)


def _begin(program: Scaled, start: Array, args: Any, options: InteriorPointOptions) -> tuple[Iterate, Local, Scales]:
    """The first iterate, at the start with 0 in place of what is not a number, and the scales of the problem."""
    known = jnp.isfinite(start)
    start, plain = jnp.where(known, start, 0.0), program.unscaled(start, args)
    local, value = program.local(start, plain), program.objective(start, plain)
    scales = scales_of(program.structure, local)
    local = Local(
        gradient=local.gradient * scales.f,
        c=local.c * scales.c,
        g=local.g * scales.g,
        jac_c=local.jac_c * scales.c[:, None],
        jac_g=program.structure.scale_rows(local.jac_g, scales.g),
    )
    it = _init(program.structure, local, start, options)
    return it._replace(finite=it.finite & known.all() & jnp.isfinite(value)), local, scales


def solve(program: NonlinearProgram, start: Array, args: Any, options: InteriorPointOptions) -> Run:
    """Steps from a start until one of the reasons to stop that `Status` names."""
    start, args = jax.lax.stop_gradient((start, args))
    scaled, structure, tolerance = Scaled(program), program.structure, options.tolerance_of(start.dtype)
    it, local, scales = _begin(scaled, start, args, options)

    def converged(it: Iterate, local: Local, weights: Weights) -> Array:
        small = _beyond_rounding(structure, local, it, weights, 0.0) <= tolerance
        return small & (_violation(local, weights) <= options.feasibility)

    def go_on(state: tuple[Iterate, Local, Weights]) -> Array:
        it = state[0]
        return (it.iterations < options.max_iterations) & it.finite & ~it.stalled & ~converged(*state)

    def body(state: tuple[Iterate, Local, Weights]) -> tuple[Iterate, Local, Weights]:
        return _step(scaled, *state, (args, scales), tolerance, options)

    state = jax.lax.while_loop(go_on, body, (it, local, scaled.weights(it.x, local, scales)))
    it, local, weights = state
    number = lambda size: jnp.where(jnp.isnan(size), jnp.inf, size)  # noqa: E731
    residual, violation = number(_error(structure, local, it, weights, 0.0)), number(_violation(local, weights))
    status = _status(it, violation, converged(*state), options)
    absent = scaled.absent(it.x, args)
    y = jnp.where(it.finite, it.y * scales.c / scales.f, 0.0)
    z = jnp.where(it.finite & ~absent, it.z * scales.g / scales.f, 0.0)
    return Run(it._replace(y=y, z=z, s=it.s / scales.g), residual, violation, status)
