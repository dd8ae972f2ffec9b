"""A general nonlinear interior-point method: jitted, batched by ``vmap``, differentiable.

    minimise f(x)  subject to  c(x) = 0,  g(x) >= 0

Primal-dual Newton steps on the barrier problem with slacks s = g(x) (Nocedal and Wright, Numerical Optimization,
2nd ed., chapter 19; the updates of the barrier parameter and of the duals follow Waechter and Biegler, 2006). One
factorisation a step: where the reduced Hessian is not positive definite, the step is only a heavier damping, so
that no instance of a batch waits for the retries of another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from wirelax.solvers._kkt import Blocks, Dense, Structure, dot, largest, small_solve
from wirelax.types import Solution, Status

__all__ = ["InteriorPointOptions", "NonlinearProgram", "interior_point", "multi_start"]

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


@dataclass(frozen=True)
class NonlinearProgram:
    """minimise objective(x, args) subject to equality(x, args) = 0 and inequality(x, args) >= 0, elementwise.

    Attributes:
        objective: ``(x, args) -> scalar``, twice differentiable; x is a vector [n].
        equality: ``(x, args) -> [m]``, or None.
        inequality: ``(x, args) -> [q]``, or None; bounds are rows of it.
        block: where the problem separates into blocks of so many consecutive variables that only linear
            equalities couple (each inequality in one block, rows in their order, as many for each): the work is
            linear in the number of blocks then. None: no structure.
    """

    objective: Callable[[Array, Any], Array]
    equality: Callable[[Array, Any], Array] | None = None
    inequality: Callable[[Array, Any], Array] | None = None
    block: int | None = None

    @property
    def structure(self) -> Structure:
        """The linear algebra that fits."""
        return Dense() if self.block is None else Blocks(self.block)


class InteriorPointOptions(NamedTuple):
    """Tolerances and settings, all static.

    Attributes:
        tolerance: of the scaled KKT residual; None: 1e-8 in float64, 3e-5 in float32.
        feasibility: largest constraint violation of a feasible point; None: 1e-6 in float64, 1e-4 in float32.
        max_iterations: cap on the factorisations.
        barrier: first barrier parameter.
        barrier_decrease: factor on it once its problem is solved.
        implicit: differentiate the solution by the implicit function theorem at its KKT conditions; without it
            gradients stop at the solution.
    """

    tolerance: float | None = None
    feasibility: float | None = None
    max_iterations: int = 200
    barrier: float = 0.1
    barrier_decrease: float = 0.2
    implicit: bool = False


DEFAULT_OPTIONS = InteriorPointOptions()


class _Iterate(NamedTuple):
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


class _Local(NamedTuple):
    """Values and derivatives at an iterate."""

    gradient: Array
    c: Array
    g: Array
    jac_c: Array
    jac_g: Array


def _functions(program: NonlinearProgram, x: Array) -> tuple[Callable[..., Array], Callable[..., Array]]:
    """Both constraint functions, empty where there are none."""
    empty = lambda x, args: jnp.zeros((0,), x.dtype)  # noqa: E731
    return program.equality or empty, program.inequality or empty


def _local(program: NonlinearProgram, x: Array, args: Any) -> _Local:
    equality, inequality = _functions(program, x)
    return _Local(
        gradient=jax.grad(program.objective)(x, args),
        c=equality(x, args),
        g=inequality(x, args),
        jac_c=jax.jacrev(equality)(x, args),
        jac_g=program.structure.jacobian(inequality, x, args),
    )


def _lagrangian_hessian(program: NonlinearProgram, it: _Iterate, args: Any) -> Array:
    equality, inequality = _functions(program, it.x)

    def lagrangian(x: Array) -> Array:
        return program.objective(x, args) - dot(it.y, equality(x, args)) - dot(it.z, inequality(x, args))

    return program.structure.hessian(lagrangian, it.x)


def _stationarity(structure: Structure, local: _Local, it: _Iterate) -> Array:
    """Gradient of the Lagrangian [n]."""
    return local.gradient - jnp.sum(local.jac_c * it.y[:, None], axis=0) - structure.adjoint(local.jac_g, it.z)


def _error(structure: Structure, local: _Local, it: _Iterate, barrier: Array | float) -> Array:
    """Largest of stationarity, feasibility and complementarity errors (eq. (19.10)).

    The first and the last are scaled by the multipliers, as Waechter and Biegler do.
    """
    size = jnp.abs(it.y).sum() + jnp.abs(it.z).sum()
    scale = jnp.maximum(100.0, size / max(it.y.size + it.z.size, 1)) / 100.0
    dual = jnp.maximum(largest(_stationarity(structure, local, it)), largest(it.s * it.z - barrier))
    return jnp.maximum(dual / scale, jnp.maximum(largest(local.c), largest(local.g - it.s)))


def _direction(structure: Structure, local: _Local, it: _Iterate, hessian: Array) -> tuple[_Iterate, Array, Array]:
    """Newton direction of the perturbed KKT system (eq. (19.12)), reduced to x and y.

    Returns:
        The direction (in the fields x, s, y, z), whether it is one of descent, and its curvature d' W d.
    """
    sigma, gap = it.z / it.s, local.g - it.s
    target = it.barrier / it.s - it.z - sigma * gap
    right = structure.adjoint(local.jac_g, target) - _stationarity(structure, local, it)
    dx, dy, good, curvature = structure.solve(hessian, local.jac_g, sigma, it.damping, local.jac_c, right, local.c)
    ds = structure.apply(local.jac_g, dx) + gap
    return it._replace(x=dx, s=ds, y=dy, z=target + sigma * (gap - ds)), good, curvature


def _longest(value: Array, change: Array) -> Array:
    """Longest step in (0, 1] that keeps the value above (1 - BOUNDARY) of itself."""
    ratio = jnp.where(change < 0, -BOUNDARY * value / jnp.where(change < 0, change, -1.0), 1.0)
    return jnp.min(ratio, initial=1.0)


def _search(
    program: NonlinearProgram, local: _Local, it: _Iterate, step: _Iterate, curvature: Array, args: Any
) -> tuple[Array, Array]:
    """Step size by backtracking on the l1 merit function (eq. (19.26)), and its penalty.

    All sizes are tried at once. Also taken: the longest step if it halves the KKT residual, which undoes the
    Maratos effect and the rounding of the merit near the solution.
    """
    equality, inequality = _functions(program, it.x)

    def parts(x: Array, s: Array) -> tuple[Array, Array]:
        cost = program.objective(x, args) - it.barrier * jnp.log(s).sum()
        return cost, jnp.abs(equality(x, args)).sum() + jnp.abs(inequality(x, args) - s).sum()

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


def _advance(it: _Iterate, step: _Iterate, size: Array) -> _Iterate:
    """A step of that size; the duals of inequalities go their own way to their boundary."""
    size_z = _longest(it.z, step.z)
    s, z = it.s + size * step.s, it.z + size_z * step.z
    low, high = it.barrier / (MULTIPLIER_SPREAD * s), MULTIPLIER_SPREAD * it.barrier / s
    return it._replace(x=it.x + size * step.x, s=s, y=it.y + size * step.y, z=jnp.clip(z, low, high))


def _step(
    program: NonlinearProgram, it: _Iterate, local: _Local, args: Any, tolerance: float, options: InteriorPointOptions
) -> tuple[_Iterate, _Local]:
    """One factorisation: a Newton step, or a heavier damping where the matrix is not positive definite."""
    structure, floor = program.structure, tolerance / 10
    solved = _error(structure, local, it, it.barrier) <= 10 * it.barrier
    lower = jnp.maximum(floor, jnp.minimum(options.barrier_decrease * it.barrier, it.barrier**1.5))
    it = it._replace(
        barrier=jnp.where(solved, lower, it.barrier), penalty=jnp.where(solved, jnp.ones_like(it.penalty), it.penalty)
    )
    hessian = _lagrangian_hessian(program, it, args)
    step, good, curvature = _direction(structure, local, it, hessian)
    size, penalty = _search(program, local, it, step, curvature, args)

    pair = jax.tree.map(
        lambda a, b: jnp.stack([a, b]), _advance(it, step, _longest(it.s, step.s)), _advance(it, step, size)
    )
    locals_ = jax.vmap(lambda x: _local(program, x, args))(pair.x)
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


def _init(structure: Structure, local: _Local, start: Array, options: InteriorPointOptions) -> _Iterate:
    """Slacks at the constraints where they hold, pushed off the boundary; least-squares multipliers."""
    dtype = start.dtype
    s = jnp.maximum(local.g, 1e-2)
    z = jnp.clip(options.barrier / s, 1e-3, 1e3)
    y = jnp.zeros(local.c.size, dtype)
    if local.c.size:
        normal = local.jac_c @ local.jac_c.T + 1e-6 * jnp.eye(local.c.size, dtype=dtype)
        fitted = small_solve(normal, local.jac_c @ (local.gradient - structure.adjoint(local.jac_g, z)))
        y = jnp.where(largest(fitted) < 1e3, fitted, 0.0)
    zero, one = jnp.zeros((), dtype), jnp.ones((), dtype)
    count, barrier = jnp.zeros((), jnp.int32), options.barrier * one
    return _Iterate(start, s, y, z, barrier, zero, one, count, count > 0)


def _scales(structure: Structure, local: _Local) -> tuple[Array, Array, Array]:
    """Factors on objective and constraints that bound their gradients by `MAX_GRADIENT` here."""
    shrink = lambda size: jnp.minimum(1.0, MAX_GRADIENT / jnp.maximum(size, 1e-30))  # noqa: E731
    of_c = shrink(jnp.max(jnp.abs(local.jac_c), axis=1, initial=0.0))
    return shrink(largest(local.gradient)), of_c, shrink(structure.row_sizes(local.jac_g))


def _scaled(program: NonlinearProgram) -> NonlinearProgram:
    """The program times factors that come with the arguments, as ``(args, scales)``."""
    of = lambda f, i: f and (lambda x, packed: packed[1][i] * f(x, packed[0]))  # noqa: E731
    return NonlinearProgram(of(program.objective, 0), of(program.equality, 1), of(program.inequality, 2), program.block)


def _solve(program: NonlinearProgram, start: Array, args: Any, options: InteriorPointOptions) -> tuple[_Iterate, Array]:
    """The last iterate, its multipliers those of the problem as given, and the scaled KKT residual."""
    start, args = jax.lax.stop_gradient((start, args))
    structure, tolerance = program.structure, _tolerance(options, start.dtype)
    local = _local(program, start, args)
    of_f, of_c, of_g = scales = _scales(structure, local)
    jac_g = structure.scale_rows(local.jac_g, of_g)
    local = _Local(local.gradient * of_f, local.c * of_c, local.g * of_g, local.jac_c * of_c[:, None], jac_g)
    scaled, packed = _scaled(program), (args, scales)

    def go_on(state: tuple[_Iterate, _Local]) -> Array:
        it, local = state
        return (it.iterations < options.max_iterations) & ~it.stalled & (_error(structure, local, it, 0.0) > tolerance)

    def body(state: tuple[_Iterate, _Local]) -> tuple[_Iterate, _Local]:
        return _step(scaled, *state, packed, tolerance, options)

    it, local = jax.lax.while_loop(go_on, body, (_init(structure, local, start, options), local))
    residual = _error(structure, local, it, 0.0)
    return it._replace(y=it.y * of_c / of_f, z=it.z * of_g / of_f, s=it.s / of_g), residual


def _tolerance(options: InteriorPointOptions, dtype: Any) -> float:
    default = 1e-8 if dtype == jnp.float64 else 3e-5
    return default if options.tolerance is None else options.tolerance


def _feasibility(options: InteriorPointOptions, dtype: Any) -> float:
    default = 1e-6 if dtype == jnp.float64 else 1e-4
    return default if options.feasibility is None else options.feasibility


def _violation(program: NonlinearProgram, x: Array, args: Any) -> Array:
    """Largest violation of a constraint."""
    equality, inequality = _functions(program, x)
    return jnp.maximum(largest(equality(x, args)), largest(jnp.minimum(inequality(x, args), 0.0)))


def _implicit(program: NonlinearProgram, it: _Iterate, args: Any) -> tuple[Array, Array, Array]:
    """x, y and z as functions of `args`: the implicit function theorem on the KKT conditions.

    One Newton step from the solution, whose matrix and point are constants for the derivatives and whose
    residual is zero in value: the values stay, the derivatives are those of the solution.
    """
    it, structure = jax.lax.stop_gradient(it), program.structure
    still = lambda f: f - jax.lax.stop_gradient(f)  # noqa: E731
    local = _local(program, it.x, args)
    fixed = jax.lax.stop_gradient(local)
    hessian = jax.lax.stop_gradient(_lagrangian_hessian(program, it, jax.lax.stop_gradient(args)))
    sigma, gap = it.z / it.s, still(local.g)
    right = -still(_stationarity(structure, local, it)) - structure.adjoint(fixed.jac_g, sigma * gap)
    zero = jnp.zeros((), it.x.dtype)
    dx, dy, _, _ = structure.solve(hessian, fixed.jac_g, sigma, zero, fixed.jac_c, right, still(local.c))
    return it.x + dx, it.y + dy, it.z - sigma * (gap + structure.apply(fixed.jac_g, dx))


def _report(
    program: NonlinearProgram, it: _Iterate, residual: Array, args: Any, options: InteriorPointOptions
) -> Solution:
    x, y, z = _implicit(program, it, args) if options.implicit else jax.lax.stop_gradient((it.x, it.y, it.z))
    violation = _violation(program, it.x, args)
    limit = _feasibility(options, it.x.dtype)
    ended = jnp.where(residual <= _tolerance(options, it.x.dtype), Status.CONVERGED, Status.ITERATION_LIMIT)
    return Solution(
        allocation={"x": x, "equality_multiplier": y, "inequality_multiplier": z},
        utility=program.objective(x, args),
        iterations=it.iterations,
        status=jnp.where(violation <= limit, ended, Status.INFEASIBLE).astype(jnp.int32),
        residuals=jax.lax.stop_gradient({"kkt": residual, "infeasibility": violation}),
    )


def interior_point(
    program: NonlinearProgram,
    start: Float[Array, " n"],
    args: Any = None,
    options: InteriorPointOptions = DEFAULT_OPTIONS,
) -> Solution:
    """A local minimum of a smooth nonlinear program, by a primal-dual interior-point method.

    Pure: batch over `start` and `args` with ``jax.vmap``, speed with ``jax.jit``. Neither a feasible start nor
    a convex problem is needed; of a nonconvex one it finds a local minimum (see `multi_start`).

    Args:
        program: objective and constraints, static functions of ``(x, args)``.
        start: first point, [n]; its dtype is the precision of the work.
        args: whatever the functions need besides x, any pytree: what varies over a batch, and what the
            solution shall be differentiated by (`InteriorPointOptions.implicit`).
        options: tolerances and settings, static.

    Returns:
        `Solution`: ``allocation`` holds ``x`` and the multipliers ``equality_multiplier`` [m] and
        ``inequality_multiplier`` [q] (of the Lagrangian f - y'c - z'g); ``utility`` is f(x), the value
        minimised; ``residuals`` holds ``kkt`` (largest of stationarity, feasibility and complementarity errors,
        scaled by the size of gradients and multipliers) and ``infeasibility`` (largest violation, unscaled).
        Status CONVERGED: both within tolerance; ITERATION_LIMIT: feasible, not optimal to tolerance;
        INFEASIBLE: no feasible point was found, which for a nonconvex problem proves nothing.

    Raises:
        ValueError: `start` is no vector, or a function returns the wrong shape.

    Nocedal and Wright, Numerical Optimization, chapter 19 (algorithm 19.2 with Cholesky instead of an inertia
    count); Waechter and Biegler, On the implementation of an interior-point filter line-search algorithm, 2006.
    """
    start = _check(program, start, args)
    it, residual = _solve(program, start, args, options)
    return _report(program, it, residual, args, options)


def multi_start(
    program: NonlinearProgram,
    starts: Float[Array, "start n"],
    args: Any = None,
    options: InteriorPointOptions = DEFAULT_OPTIONS,
) -> Solution:
    """`interior_point` from several starts, the best local minimum of them: feasible first, then lowest.

    Args:
        program: as for `interior_point`.
        starts: first points, [start, n].
        args: as for `interior_point`.
        options: as for `interior_point`.

    Returns:
        One `Solution`; its ``iterations`` are the sum over the starts.
    """
    if jnp.ndim(starts) != 2:
        raise ValueError(f"starts has shape {jnp.shape(starts)}, wanted [start, n]")
    starts = jax.vmap(lambda start: _check(program, start, args))(starts)
    its, residuals = jax.vmap(lambda start: _solve(program, start, args, options))(starts)
    fixed = jax.lax.stop_gradient(args)
    value, violation = jax.vmap(lambda x: (program.objective(x, fixed), _violation(program, x, fixed)))(its.x)
    usable = (violation <= _feasibility(options, value.dtype)) & jnp.isfinite(value)
    best = jnp.where(usable.any(), jnp.argmin(jnp.where(usable, value, jnp.inf)), jnp.argmin(violation))
    it, residual = jax.tree.map(lambda leaf: leaf[best], (its, residuals))
    return _report(program, it._replace(iterations=its.iterations.sum()), residual, args, options)


def _check(program: NonlinearProgram, start: Array, args: Any) -> Array:
    start = jnp.asarray(start)
    if start.ndim != 1 or not jnp.issubdtype(start.dtype, jnp.floating):
        raise ValueError(f"start has shape {start.shape} and type {start.dtype}, wanted a vector [n] of floats")
    wanted = {"objective": 0, "equality": 1, "inequality": 1}
    for name, ndim in wanted.items():
        function = getattr(program, name)
        if function is not None and len(shape := jax.eval_shape(function, start, args).shape) != ndim:
            raise ValueError(f"{name} returns shape {shape}, wanted {'a scalar' if ndim == 0 else 'a vector'}")
    if program.block and start.size % program.block:
        raise ValueError(f"start has {start.size} variables, wanted a multiple of blocks of {program.block}")
    return start
