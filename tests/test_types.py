import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.types import Solution, Status


def solve(gain):
    """A stand-in for a solver: infeasible where the gain is negative."""
    status = jnp.where(gain < 0, Status.INFEASIBLE, Status.CONVERGED)
    power = jnp.clip(gain, 0.0, 1.0)
    return Solution(allocation={"power_w": power}, utility=2 * power, iterations=jnp.int32(3), status=status)


def test_survives_every_transform():
    gain = jnp.asarray([0.5, -1.0, 2.0])
    batch = jax.jit(jax.vmap(solve))(gain)
    assert isinstance(batch, Solution)
    np.testing.assert_array_equal(batch.status, [Status.CONVERGED, Status.INFEASIBLE, Status.CONVERGED])
    np.testing.assert_array_equal(batch.iterations, [3, 3, 3])
    np.testing.assert_array_equal(batch.allocation["power_w"], [0.5, 0.0, 1.0])
    assert jax.eval_shape(solve, jnp.float32(1.0)).utility.shape == ()
    assert jax.jit(jax.grad(lambda g: solve(g).utility))(0.5) == 2.0
    carried = jax.jit(lambda s: jax.lax.fori_loop(0, 3, lambda _, s: jax.tree.map(jnp.copy, s), s))(batch)
    np.testing.assert_array_equal(carried.utility, batch.utility)


def test_tree_paths_name_the_fields():
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(solve(0.5))]
    assert paths == [".allocation['power_w']", ".utility", ".iterations", ".status"]


def test_feasible_is_everything_but_infeasible():
    for status in Status:
        solution = Solution(allocation={}, utility=0.0, iterations=0, status=jnp.asarray(int(status)))
        assert bool(solution.feasible) == (status != Status.INFEASIBLE)


def test_check_returns_a_feasible_solution_itself():
    solution = jax.vmap(solve)(jnp.asarray([0.5, 2.0]))
    assert solution.check() is solution
    assert solve(jnp.float32(0.5)).check().utility == 1.0


def test_check_names_the_first_infeasible_instance():
    solution = jax.vmap(solve)(jnp.asarray([0.5, -1.0, 2.0, -1.0]))
    with pytest.raises(ValueError, match=r"2 of 4 instances have no feasible solution \(first: index 1\)"):
        solution.check()
    with pytest.raises(ValueError, match="1 of 1 instances"):
        solve(jnp.float32(-1.0)).check()


def test_is_frozen():
    with pytest.raises(AttributeError):
        solve(jnp.float32(0.5)).utility = 1.0
