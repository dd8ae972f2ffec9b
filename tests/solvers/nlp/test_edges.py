"""Where the method must say what it met: infinite bounds, starts that are not numbers, stalls, feasibility."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.solvers.nlp import InteriorPointOptions, NonlinearProgram, interior_point, multi_start
from wirelax.types import FEASIBILITY_TOLERANCE, Status

from ...compiling import quick_jit

INF, NAN = np.inf, np.nan


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.slow)], ids=["float32", "float64"])
def double(request):
    with jax.enable_x64(request.param):
        yield request.param


def near_one(x, args):
    """Its minimum without constraints is at 1."""
    return ((x - 1) ** 2).sum()


def check_finite(found):
    for leaf in (found.x, found.equality_multiplier, found.inequality_multiplier):
        assert np.isfinite(leaf).all()
    assert not any(np.isnan(leaf).any() for leaf in jax.tree.leaves(found))


@pytest.mark.parametrize("block", [None, 1])
def test_an_infinite_bound_is_inactive(block, double):
    """x <= bound: x = min(bound, 1) with multiplier 2 (1 - x), instance by instance of a batch."""
    program = NonlinearProgram(near_one, None, lambda x, bound: bound - x, block)
    bounds = np.array([[0.5, INF], [INF, INF], [INF, 2.0], [0.5, 0.25], [-INF, 0.5], [NAN, 0.5]])
    found = quick_jit(jax.vmap(lambda bound: interior_point(program, jnp.zeros(2), bound)))(jnp.asarray(bounds))
    check_finite(found)
    np.testing.assert_array_equal(found.status, 4 * [Status.CONVERGED] + [Status.INFEASIBLE, Status.NOT_FINITE])
    wanted, tolerance = np.minimum(bounds[:4], 1), 1e-6 if double else 2e-5
    np.testing.assert_allclose(found.x[:4], wanted, atol=tolerance)
    np.testing.assert_allclose(found.value[:4], ((wanted - 1) ** 2).sum(1), atol=tolerance)
    np.testing.assert_allclose(found.inequality_multiplier[:4], 2 * (1 - wanted), atol=10 * tolerance)
    assert (np.asarray(found.inequality_multiplier)[np.isposinf(bounds)] == 0).all()
    assert (found.residuals["kkt"][:4] <= 3e-5).all()
    np.testing.assert_array_equal(found.x[4:], 0)  # the start
    np.testing.assert_array_equal(found.residuals["infeasibility"][4:], INF)


def test_an_infinite_row_whose_derivatives_are_not_numbers_is_absent(double):
    """The first row is +inf with a Jacobian and curvature of NaN; the second, of the same variables, binds."""

    def rows(x, gain):
        return jnp.stack([jnp.log1p(gain * x[1]) * x[0] - 0.5, 0.5 - x[1] * x[0]])

    solve = quick_jit(lambda gain: interior_point(NonlinearProgram(near_one, None, rows), jnp.full(2, 0.1), gain))
    found = solve(jnp.asarray(INF))
    check_finite(found)
    assert found.status == Status.CONVERGED
    # By symmetry x = sqrt(1/2), and 2 (1 - x) = z x.
    np.testing.assert_allclose(found.x, np.sqrt(0.5), atol=1e-6 if double else 2e-5)
    np.testing.assert_allclose(found.inequality_multiplier, [0, 2 * np.sqrt(2) - 2], rtol=1e-4)
    assert solve(jnp.asarray(0.0)).status == Status.INFEASIBLE  # -0.5 >= 0: it counts where it is there


def test_derivatives_of_the_solution_by_an_infinite_bound_are_zero(x64):
    program, options = NonlinearProgram(near_one, None, lambda x, bound: bound - x), InteriorPointOptions(implicit=True)
    slope = quick_jit(jax.jacrev(lambda bound: interior_point(program, jnp.zeros(2), bound, options).x))
    np.testing.assert_allclose(slope(jnp.array([0.5, INF])), [[1, 0], [0, 0]], atol=1e-6)


STARTS = {
    "start is NaN": (near_one, None, None, (NAN, 0.25), (0, 0.25), 1 + 0.75**2),
    "start is inf": (near_one, None, None, (INF, 0.25), (0, 0.25), 1 + 0.75**2),
    "objective": (lambda x, _: jnp.log(x).sum(), None, None, (-1, 0.25), (-1, 0.25), INF),
    "gradient": (lambda x, _: jnp.sqrt(x).sum(), None, None, (0, 0.25), (0, 0.25), 0.5),
    "Hessian": (lambda x, _: (x**1.5).sum(), None, None, (0, 0.25), (0, 0.25), 0.125),
    "equality": (near_one, lambda x, _: jnp.sqrt(x - 1), None, (0, 0.25), (0, 0.25), 1 + 0.75**2),
    "inequality": (near_one, None, lambda x, _: jnp.sqrt(x - 1), (0, 0.25), (0, 0.25), 1 + 0.75**2),
}


@pytest.mark.parametrize("case", STARTS)
def test_what_is_not_a_number_at_the_start_is_said(case, double):
    *functions, start, wanted, value = STARTS[case]
    found = quick_jit(lambda start: interior_point(NonlinearProgram(*functions), start))(jnp.asarray(start, float))
    check_finite(found)
    assert found.status == Status.NOT_FINITE
    np.testing.assert_allclose(found.x, wanted)
    np.testing.assert_allclose(found.value, value, rtol=1e-6)


def test_starts_that_are_not_numbers_lose(double):
    """Against a solution, and against a start at which a constraint is -inf; alone one of them is returned."""
    program = NonlinearProgram(near_one, None, lambda x, bound: bound - x)
    solve = quick_jit(lambda starts, bound: multi_start(program, starts, bound))
    bad, good = [NAN, 1.0], [0.0, 0.25]
    found = solve(jnp.array([bad, good]), jnp.array([0.5, INF]))
    np.testing.assert_allclose(found.x, [0.5, 1.0], atol=1e-5)
    assert (found.status, found.inequality_multiplier[1]) == (Status.CONVERGED, 0)
    found = solve(jnp.array([bad, good]), jnp.array([-INF, 1.0]))
    np.testing.assert_array_equal(found.x, good)
    assert found.status == Status.INFEASIBLE
    found = solve(jnp.array([bad, bad]), jnp.array([0.5, INF]))
    np.testing.assert_array_equal(found.x, [0.0, 1.0])
    assert found.status == Status.NOT_FINITE


def test_a_stalled_run_says_so(double):
    """The gradient points uphill: no step improves, long before the limit on iterations."""
    program = NonlinearProgram(lambda x, args: (2 * jax.lax.stop_gradient(x) - x).sum())
    found = quick_jit(lambda start: interior_point(program, start))(jnp.array([0.5, 0.25]))
    assert found.status == Status.STALLED
    assert found.iterations < InteriorPointOptions().max_iterations
    np.testing.assert_array_equal(found.x, [0.5, 0.25])


def test_feasibility_is_relative_to_the_terms_of_a_constraint(double):
    """At the start, x >= b is missed by half and by twice the tolerance, for b of 1e4 and of 0."""
    start_only = InteriorPointOptions(max_iterations=0)
    assert start_only.feasibility == FEASIBILITY_TOLERANCE == 1e-5
    program = NonlinearProgram(near_one, None, lambda x, bound: x - bound)
    solve = quick_jit(jax.vmap(lambda start, bound: interior_point(program, start[None], bound, start_only)))
    bound = jnp.array([1e4, 1e4, 0.0, 0.0])
    missed = np.array([0.05, 0.2, 0.5e-5, 2e-5])
    found = solve(bound - missed, bound)
    wanted = [Status.ITERATION_LIMIT, Status.INFEASIBLE, Status.ITERATION_LIMIT, Status.INFEASIBLE]
    np.testing.assert_array_equal(found.status, wanted)
    np.testing.assert_allclose(found.residuals["infeasibility"], [0.5e-5, 2e-5, 0.5e-5, 2e-5], rtol=0.02)
