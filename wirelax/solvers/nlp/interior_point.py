"""A general nonlinear interior-point method: jitted, batched by ``vmap``, differentiable.

    minimise f(x)  subject to  c(x) = 0,  g(x) >= 0

Primal-dual Newton steps on the barrier problem with slacks s = g(x) (Nocedal and Wright, Numerical Optimization,
2nd ed., chapter 19; the updates of the barrier parameter and of the duals follow Waechter and Biegler, 2006). One
factorisation a step, so that no instance of a batch waits for the retries of another: where the reduced Hessian is
not positive definite, blocks are factorised as if it were (Gill and Murray), and a dense step is only a heavier
damping.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from wirelax.solvers.nlp._kkt import Kkt
from wirelax.solvers.nlp._steps import Iterate, lagrangian_hessian, local_at, solve, stationarity
from wirelax.solvers.nlp.program import DEFAULT_OPTIONS, InteriorPointOptions, NonlinearProgram
from wirelax.solvers.nlp.result import NlpResult
from wirelax.types import Status

__all__ = ["interior_point", "multi_start"]


def _implicit(program: NonlinearProgram, it: Iterate, args: Any) -> tuple[Array, Array, Array]:
    """x, y and z as functions of `args`: the implicit function theorem on the KKT conditions.

    One Newton step from the solution, whose matrix and point are constants for the derivatives and whose
    residual is zero in value: the values stay, the derivatives are those of the solution.
    """
    it, structure = jax.lax.stop_gradient(it), program.structure
    still = lambda f: f - jax.lax.stop_gradient(f)  # noqa: E731
    local = local_at(program, it.x, args)
    fixed = jax.lax.stop_gradient(local)
    hessian = jax.lax.stop_gradient(lagrangian_hessian(program, it, jax.lax.stop_gradient(args)))
    sigma, gap = it.z / it.s, still(local.g)
    right = -still(stationarity(structure, local, it)) - structure.adjoint(fixed.jac_g, sigma * gap)
    zero = jnp.zeros((), it.x.dtype)
    kkt = Kkt(hessian, fixed.jac_g, sigma, zero, fixed.jac_c, right, still(local.c))
    dx, dy, _, _ = structure.solve(kkt, exact=True)
    return it.x + dx, it.y + dy, it.z - sigma * (gap + structure.apply(fixed.jac_g, dx))


def _report(
    program: NonlinearProgram, found: tuple[Iterate, Array, Array], args: Any, options: InteriorPointOptions
) -> NlpResult:
    it, residual, converged = found
    x, y, z = _implicit(program, it, args) if options.implicit else jax.lax.stop_gradient((it.x, it.y, it.z))
    violation = program.violation(it.x, args)
    limit = options.feasibility_of(it.x.dtype)
    ended = jnp.where(converged, Status.CONVERGED, Status.ITERATION_LIMIT)
    return NlpResult(
        x=x,
        equality_multiplier=y,
        inequality_multiplier=z,
        value=program.objective(x, args),
        iterations=it.iterations,
        status=jnp.where(violation <= limit, ended, Status.INFEASIBLE).astype(jnp.int32),
        residuals=jax.lax.stop_gradient({"kkt": residual, "infeasibility": violation}),
    )


def interior_point(
    program: NonlinearProgram,
    start: Float[Array, " n"],
    args: Any = None,
    options: InteriorPointOptions = DEFAULT_OPTIONS,
) -> NlpResult:
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
        Status CONVERGED: both within tolerance, but for what the rounding of large gradients leaves of the
        first (float32); ITERATION_LIMIT: feasible, not optimal to tolerance;
        INFEASIBLE: no feasible point was found, which for a nonconvex problem proves nothing.

    Raises:
        ValueError: `start` is no vector, or a function returns the wrong shape.

    Nocedal and Wright, Numerical Optimization, chapter 19 (algorithm 19.2 with Cholesky instead of an inertia
    count); Waechter and Biegler, On the implementation of an interior-point filter line-search algorithm, 2006.
    """
    start = _check(program, start, args)
    return _report(program, solve(program, start, args, options), args, options)


def multi_start(
    program: NonlinearProgram,
    starts: Float[Array, "start n"],
    args: Any = None,
    options: InteriorPointOptions = DEFAULT_OPTIONS,
) -> NlpResult:
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
    its, residuals, converged = jax.vmap(lambda start: solve(program, start, args, options))(starts)
    fixed = jax.lax.stop_gradient(args)
    value, violation = jax.vmap(lambda x: (program.objective(x, fixed), program.violation(x, fixed)))(its.x)
    usable = (violation <= options.feasibility_of(value.dtype)) & jnp.isfinite(value)
    best = jnp.where(usable.any(), jnp.argmin(jnp.where(usable, value, jnp.inf)), jnp.argmin(violation))
    it, residual, ended = jax.tree.map(lambda leaf: leaf[best], (its, residuals, converged))
    return _report(program, (it._replace(iterations=its.iterations.sum()), residual, ended), args, options)


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
