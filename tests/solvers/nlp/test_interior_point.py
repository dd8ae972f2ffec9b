"""Interior point: published optima, KKT conditions of its own, batches, blocks, derivatives, infeasible problems."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.solvers.nlp import InteriorPointOptions, NonlinearProgram, interior_point, multi_start
from wirelax.types import Status

from ...compiling import quick_jit
from .hock_schittkowski import CASES

FAST = (71,)
"""The others are behind the slow mark: each is compiled anew."""


def program_of(case):
    ignore = lambda f: f and (lambda x, args: f(x))  # noqa: E731
    return NonlinearProgram(ignore(case.objective), ignore(case.equality), ignore(case.inequality))


def marked(case):
    return pytest.param(case, id=f"HS{case.number}", marks=[] if case.number in FAST else [pytest.mark.slow])


@pytest.mark.parametrize("case", [marked(case) for case in CASES])
def test_hock_schittkowski(case, x64):
    """From the published start to the published optimum, in float64, at default options."""
    solve = quick_jit(lambda start: interior_point(program_of(case), start))
    found = solve(jnp.asarray(case.start))
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.value, case.optimum, rtol=1e-6, atol=1e-6)
    x = found.x
    if case.solution:
        np.testing.assert_allclose(x, case.solution, rtol=1e-3, atol=1e-3)
    if case.equality:
        np.testing.assert_allclose(case.equality(x), 0, atol=1e-6)
    if case.inequality:
        assert np.min(case.inequality(x)) >= -1e-6


@pytest.mark.slow
@pytest.mark.parametrize("case", [pytest.param(case, id=f"HS{case.number}") for case in CASES])
def test_hock_schittkowski_in_float32(case):
    """Feasible and converged by the same relative tolerance, whatever the size of the numbers."""
    found = quick_jit(lambda start: interior_point(program_of(case), start))(jnp.asarray(case.start, jnp.float32))
    assert found.status == Status.CONVERGED
    assert found.residuals["infeasibility"] <= 1e-5
    np.testing.assert_allclose(found.value, case.optimum, rtol=1e-3, atol=1e-3)


def water_filling(noise, total):
    """Powers max(0, level - noise) of the given total, by bisection."""
    low, high = 0.0, noise.max() + total
    for _ in range(200):
        level = (low + high) / 2
        low, high = (level, high) if np.maximum(level - noise, 0).sum() < total else (low, level)
    return np.maximum(low - noise, 0)


WATER = NonlinearProgram(
    objective=lambda p, noise: -jnp.log1p(p / noise).sum(),
    equality=lambda p, noise: p.sum(keepdims=True) - 1.0,
    inequality=lambda p, noise: p,
)
"""Power over parallel channels: the optimum is water-filling."""


@pytest.fixture(scope="module")
def noises():
    return np.random.default_rng(0).exponential(size=(64, 8))


@pytest.mark.parametrize("block", [pytest.param(None, marks=pytest.mark.slow), 2])
def test_a_batch_is_water_filling_dense_and_in_blocks(block, noises):
    """In float32; blocks of 2 variables give what full matrices give."""
    program = NonlinearProgram(WATER.objective, WATER.equality, WATER.inequality, block)
    start = jnp.full(8, 1 / 8)
    found = quick_jit(jax.vmap(lambda noise: interior_point(program, start, noise)))(jnp.asarray(noises))
    assert (found.status == Status.CONVERGED).all()
    assert (found.residuals["infeasibility"] <= 1e-5).all()
    wanted = np.stack([water_filling(noise, 1.0) for noise in noises])
    np.testing.assert_allclose(found.x, wanted, atol=5e-3)  # flat where a power is nearly 0
    best = -np.log1p(wanted / noises).sum(1)
    np.testing.assert_allclose(found.value, best, rtol=1e-4)


@pytest.mark.slow
def test_kkt_conditions_of_the_multipliers(x64, noises):
    """Stationarity, sign and complementarity of L = f - y c - z g, written out."""
    found = quick_jit(jax.vmap(lambda noise: interior_point(WATER, jnp.full(8, 1 / 8), noise)))(jnp.asarray(noises))
    p, y, z = (np.asarray(getattr(found, k)) for k in ("x", "equality_multiplier", "inequality_multiplier"))
    np.testing.assert_allclose(-1 / (noises + p) - y - z, 0, atol=1e-6)
    assert (z >= 0).all()
    np.testing.assert_allclose(z * p, 0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("block", [None, 2])
def test_implicit_derivatives_are_those_of_the_solution(block, x64, noises):
    """Forward and reverse mode of x*(noise) against central differences; the gradient of f* is the envelope's."""
    program = NonlinearProgram(WATER.objective, WATER.equality, WATER.inequality, block)
    options = InteriorPointOptions(tolerance=1e-11, implicit=True)
    solve = lambda noise: interior_point(program, jnp.full(8, 1 / 8), noise, options)  # noqa: E731
    noise, step = jnp.asarray(noises[0]), 1e-5

    @jax.jit
    def derivatives(noise):
        x_of = lambda n: solve(n).x  # noqa: E731
        differences = jax.vmap(lambda e: (x_of(noise + e) - x_of(noise - e)) / (2 * step))(step * jnp.eye(8)).T
        return (
            jax.jacfwd(x_of)(noise),
            jax.jacrev(x_of)(noise),
            differences,
            jax.grad(lambda n: solve(n).value)(noise),
        )

    forward, reverse, differences, slope = derivatives(noise)
    np.testing.assert_allclose(forward, differences, atol=1e-4)
    np.testing.assert_allclose(reverse, forward, atol=1e-9)
    p = water_filling(noises[0], 1.0)
    np.testing.assert_allclose(slope, p / noises[0] / (noises[0] + p), atol=1e-5)


