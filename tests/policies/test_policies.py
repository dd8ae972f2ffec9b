"""Networks and the records of a policy."""

import jax
import jax.numpy as jnp
import jraph
import numpy as np
from flax import linen as nn

from wirelax.policies import CNN, MLP, Policy, PolicySolve, PolicySpec, PolicyState, Standardiser
from wirelax.policies.networks import patches
from wirelax.types import Status

from ..compiling import quick_jit
from ..training.toy import DENSE, Normalised, batch_of, gains_of, positive_power, priced


def test_patches_make_flax_convolutions():
    image = jax.random.normal(jax.random.key(0), (5, 6, 4))
    for kernel in ((1, 3), (3, 2)):
        conv = nn.Conv(7, kernel, padding="SAME")
        params = quick_jit(conv.init)(jax.random.key(1), image)
        weight, bias = params["params"]["kernel"], params["params"]["bias"]
        by_hand = quick_jit(lambda x, kernel=kernel, w=weight, b=bias: patches(x, kernel) @ w.reshape(-1, 7) + b)
        np.testing.assert_allclose(by_hand(image), quick_jit(conv.apply)(params, image), atol=1e-5)


def test_cnn_has_the_parameters_of_its_convolutions():
    network = CNN((4, 8), (16,), 3)
    params = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((6, 6, 1)))
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert count == (3 * 1 * 4 + 4) + (3 * 4 * 8 + 8) + (36 * 8 * 16 + 16) + (16 * 3 + 3)


PROBLEMS = batch_of(priced([4.0, 2.0], budget=0.5), priced([0.5, 8.0]), priced([1.0, 1.0]))


def test_spec_and_solve_are_equal_by_value():
    same = PolicySpec(MLP((16,), 2), gains_of, positive_power)
    assert same == DENSE
    assert hash(PolicySolve(same)) == hash(PolicySolve(DENSE))
    assert PolicySolve(same) == PolicySolve(DENSE)
    assert PolicySolve(same) != PolicySolve(PolicySpec(MLP((8,), 2), gains_of, positive_power))


def test_a_policy_is_judged_by_its_problem(key):
    state = DENSE.init(PROBLEMS, key=key)
    np.testing.assert_allclose(state.standardise.mean, np.log(PROBLEMS.gain).mean(0), rtol=1e-6)
    solve = quick_jit(jax.vmap(PolicySolve(DENSE), in_axes=(None, 0, None)))
    found = solve(state, PROBLEMS, key)
    power = np.asarray(found.allocation["power"], np.float64)
    gain, price, budget = (np.asarray(x, np.float64) for x in (PROBLEMS.gain, PROBLEMS.price, PROBLEMS.budget))
    np.testing.assert_allclose(found.utility, np.log(1 + gain * power).sum(1) - price * power.sum(1), rtol=1e-5)
    np.testing.assert_array_equal(found.feasible, power.sum(1) <= budget)
    assert not found.feasible[0]
    assert found.feasible[1]
    assert (found.status == Status.CONVERGED).all()


def test_weights_that_are_not_finite_give_a_finite_allocation_and_say_so(key):
    state = DENSE.init(PROBLEMS, key=key)
    broken = state.with_trained(jax.tree.map(lambda leaf: leaf * jnp.nan, state.trained))
    found = quick_jit(PolicySolve(DENSE))(broken, priced([4.0, 2.0]), key)
    assert found.status == Status.NOT_FINITE
    np.testing.assert_array_equal(found.allocation["power"], [0.0, 0.0])


def test_an_ensemble_is_one_vmap(key):
    members = batch_of(*(DENSE.init(PROBLEMS, key=jax.random.key(i)) for i in range(3)))
    over = jax.vmap(jax.vmap(DENSE.allocate, in_axes=(None, 0)), in_axes=(0, None))
    power = quick_jit(over)(members, PROBLEMS)["power"]
    assert power.shape == (3, 3, 2)
    one = jax.tree.map(lambda leaf: leaf[1], members)
    np.testing.assert_allclose(power[1, 2], DENSE.allocate(one, priced([1.0, 1.0]))["power"], rtol=1e-5)


class SumOverEdges(nn.Module):
    """Every node's features and the sum of those of its neighbours, through a dense layer."""

    @nn.compact
    def __call__(self, graph):
        heard = jraph.segment_sum(graph.nodes[graph.senders], graph.receivers, graph.nodes.shape[0])
        return nn.Dense(1)(jnp.concatenate([graph.nodes, heard], -1))[:, 0]


def graph_of(problem):
    """Two channels as two nodes that hear each other."""
    return jraph.GraphsTuple(
        nodes=jnp.log(problem.gain)[:, None],
        edges=None,
        senders=jnp.array([0, 1]),
        receivers=jnp.array([1, 0]),
        n_node=jnp.array([2]),
        n_edge=jnp.array([2]),
        globals=None,
    )


def test_features_can_be_a_graph(key):
    spec = PolicySpec(SumOverEdges(), graph_of, positive_power, shared_statistics="nodes")
    state = spec.init(PROBLEMS, key=key)
    assert state.standardise.mean.nodes.shape == (1,)
    weight, bias = state.trained["Dense_0"]["kernel"][:, 0], state.trained["Dense_0"]["bias"]
    x = (np.log(np.asarray(PROBLEMS.gain)) - state.standardise.mean.nodes) / state.standardise.std.nodes
    outputs = quick_jit(jax.vmap(spec.outputs, in_axes=(None, 0)))(state, PROBLEMS)
    np.testing.assert_allclose(outputs, x * weight[0] + x[:, ::-1] * weight[1] + bias, rtol=1e-4, atol=1e-6)


def test_training_mode_uses_the_statistics_of_the_batch(key):
    spec = PolicySpec(Normalised(), gains_of, positive_power)
    state = spec.init(PROBLEMS, key=key)
    assert state.collections == ("batch_stats",)
    outputs, variables = quick_jit(lambda s: spec.training_outputs(s, PROBLEMS, key=key))(state)
    x = np.asarray(jax.vmap(spec.inputs, in_axes=(None, 0))(state, PROBLEMS))
    normal = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)
    dense = state.trained["Dense_0"]
    np.testing.assert_allclose(outputs, normal @ dense["kernel"] + dense["bias"], atol=1e-4)
    np.testing.assert_allclose(variables["batch_stats"]["BatchNorm_0"]["mean"], 0.5 * x.mean(0), atol=1e-6)
    after = state.with_variables(variables)
    assert after.trained is state.trained
    assert after.params["batch_stats"] is variables["batch_stats"]
    assert state.with_variables({}) is state


def test_policy_counts_what_is_trained():
    params = {"params": {"a": jnp.zeros((2, 3))}, "batch_stats": {"mean": jnp.zeros(7)}}
    policy = Policy(name="net", params=params, standardise=Standardiser(mean=0.0, std=1.0))
    assert policy.num_parameters == 6
    assert isinstance(policy.state, PolicyState)
    assert Policy(name="net", params={"w": jnp.zeros(4)}, standardise=policy.standardise).num_parameters == 4
