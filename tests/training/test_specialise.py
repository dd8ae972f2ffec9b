"""Adaptation to one event."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from wirelax.training import (
    Evaluation,
    ScalarMultipliers,
    init_state,
    primal_dual,
    specialise,
    take_step,
    utility_objective,
)

from ..compiling import quick_jit
from .toy import DENSE, TABLE, batch_of, optimum, priced, row_of

EVENTS = batch_of(priced([4.0, 2.0]), priced([0.7, 8.0]), priced([1.0, 3.0]))
RULE = optax.adam(0.05)


def test_equals_a_plain_loop_and_vmaps_over_events(key):
    objective = utility_objective(DENSE)
    policy = DENSE.init(EVENTS, key=key)
    adapt = jax.jit(jax.vmap(lambda event: specialise(objective, policy, event, steps=5, optimizer=RULE, key=key)))
    policies, metrics = adapt(EVENTS)
    assert metrics["loss"].shape == (3, 5)
    step = jax.jit(lambda state, batch, key: take_step(objective, RULE, state, batch, key))
    for i in range(3):
        event = batch_of(row_of(EVENTS, i))
        state = init_state(objective, policy, RULE, event, key)
        for j in range(5):
            state, _, seen = step(state, event, jax.random.fold_in(key, j))
            np.testing.assert_allclose(metrics["loss"][i, j], seen["loss"], rtol=1e-5)
        chex.assert_trees_all_close(row_of(policies, i), state.policy, rtol=1e-4, atol=1e-6)


def test_reaches_the_optimum_of_the_event(key):
    event = priced([4.0, 2.0])
    policy = TABLE.init(batch_of(event), key=key)
    adapt = jax.jit(
        lambda event: specialise(utility_objective(TABLE), policy, event, steps=400, optimizer=RULE, key=key)
    )
    found, metrics = adapt(event)
    np.testing.assert_allclose(TABLE.allocate(found, event)["power"], optimum([4.0, 2.0], 0.5, 100.0)[0], rtol=1e-3)
    assert metrics["loss"][-1] < metrics["loss"][0]


def test_the_best_policy_on_the_way(key):
    """Steps so long that the last is not the best: the best meets the budget, and none that does is better."""
    event = priced([4.0, 2.0], budget=1.0)
    objective = primal_dual(utility_objective(TABLE), ScalarMultipliers(first=5.0), optimizer=optax.sgd(0.1))
    policy, rule = TABLE.init(batch_of(event), key=key), optax.sgd(0.6)

    def run(best):
        return specialise(objective, policy, event, steps=12, optimizer=rule, key=key, keep_best=best)

    (best, seen), (last, same) = quick_jit(lambda: (run(True), run(False)))()
    np.testing.assert_array_equal(seen["loss"], same["loss"])
    found = TABLE.allocate(best, event)
    state = init_state(objective, policy, rule, batch_of(event), key)
    step = quick_jit(lambda state, i: take_step(objective, rule, state, batch_of(event), jax.random.fold_in(key, i)))
    feasible = []
    for i in range(13):
        decision = TABLE.allocate(state.policy, event)
        if event.violations(decision)["budget"] <= 1e-5:
            feasible.append(float(event.utility(decision)))
        state = step(state, i)[0]
    assert 0 < len(feasible) < 13
    assert event.violations(found)["budget"] <= 1e-5
    np.testing.assert_allclose(event.utility(found), max(feasible), rtol=1e-5)
    assert (TABLE.allocate(last, event)["power"] != found["power"]).any()


def test_what_is_not_finite_is_never_the_best(key):
    event = priced([4.0, 2.0])
    policy = TABLE.init(batch_of(event), key=key)

    def breaks(policy, batch, key):
        x = policy.trained["outputs"].sum()
        return Evaluation(jnp.where(x == 0, x, jnp.nan))

    best, metrics = quick_jit(
        lambda: specialise(breaks, policy, event, steps=3, optimizer=optax.sgd(1.0), key=key, keep_best=True)
    )()
    assert np.isnan(metrics["loss"][1:]).all()
    chex.assert_trees_all_equal(best, policy)
