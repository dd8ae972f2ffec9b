"""The fast search equals the plain one; the polish never falls below it and ends at a stationary point."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax import systems
from wirelax.solvers.ee_problem import make_energy_efficiency_problem
from wirelax.solvers.energy_efficiency import dinkelbach, exhaustive_polish
from wirelax.solvers.exhaustive import exhaustive_search, exhaustive_search_reference
from wirelax.systems.run import sample_channels
from wirelax.types import Status

pytestmark = pytest.mark.slow

NOISE_W = 10 ** ((-128.1 - 30) / 10)


def problem_of(gain, target=0.0):
    budgets = jnp.array([12.0] + [1.2] * (gain.shape[-1] - 1))
    circuit_w = 10.0 + gain.shape[-1] - 1
    return make_energy_efficiency_problem(
        gain, noise_w=NOISE_W, max_power_w=budgets, circuit_power_w=circuit_w, min_spectral_efficiency=target
    )


@pytest.fixture(scope="module")
def gain():
    return jnp.asarray(sample_channels(systems.get("hetnet-ee"), 1000, seed=21)["gain"])


def both(gain, target=0.0, **grid):
    @jax.jit
    def run(gain):
        one = lambda g: (  # noqa: E731
            exhaustive_search(problem_of(g, target), **grid),
            exhaustive_search_reference(problem_of(g, target), **grid),
        )
        return jax.lax.map(one, gain)

    return run(gain)


def assert_same(fast, plain, identical=0.999):
    np.testing.assert_array_equal(fast.status, plain.status)
    np.testing.assert_allclose(fast.utility, plain.utility, rtol=1e-6)
    same = np.isclose(fast.allocation["power_w"], plain.allocation["power_w"], rtol=1e-6).all((1, 2))
    same &= (np.asarray(fast.allocation["assignment"]) == plain.allocation["assignment"]).all((1, 2))
    assert same.mean() >= identical


def test_same_optimum_on_a_thousand_channels(gain):
    assert_same(*both(gain, levels=4))


def test_same_optimum_on_the_default_grid(gain):
    assert_same(*both(gain[:20], levels=6))


@pytest.mark.parametrize("target", [25.0, 60.0])
def test_same_optimum_under_a_target(gain, target):
    fast, plain = both(gain[:60], target=target, levels=4)
    assert_same(fast, plain, identical=0.95)
    infeasible = np.asarray(fast.status == Status.INFEASIBLE)
    assert infeasible.all() if target == 60.0 else not infeasible.all()


@pytest.mark.parametrize(
    ("shape", "grid"), [((2, 3, 4, 2), {"levels": 3}), ((2, 2, 4, 4), {"levels": 3, "spacing": "linear"})]
)
def test_same_optimum_at_other_sizes(shape, grid):
    random_gain = 1e-9 * jax.random.exponential(jax.random.key(0), shape) ** 2
    assert_same(*both(random_gain, **grid), identical=0.0)


def test_polish_is_feasible_and_never_below_the_grid(gain):
    few = gain[:30]
    polished, grid, flat = jax.jit(
        lambda gain: jax.lax.map(
            lambda g: (exhaustive_polish(problem_of(g)), exhaustive_search(problem_of(g)), dinkelbach(problem_of(g))),
            gain,
        )
    )(few)
    assert (polished.utility >= grid.utility * (1 - 1e-6)).all()
    assert (flat.utility <= polished.utility * 1.05).all()
    assert float(jnp.mean(1 - grid.utility / polished.utility)) < 0.02
    budget = np.array([12.0, 1.2, 1.2])
    for solution in (polished, flat):
        power_w = np.asarray(solution.allocation["power_w"])
        assert (power_w >= 0).all()
        assert (power_w.sum(2) <= budget * (1 + 1e-5)).all()

    def slope(gain, assignment, power_w):
        """Gradient of log EE in log power, where a power is neither off nor held by its budget."""
        problem = problem_of(gain)
        log_efficiency = lambda z: jnp.log(problem.energy_efficiency(assignment, jnp.exp(z)))  # noqa: E731
        gradient = jax.grad(log_efficiency)(jnp.log(jnp.maximum(power_w, 1e-12)))
        free = (power_w > 1e-4) & (power_w.sum(1, keepdims=True) < 0.999 * problem.max_power_w[:, None])
        return jnp.where(free, jnp.abs(gradient), 0.0).max()

    residual = jax.jit(jax.vmap(slope))(few, polished.allocation["assignment"], polished.allocation["power_w"])
    assert float(np.quantile(residual, 0.9)) < 2e-2