@pytest.mark.slow
def test_without_implicit_the_solution_is_a_constant(noises):
    slope = jax.grad(lambda n: interior_point(WATER, jnp.full(8, 1 / 8), n).x[0])(jnp.asarray(noises[0]))
    assert (slope == 0).all()


@pytest.mark.slow
def test_multi_start_takes_the_lowest_of_two_valleys(x64):
    """(x^2 - 1)^2 + x / 4 on [-2, 2]: the lower minimum is at the negative one."""
    program = NonlinearProgram(
        objective=lambda x, a: ((x**2 - 1) ** 2 + a * x).sum(), inequality=lambda x, a: jnp.concatenate([x + 2, 2 - x])
    )
    run = quick_jit(lambda starts: multi_start(program, starts, 0.25))
    one, both = run(jnp.array([[1.5]])), run(jnp.array([[1.5], [-1.5]]))
    grid = np.linspace(-2, 2, 400_001)
    value = (grid**2 - 1) ** 2 + grid / 4
    assert one.x[0] > 0
    np.testing.assert_allclose(both.x, grid[value.argmin()], atol=1e-4)
    np.testing.assert_allclose(both.value, value.min(), atol=1e-8)
    assert both.iterations > one.iterations


def test_an_infeasible_problem_is_reported_and_finite(x64):
    """x >= 1 and x <= args: infeasible below 1, one instance of the batch only."""
    program = NonlinearProgram(lambda x, top: (x**2).sum(), None, lambda x, top: jnp.concatenate([x - 1, top - x]))
    found = quick_jit(jax.vmap(lambda top: interior_point(program, jnp.zeros(1), top)))(jnp.array([0.5, 2.0]))
    np.testing.assert_array_equal(found.status, [Status.INFEASIBLE, Status.CONVERGED])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))
    assert found.residuals["infeasibility"][0] > 0.1


def test_iteration_limit_is_reported(noises):
    options = InteriorPointOptions(max_iterations=2)
    found = quick_jit(lambda n: interior_point(WATER, jnp.full(8, 1 / 8), n, options))(jnp.asarray(noises[0]))
    assert (found.status, found.iterations) == (Status.ITERATION_LIMIT, 2)


def test_bad_input():
    with pytest.raises(ValueError, match=r"start has shape \(2, 2\)"):
        interior_point(WATER, jnp.ones((2, 2)), jnp.ones(2))
    with pytest.raises(ValueError, match="equality returns shape"):
        interior_point(NonlinearProgram(lambda x, a: x.sum(), lambda x, a: x.sum()), jnp.ones(2))
    with pytest.raises(ValueError, match="wanted \\[start, n\\]"):
        multi_start(WATER, jnp.ones(2), jnp.ones(2))
    with pytest.raises(ValueError, match="blocks of 3"):
        interior_point(NonlinearProgram(lambda x, a: (x**2).sum(), block=3), jnp.ones(4))
