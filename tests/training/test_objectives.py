"""Losses, objectives and their gradients against NumPy loops and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wirelax.training import (
    Evaluation,
    Labelled,
    Term,
    classify_and_regress,
    expected_utility,
    label_weights,
    primal_dual,
    supervised_objective,
    utility_objective,
    weighted,
)
from wirelax.training.objectives import at_step

from ..compiling import quick_jit
from .toy import DENSE, batch_of, priced

PROBLEMS = batch_of(priced([4.0, 2.0], budget=1.0), priced([0.5, 8.0], budget=3.0), priced([1.0, 1.0], 2.0))


def powers(policy):
    """Powers of the dense policy on every problem, by hand in float64."""
    gain = np.log(np.asarray(PROBLEMS.gain, np.float64))
    layers = policy.trained
    x = (gain - np.asarray(policy.standardise.mean)) / np.asarray(policy.standardise.std)
    x = np.maximum(x @ np.asarray(layers["Dense_0"]["kernel"], np.float64) + layers["Dense_0"]["bias"], 0)
    return np.log1p(np.exp(x @ np.asarray(layers["Dense_1"]["kernel"], np.float64) + layers["Dense_1"]["bias"]))


@pytest.fixture
def policy(key):
    return DENSE.init(PROBLEMS, key=key)


def test_losses_against_numpy():
    logits, values, targets = np.array([0.3, -1.0, 2.0]), np.array([1.0, 2.0]), np.array([0.5, 2.5])
    softmax = np.exp(logits) / np.exp(logits).sum()
    expected = -np.log(softmax[2]) + 0.25 + 0.25
    np.testing.assert_allclose(jax.jit(classify_and_regress)(logits, 2, values, targets), expected, rtol=1e-6)
    np.testing.assert_allclose(
        jax.jit(expected_utility)(logits, np.array([1.0, 2.0, 3.0])), softmax @ [1.0, 2.0, 3.0], rtol=1e-6
    )
    weights = jax.jit(label_weights)(np.array([1.0, 0.5, 0.0]))
    np.testing.assert_allclose(weights, [1.02, 0.02, 0.02], atol=1e-6)


def test_utility_objective_is_minus_the_mean_utility(policy, key):
    objective = utility_objective(DENSE, scale=0.5, transform=jnp.exp, shortfall=jax.nn.relu)
    found = quick_jit(objective)(policy, PROBLEMS, key)
    utility, excess = [], []
    for i, p in enumerate(powers(policy)):
        gain, price, budget = (np.asarray(leaf)[i] for leaf in (PROBLEMS.gain, PROBLEMS.price, PROBLEMS.budget))
        utility.append(np.log(1 + gain * p).sum() - price * p.sum())
        excess.append(p.sum() / budget - 1)
    np.testing.assert_allclose(found.loss, -0.5 * np.mean(np.exp(utility)), rtol=1e-5)
    np.testing.assert_allclose(found.constraints["budget"], np.maximum(excess, 0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.metrics["utility"], np.mean(utility), rtol=1e-5)
    np.testing.assert_allclose(found.metrics["feasible"], np.mean(np.array(excess) <= 1e-5), rtol=1e-6)


def test_supervised_objective_is_the_mean_error(policy, key):
    label = jnp.arange(6.0).reshape(3, 2)
    error = lambda outputs, problem, label: (problem.price * (jax.nn.softplus(outputs) - label) ** 2).sum()  # noqa: E731
    found = quick_jit(supervised_objective(DENSE, error))(policy, Labelled(PROBLEMS, label), key)
    by_hand = np.mean(np.sum(np.asarray(PROBLEMS.price)[:, None] * (powers(policy) - label) ** 2, 1))
    np.testing.assert_allclose(found.loss, by_hand, rtol=1e-5)


def test_gradients_of_an_objective(check_gradients, key):
    problems = jax.tree.map(lambda leaf: leaf.astype(float), PROBLEMS)
    policy = DENSE.init(problems, key=key)
    objective = utility_objective(DENSE)
    check_gradients(lambda bias: objective(with_bias(policy, bias), problems, key).loss, np.array([0.3, -0.2]))


def with_bias(policy, bias):
    layers = policy.trained
    return policy.with_trained({**layers, "Dense_1": {**layers["Dense_1"], "bias": bias}})


def fixed(value, **more):
    return lambda policy, batch, key: Evaluation(jnp.asarray(value) * batch.sum(), **more)


def test_weights_follow_their_schedules(policy, key):
    both = weighted(
        labels=Term(objective=fixed(2.0), weight=optax.linear_schedule(1.0, 0.0, 10), part="old"),
        free=Term(objective=fixed(3.0, metrics={"seen": jnp.ones(())}), weight=0.5, part="new"),
    )
    batch = {"old": jnp.ones(1), "new": 2 * jnp.ones(1)}
    for step, weight in ((0, 1.0), (5, 0.5), (20, 0.0)):
        found = jax.jit(lambda step: at_step(both, step)(policy, batch, key))(step)
        np.testing.assert_allclose(found.loss, weight * 2 + 0.5 * 6)
        assert found.metrics.keys() == {"labels_loss", "free_loss", "free_seen"}


def test_terms_that_clash_are_refused(policy, key):
    term = Term(objective=fixed(1.0, constraints={"budget": jnp.zeros(1)}))
    with pytest.raises(ValueError, match="budget"):
        weighted(one=term, two=term)(policy, jnp.ones(1), key)
    with pytest.raises(ValueError, match="primal_dual"):
        weighted(one=Term(objective=primal_dual(fixed(1.0))))
