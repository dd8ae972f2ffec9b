"""Where every decision is judged: the tolerance, NaN, and the fields of a Solution."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from wirelax.problems import Problem, evaluate, is_feasible
from wirelax.types import FEASIBILITY_TOLERANCE, Status


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Toy:
    """Maximise weight * x with x <= limit, y >= 0."""

    weight: Array
    limit: Array

    def utility(self, allocation):
        return self.weight * allocation["x"]

    def violations(self, allocation):
        return {"limit": allocation["x"] / self.limit - 1, "sign": -allocation["y"]}


def toy(weight=2.0, limit=4.0):
    return Toy(weight=jnp.asarray(weight), limit=jnp.asarray(limit))


def allocation(x, y=1.0):
    return {"x": jnp.asarray(x), "y": jnp.asarray(y)}


def test_a_problem_is_whatever_has_a_utility_and_violations():
    assert isinstance(toy(), Problem)
    assert not isinstance(allocation(1.0), Problem)


@pytest.mark.parametrize(
    ("values", "feasible"),
    [
        ((-1.0, 0.0), True),
        ((0.0, FEASIBILITY_TOLERANCE), True),
        ((np.nextafter(np.float32(FEASIBILITY_TOLERANCE), np.float32(1)), 0.0), False),
        ((-1.0, 1.01 * FEASIBILITY_TOLERANCE), False),
        ((np.nan, -1.0), False),
        ((-1.0, np.nan), False),
        ((np.inf, -1.0), False),
        ((-np.inf, -1.0), True),
        ((), True),
    ],
)
def test_feasible_up_to_the_one_tolerance(values, feasible):
    violations = {str(i): jnp.asarray(value, jnp.float32) for i, value in enumerate(values)}
    found = is_feasible(violations)
    assert (found.shape, found.dtype) == ((), bool)
    assert bool(found) == feasible


def test_the_tolerance_is_the_same_in_double_precision(x64):
    assert is_feasible({"a": jnp.asarray(FEASIBILITY_TOLERANCE)})
    assert not is_feasible({"a": jnp.asarray(np.nextafter(FEASIBILITY_TOLERANCE, 1))})


def test_a_solution_by_default():
    found = evaluate(toy(), allocation(3.0))
    assert float(found.utility) == 6.0
    assert {name: float(v) for name, v in found.violations.items()} == {"limit": -0.25, "sign": -1.0}
    assert found.feasible
    assert (int(found.status), int(found.iterations), bool(found.proven)) == (Status.CONVERGED, 0, False)
    assert (found.status.dtype, found.iterations.dtype, found.proven.dtype) == (jnp.int32, jnp.int32, bool)
    assert found.residuals == {}
    assert found.check() is found


def test_what_the_solver_says_is_kept():
    how = {"status": Status.STALLED, "iterations": 7, "proven": True, "residuals": {"kkt": jnp.asarray(1e-3)}}
    found = evaluate(toy(), allocation(5.0), **how)
    assert not found.feasible  # judged, whatever the solver says
    assert (int(found.status), int(found.iterations), bool(found.proven)) == (Status.STALLED, 7, True)
    np.testing.assert_allclose(found.residuals["kkt"], 1e-3)
    with pytest.raises(ValueError, match="breaks 'limit'"):
        found.check()


@pytest.mark.parametrize("x", [np.nan, np.inf, -np.inf])
def test_a_utility_that_is_no_number_is_not_feasible(x):
    problem = toy(limit=jnp.inf)  # no limit: inf / inf - 1 is NaN, -1 for a finite x
    assert evaluate(problem, allocation(3.0)).feasible
    assert not evaluate(problem, allocation(x)).feasible
    free = Toy(weight=jnp.asarray(x), limit=jnp.asarray(4.0))  # only the utility is no number
    assert not evaluate(free, allocation(3.0)).feasible


def test_batches_and_jit_are_one_by_one():
    problems = jax.vmap(toy)(jnp.arange(1.0, 4.0), jnp.asarray([4.0, 2.0, 4.0]))
    allocations = allocation(jnp.asarray([3.0, 3.0, 3.0]), jnp.asarray([1.0, 1.0, -1.0]))
    found = jax.jit(jax.vmap(lambda problem, a: evaluate(problem, a, iterations=5)))(problems, allocations)
    np.testing.assert_array_equal(found.feasible, [True, False, False])
    np.testing.assert_array_equal(found.iterations, [5, 5, 5])
    for i in range(3):
        one = evaluate(*jax.tree.map(lambda leaf, i=i: leaf[i], (problems, allocations)), iterations=5)
        for batched, single in zip(jax.tree.leaves(found), jax.tree.leaves(one), strict=True):
            np.testing.assert_array_equal(batched[i], single)


def test_the_utility_has_derivatives_by_the_constants():
    slopes = jax.grad(lambda problem: evaluate(problem, allocation(3.0)).utility)(toy())
    assert (float(slopes.weight), float(slopes.limit)) == (3.0, 0.0)
