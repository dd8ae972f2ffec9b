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
from wirelax.solvers.nlp._local import Scaled
from wirelax.solvers.nlp._steps import Iterate, Run, solve, stationarity
from wirelax.solvers.nlp.program import DEFAULT_OPTIONS, InteriorPointOptions, NonlinearProgram
from wirelax.solvers.nlp.result import NlpResult
from wirelax.types import Status

__all__ = ["interior_point", "multi_start"]


def _implicit(program: NonlinearProgram, it: Iterate, args: Any) -> tuple[Array, Array, Array]:
    """x, y and z as functions of `args`: the implicit function theorem on the KKT conditions.

    One Newton step from the solution, whose matrix and point are constants for the derivatives and whose
    residual is zero in value: the values stay, the derivatives are those of the solution.
    """
    it, scaled, structure = jax.lax.stop_gradient(it), Scaled(program), program.structure
    still = lambda f: f - jax.lax.stop_gradient(f)  # noqa: E731
    plain = scaled.unscaled(it.x, args)
    local = scaled.local(it.x, plain)
    fixed = jax.lax.stop_gradient(local)
    hessian = scaled.hessian(it.x, it.y, it.z, jax.lax.stop_gradient(plain))
    sigma, gap = it.z / it.s, still(local.g)
    right = -still(stationarity(structure, local, it)) - structure.adjoint(fixed.jac_g, sigma * gap)
    zero = jnp.zeros((), it.x.dtype)
    kkt = Kkt(hessian, fixed.jac_g, sigma, zero, fixed.jac_c, right, still(local.c))
    dx, dy, _, _ = structure.solve(kkt, exact=True)
    dz = -sigma * (gap + structure.apply(fixed.jac_g, dx))
    # Where the matrix is singular there is no derivative; the values are there nevertheless.
    move = lambda value, change: value + jnp.where(jnp.isfinite(change), change, 0.0)  # noqa: E731
    return move(it.x, dx), move(it.y, dy), move(it.z, dz)


def _report(program: NonlinearProgram, run: Run, args: Any, options: InteriorPointOptions) -> NlpResult:
    it = run.last
    x, y, z = _implicit(program, it, args) if options.implicit else jax.lax.stop_gradient((it.x, it.y, it.z))
    value = program.objective(x, args)
    return NlpResult(
        x=x,
        value=jnp.where(jnp.isfinite(value), value, jnp.inf),
        equality_multiplier=y,
        inequality_multiplier=z,
        residuals=jax.lax.stop_gradient({"kkt": run.residual, "infeasibility": run.violation}),
        status=run.status,
        iterations=it.iterations,
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
        `NlpResult`, whose status is

        - CONVERGED: constraints and KKT conditions are within tolerance, but for what the rounding of large
          gradients leaves of the latter (float32).
        - ITERATION_LIMIT, STALLED: feasible, not optimal to tolerance; it was stopped, or no step improved.
        - INFEASIBLE: no feasible point was found, which for a nonconvex problem proves nothing. Also where an
          inequality is -inf at the start, which is not left then.
        - NOT_FINITE: the start, or a function or derivative there, is not a number. ``x`` is the start with 0 in
          place of entries that are not numbers, ``value`` the objective there, or inf if that is not a number.

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

    Starts that are NOT_FINITE lose against all others.

    Args:
        program: as for `interior_point`.
        starts: first points, [start, n].
        args: as for `interior_point`.
        options: as for `interior_point`.

    Returns:
        One `NlpResult`; its ``iterations`` are the sum over the starts.
    """
    if jnp.ndim(starts) != 2:
        raise ValueError(f"starts has shape {jnp.shape(starts)}, wanted [start, n]")
    starts = jax.vmap(lambda start: _check(program, start, args))(starts)
    runs = jax.vmap(lambda start: solve(program, start, args, options))(starts)
    fixed = jax.lax.stop_gradient(args)
    value = jax.vmap(lambda x: program.objective(x, fixed))(runs.last.x)
    number = runs.status != Status.NOT_FINITE
    usable = number & (runs.status != Status.INFEASIBLE) & jnp.isfinite(value)
    # Of those that are not usable the one nearest to feasible; -inf breaks a constraint by inf, but is a number.
    broken = jnp.where(number, jnp.minimum(runs.violation, jnp.finfo(value.dtype).max), jnp.inf)
    best = jnp.where(usable.any(), jnp.argmin(jnp.where(usable, value, jnp.inf)), jnp.argmin(broken))
    iterations = runs.last.iterations.sum()
    run = jax.tree.map(lambda leaf: leaf[best], runs)
    return _report(program, run._replace(last=run.last._replace(iterations=iterations)), args, options)


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
