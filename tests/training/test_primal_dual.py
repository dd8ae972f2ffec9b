"""Multipliers of problems whose multipliers are known."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from wirelax.policies import PolicySpec
from wirelax.training import (
    Evaluation,
    LoopConfig,
    NetworkMultipliers,
    ScalarMultipliers,
    Source,
    event,
    primal_dual,
    train,
    utility_objective,
)

from .toy import TABLE, batch_of, optimum, positive_power, priced

GAIN, PRICE = (4.0, 2.0), 0.5


def config(steps, rate=0.05):
    return LoopConfig(steps=steps, learning_rate=rate, clip_norm=None, chunk=100, checkpoint_every=100)


def falling(rate, steps):
    return optax.sgd(optax.cosine_decay_schedule(rate, steps, 0.01))


@pytest.mark.parametrize("link", ["log", "softplus"])
@pytest.mark.parametrize("budget", [1.0, 50.0])
def test_scalar_multiplier_of_a_budget(key, link, budget):
    problem = priced(GAIN, PRICE, budget)
    power, multiplier = optimum(GAIN, PRICE, budget)
    objective = primal_dual(
        utility_objective(TABLE), ScalarMultipliers(link=link, first=2.0), optimizer=falling(0.1, 1500)
    )
    seen = []
    state = train(
        objective,
        TABLE.init(batch_of(problem), key=key),
        problem,
        event(),
        config(1500),
        report=lambda step, metrics: seen.append(metrics),
    )
    found = TABLE.allocate(state.policy, problem)["power"]
    np.testing.assert_allclose(found, power, rtol=2e-3)
    np.testing.assert_allclose(seen[-1]["multiplier_budget"], multiplier, rtol=5e-3, atol=5e-3)
    assert (multiplier > 0.1) == (budget == 1.0)
    assert state.policy.params.keys() == {"params"}


def tight_or_loose(problem):
    return jnp.stack([problem.budget < 1.5, problem.budget >= 1.5]).astype(float)


def test_network_of_multipliers_gives_every_instance_its_own(key):
    """One policy and one network of multipliers for two problems: both find both answers."""
    spec = PolicySpec(nn.Dense(2), tight_or_loose, positive_power)
    problems = batch_of(priced(GAIN, PRICE, 1.0), priced(GAIN, PRICE, 2.0))
    multipliers = NetworkMultipliers(network=nn.Dense(1), inputs=spec.inputs)
    objective = primal_dual(utility_objective(spec), multipliers, optimizer=falling(0.1, 1500))
    whole = Source(lambda data, key: data)
    state = train(objective, spec.init(problems, key=key), problems, whole, config(1500))
    values = jax.jit(lambda s: multipliers.values(s.multipliers, s.policy, problems, ("budget",)))(state)["budget"]
    power = jax.jit(jax.vmap(spec.allocate, in_axes=(None, 0)))(state.policy, problems)["power"]
    for i, budget in enumerate((1.0, 2.0)):
        wanted, multiplier = optimum(GAIN, PRICE, budget)
        np.testing.assert_allclose(power[i], wanted, rtol=3e-3)
        np.testing.assert_allclose(values[i], multiplier, rtol=1e-2)


def test_width_of_the_network_is_checked(key):
    problem = priced(GAIN)
    multipliers = NetworkMultipliers(network=nn.Dense(3), inputs=TABLE.inputs)
    objective = primal_dual(utility_objective(TABLE), multipliers)
    with pytest.raises(ValueError, match=r"\(3,\).*wanted is \(1,\).*budget"):
        train(objective, TABLE.init(batch_of(problem), key=key), problem, event(), config(100))


def test_an_objective_without_constraints_is_refused(key):
    problem = priced(GAIN)
    objective = primal_dual(lambda policy, batch, key: Evaluation(policy.trained["outputs"].sum()))
    with pytest.raises(ValueError, match="no constraints"):
        train(objective, TABLE.init(batch_of(problem), key=key), problem, event(), config(100))


def test_excess_is_clipped_and_zero_at_the_slack():
    """The learnt log moves by the clipped excess, whatever the multiplier: slack 1e-4 in units of 1e-4."""
    multipliers = ScalarMultipliers(first=10.0, slack=1e-4, unit=1e-4)
    objective = primal_dual(lambda policy, batch, key: None, multipliers)

    @jax.jit
    def both(dual, shift):
        def penalty(dual, shift):
            return objective.penalty({"rate": dual}, {"rate": shift * jnp.array([0.0, 2.0])}, None, None)[0]

        return penalty(dual, shift), jax.grad(penalty, argnums=(0, 1))(dual, shift)

    for mean, excess in ((0.0, -1.0), (0.5e-4, -0.5), (1e-4, 0.0), (1.5e-4, 0.5), (0.3, 1.0)):
        value, (ascent, descent) = both(0.7, mean)
        np.testing.assert_allclose(ascent, -excess, atol=1e-6)
        np.testing.assert_allclose(descent, 10 * np.exp(0.7), rtol=1e-6)
        np.testing.assert_allclose(value, 10 * np.exp(0.7) * mean, rtol=1e-5)


def test_numbers_by_name():
    multipliers = ScalarMultipliers(first={"a": 1.0, "b": 3.0}, link="softplus")
    values = multipliers.values({"a": jnp.zeros(()), "b": jnp.zeros(())}, None, None, ("a", "b"))
    np.testing.assert_allclose([values["a"], values["b"]], [1.0, 3.0], rtol=1e-6)
