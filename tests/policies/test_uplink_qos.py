"""What the uplink policy sees and decides, against plain loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.policies import BATCH_AXIS, PolicySpec
from wirelax.policies.uplink_qos import (
    MultiplierDNN,
    NormalisedMLP,
    UplinkDNN,
    WinningShares,
    log_snr,
    log_snr_in_turn_order,
    power_shares,
)
from wirelax.problems import make_uplink_qos_problem

from ..compiling import quick_jit

USERS, RBS = 3, 7
BUDGET_W = 0.2


def problem_of(seed, users=USERS, rbs=RBS):
    gain = np.exp(np.random.default_rng(seed).normal(5.0, 1.0, (users, rbs)))
    return make_uplink_qos_problem(gain.astype(np.float32), max_power_w=BUDGET_W)


def turns(snr):
    """The i-th RB is the best that is left for user i mod K."""
    left, order = set(range(snr.shape[1])), []
    for i in range(snr.shape[1]):
        order.append(max(sorted(left), key=lambda f: snr[i % len(snr), f]))
        left.remove(order[-1])
    return order


def decision(outputs, order):
    """Yin et al. (2025), eq. (13), on shares of the budget; outputs are for the RBs in this order."""
    users, _, rbs = outputs.shape
    service, power = np.zeros((users, rbs), int), np.zeros((users, rbs))
    share = outputs / (outputs.sum((1, 2), keepdims=True) + 1e-9)
    for place, rb in enumerate(order):
        best, winner = 0.0, None
        for k in range(users):
            for m in range(2):
                if share[k, m, place] > best:
                    best, winner = share[k, m, place], (k, m)
        if winner:
            service[winner[0], rb], power[winner[0], rb] = winner[1] + 1, best * BUDGET_W
    return service, power


heads = {sort: quick_jit(jax.vmap(WinningShares(sort))) for sort in (True, False)}


@pytest.mark.parametrize("sort", [True, False])
def test_head_against_loops(sort):
    """Random outputs, a third of them zero, one user with none at all, ties between services."""
    rng = np.random.default_rng(1)
    outputs = np.maximum(rng.normal(0.5, 1.0, (40, USERS, 2, RBS)), 0)
    outputs[:10, 1] = 0
    outputs[10:20, :, 1] = outputs[10:20, :, 0]
    outputs[20] = 0
    problems = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(problem_of(seed) for seed in range(40)))
    found = heads[sort](outputs.astype(np.float32), problems)
    assert found["service"].dtype == jnp.int32
    for i, snr in enumerate(np.asarray(problems.snr)):
        service, power = decision(outputs[i].astype(np.float32), turns(snr) if sort else range(RBS))
        np.testing.assert_array_equal(found["service"][i], service)
        np.testing.assert_allclose(found["power_w"][i], power, rtol=1e-5)
    assert ((found["service"] > 0).sum(1) <= 1).all()
    assert (found["power_w"].sum(2) <= BUDGET_W * (1 + 1e-6)).all()
    assert (found["service"][20] == 0).all()
    np.testing.assert_array_equal(found["power_w"] > 0, found["service"] > 0)


def test_shares_of_no_outputs_are_zero_and_have_gradients():
    share, pull = quick_jit(jax.value_and_grad(lambda outputs: power_shares(outputs)[0].sum()))(jnp.zeros((2, 2, 3)))
    assert share == 0
    assert np.isfinite(pull).all()


def test_features():
    problem = problem_of(3)
    snr = np.asarray(problem.snr, np.float64)
    np.testing.assert_allclose(log_snr(problem), np.log(snr), rtol=1e-6)
    np.testing.assert_allclose(quick_jit(log_snr_in_turn_order)(problem), np.log(snr[:, turns(snr)]), rtol=1e-6)
    dead = make_uplink_qos_problem(np.zeros((2, 3), np.float32))
    assert np.isfinite(log_snr(dead)).all()


@pytest.mark.parametrize("sort", [True, False])
def test_renumbered_rbs_renumber_the_decision_of_the_sorted_policy(sort, key):
    spec = PolicySpec(UplinkDNN((8,) * 3), log_snr_in_turn_order if sort else log_snr, WinningShares(sort))
    problems = [problem_of(seed) for seed in range(5)]
    state = spec.init(jax.tree.map(lambda *leaves: jnp.stack(leaves), *problems), key=key)
    allocate, moved = quick_jit(spec.allocate), np.random.default_rng(0).permutation(RBS)
    shuffled = make_uplink_qos_problem(problems[0].snr[:, moved] / BUDGET_W, max_power_w=BUDGET_W)
    before, after = allocate(state, problems[0]), allocate(state, shuffled)
    assert len(set(np.asarray(before["service"]).ravel())) > 1
    same = all(np.allclose(after[name], before[name][:, moved], rtol=1e-5) for name in before)
    assert same == sort


def test_batch_normalisation_before_every_layer(key):
    """In training by the statistics of the batch, as in float64 NumPy; else by the running ones."""
    network = NormalisedMLP((4,), (3,), first_output=0.5)
    x = np.random.default_rng(0).normal(2.0, 3.0, (16, 5)).astype(np.float32)
    variables = quick_jit(network.init)(key, x[0])

    @quick_jit
    def both(variables, x):
        run = jax.vmap(lambda x: network.apply(variables, x))(x)
        trained = network.clone(training=True)
        one = lambda x: trained.apply(variables, x, mutable=["batch_stats"])  # noqa: E731
        return run, *jax.vmap(one, axis_name=BATCH_AXIS, out_axes=(0, None))(x)

    run, trained, changed = both(variables, x)
    wanted = {"run": x.astype(np.float64), "trained": x.astype(np.float64)}
    for layer in range(2):
        weights = {k: np.asarray(v, np.float64) for k, v in variables["params"][f"Dense_{layer}"].items()}
        for name, y in wanted.items():
            if name == "trained":
                if layer == 0:
                    mean = changed["batch_stats"]["BatchNorm_0"]["mean"]
                    np.testing.assert_allclose(mean, 0.01 * y.mean(0), rtol=1e-4)
                y = (y - y.mean(0)) / np.sqrt(y.var(0) + 1e-5)
            else:
                y = y / np.sqrt(1 + 1e-5)
            y = y @ weights["kernel"] + weights["bias"]
            wanted[name] = np.log1p(np.exp(y)) if layer == 0 else y
    np.testing.assert_allclose(variables["params"]["Dense_1"]["bias"], 0.5)
    np.testing.assert_allclose(run, wanted["run"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(trained, wanted["trained"], rtol=1e-4, atol=1e-4)


def test_networks_of_multipliers_are_two(key):
    network = MultiplierDNN((4, 4))
    variables = jax.eval_shape(network.init, key, jnp.zeros((USERS, RBS)))
    outputs = jax.eval_shape(network.apply, variables, jnp.zeros((USERS, RBS)))
    assert outputs.shape == (2, USERS)
    assert len(variables["params"]) == 2
