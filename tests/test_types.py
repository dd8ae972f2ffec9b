"""The shared records: what a solution survives, and what it says of an infeasible instance."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from wirelax.problems import evaluate


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Link:
    """Twice the power, at most 1 W and at least the floor."""

    floor_w: Array

    def utility(self, allocation):
        return 2 * allocation["power_w"]

    def violations(self, allocation):
        power_w = allocation["power_w"]
        return {"most": power_w - 1, "least": self.floor_w - power_w}


def solve(power_w, floor_w=0.0):
    return evaluate(Link(floor_w=jnp.asarray(floor_w)), {"power_w": jnp.asarray(power_w)}, iterations=3)


def test_survives_every_transform():
    assert jax.eval_shape(solve, jnp.float32(1.0)).utility.shape == ()
    assert jax.jit(jax.grad(lambda p: solve(p).utility))(0.5) == 2.0
    batch = jax.vmap(solve)(jnp.asarray([0.5, 2.0]))
    carried = jax.jit(lambda s: jax.lax.fori_loop(0, 3, lambda _, s: jax.tree.map(jnp.copy, s), s))(batch)
    np.testing.assert_array_equal(carried.utility, batch.utility)


def test_tree_paths_name_the_fields():
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(solve(0.5))]
    wanted = [".allocation['power_w']", ".utility", ".feasible", ".violations['least']", ".violations['most']"]
    assert paths == [*wanted, ".status", ".iterations", ".proven"]


def test_check_returns_a_feasible_solution_itself():
    solution = jax.vmap(solve)(jnp.asarray([0.5, 1.0]))
    assert solution.check() is solution
    assert solve(jnp.float32(0.5)).check().utility == 1.0


def test_check_names_the_first_infeasible_instance_and_its_worst_constraint():
    solution = jax.vmap(solve)(jnp.asarray([0.5, -1.0, 3.0]), jnp.asarray([0.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match=r"2 of 3 instances .* \(first: index 1, which breaks 'least'\)"):
        solution.check()
    with pytest.raises(ValueError, match=r"1 of 1 instances .* breaks 'most'"):
        solve(jnp.float32(2.0)).check()
    with pytest.raises(ValueError, match="1 of 1 instances"):
        solve(jnp.float32(jnp.nan)).check()


def test_is_frozen():
    with pytest.raises(AttributeError):
        solve(jnp.float32(0.5)).utility = 1.0
