"""Gradient ascent on problems with a known optimum, with bad starts, and without a solution."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from wirelax.problems import make_noma_problem
from wirelax.solvers import gradient_ascent, noma_gradient, noma_power
from wirelax.types import Status

from ..compiling import quick_jit

WEIGHT = np.array([1.0, 2.0, 5.0])


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Shares:
    """Maximise sum w log(scale x) with sum x <= total: x = total w / sum w. A utility that passes through zero."""

    weight: Array
    scale: Array
    total: Array
    excess: Array  # positive where nothing can be done

    def utility(self, allocation):
        return (self.weight * jnp.log(self.scale * allocation["x"])).sum()

    def violations(self, allocation):
        return {"total": allocation["x"].sum() / self.total - 1, "excess": self.excess}


def shares(total=4.0, scale=1.0, excess=-1.0):
    constants = {"weight": WEIGHT, "scale": scale, "total": total, "excess": excess}
    return Shares(**{name: jnp.asarray(value, jnp.float32) for name, value in constants.items()})


def penalised(variables, problem):
    """The total is left to the price."""
    return {"x": jnp.exp(variables["log_x"]), "held": variables["held"]}


def shared(variables, problem):
    """The total holds by construction."""
    return {"x": problem.total * jax.nn.softmax(variables["log_x"]), "held": variables["held"]}


DECODE = {"penalised": penalised, "shared": shared}


def starts(log_x):
    log_x = jnp.asarray(log_x, jnp.float32)
    return {"log_x": log_x, "held": jnp.arange(len(log_x))}


GOOD = np.array([[0.0, 0.0, 0.0], [-1.0, 1.0, 0.0]])


@pytest.fixture(scope="module")
def climb():
    """Compiled ascents by name of the decoder."""

    def solve(decode):
        return quick_jit(lambda problem, starts: gradient_ascent(problem, starts, decode, steps=400))

    return {name: solve(decode) for name, decode in DECODE.items()}


@pytest.mark.parametrize("scale", [1.0, 1e-3, 0.75, 1e3])
@pytest.mark.parametrize("name", DECODE)
def test_reaches_the_closed_form(climb, name, scale):
    """At the scale 0.75 the utility passes through zero on the way."""
    problem = shares(scale=scale)
    found = climb[name](problem, starts(GOOD))
    best = 4.0 * WEIGHT / WEIGHT.sum()
    if name == "shared" or scale in (1.0, 0.75):  # elsewhere the price is far above the slopes: a zigzag
        np.testing.assert_allclose(found.allocation["x"], best, 0.03)
    wanted = float((WEIGHT * np.log(scale * best)).sum())
    np.testing.assert_allclose(found.utility, wanted, rtol=2e-3, atol=2e-2)
    assert found.utility <= wanted + 1e-4 * (1 + abs(wanted))
    assert found.feasible
    assert found.violations["total"] <= 1e-5
    assert (int(found.status), int(found.iterations), bool(found.proven)) == (Status.CONVERGED, 400, False)
    assert found.allocation["held"] in (0, 1)


def test_a_start_at_which_the_utility_is_zero_is_left(climb):
    found = climb["shared"](shares(total=3.0), starts(np.zeros((2, 3))))  # x = 1: log x = 0
    np.testing.assert_allclose(found.allocation["x"], 3.0 * WEIGHT / WEIGHT.sum(), 0.03)


def test_never_below_a_feasible_start(climb):
    best = np.log(WEIGHT / WEIGHT.sum())
    found = climb["shared"](shares(), starts(np.stack([best, best])))
    np.testing.assert_allclose(found.utility, shares().utility({"x": 4.0 * WEIGHT / WEIGHT.sum()}), 1e-5)


@pytest.mark.parametrize("name", DECODE)
def test_a_start_that_is_no_number_does_no_harm(climb, name):
    good = climb[name](shares(), starts([GOOD[1], GOOD[1]]))
    found = climb[name](shares(), starts([[np.nan] * 3, GOOD[1]]))
    assert found.feasible
    assert int(found.allocation["held"]) == 1
    np.testing.assert_allclose(found.utility, good.utility, 1e-3)


@pytest.mark.parametrize("name", DECODE)
def test_only_starts_that_are_no_numbers(climb, name):
    found = climb[name](shares(), starts(np.full((2, 3), np.nan)))
    assert int(found.status) == Status.NOT_FINITE
    for leaf in jax.tree.leaves(found):
        assert np.isfinite(leaf).all()


def test_a_problem_without_a_solution(climb):
    found = climb["penalised"](shares(excess=0.5), starts(GOOD))
    assert int(found.status) == Status.INFEASIBLE
    assert not found.feasible
    np.testing.assert_allclose(found.violations["excess"], 0.5)
    for leaf in jax.tree.leaves(found):
        assert np.isfinite(leaf).all()
    lost = climb["penalised"](shares(excess=np.nan), starts(GOOD))
    assert int(lost.status) == Status.NOT_FINITE
    assert not lost.feasible
    assert np.isfinite(lost.allocation["x"]).all()


def test_the_utility_has_derivatives_by_the_constants():
    """With the total by construction: d/d total = sum w / total, d/d scale = sum w / scale."""
    utility = lambda problem: gradient_ascent(problem, starts(GOOD), shared, steps=400).utility  # noqa: E731
    slopes = quick_jit(jax.grad(utility))(shares(total=4.0, scale=2.0))
    np.testing.assert_allclose([slopes.total, slopes.scale], [8 / 4, 8 / 2], 1e-3)


@pytest.mark.slow
def test_eager_equals_compiled(climb):
    eager = gradient_ascent(shares(), starts(GOOD), shared, steps=400)
    compiled = climb["shared"](shares(), starts(GOOD))
    for one, other in zip(jax.tree.leaves(eager), jax.tree.leaves(compiled), strict=True):
        np.testing.assert_allclose(one, other, 1e-3, atol=1e-5)


@pytest.mark.slow
def test_powers_of_a_noma_schedule(key):
    """Feasible by construction, and as good as the interior-point method."""
    gains = jnp.asarray(np.random.default_rng(50).exponential(size=(6, 3, 4)), jnp.float32)

    def both(gain, key):
        problem = make_noma_problem(
            gain, noise_power_w=0.1, total_power_w=20.0, max_users_per_subchannel=2, max_subchannels_per_user=2
        )
        return noma_gradient(problem, key=key), noma_power(problem, starts=2, key=key)

    climbed, exact = quick_jit(jax.vmap(both))(gains, jax.random.split(key, 6))
    assert climbed.feasible.all()
    assert exact.feasible.all()
    assert (climbed.status == Status.CONVERGED).all()
    np.testing.assert_array_equal(climbed.allocation["assignment"], exact.allocation["assignment"])
    assert climbed.utility.mean() >= 0.99 * exact.utility.mean()
    assert (climbed.utility <= exact.utility * 1.01).all()
