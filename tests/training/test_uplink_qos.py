"""The objective of the uplink policies against loops, their multipliers, and their recipes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from scipy.special import ndtri

from wirelax.policies import PolicySpec
from wirelax.policies.uplink_qos import UplinkDNN, WinningShares, log_snr
from wirelax.problems import make_uplink_qos_problem
from wirelax.systems import train_policy
from wirelax.systems.uplink_qos.recipes import PLANS, recipe
from wirelax.systems.uplink_qos.system import UplinkQos
from wirelax.training import (
    ConstantMultipliers,
    Evaluation,
    LoopConfig,
    NetworkMultipliers,
    Source,
    init_state,
    make_optimizer,
    primal_dual,
    take_step,
    train,
)
from wirelax.training.uplink_qos import (
    AdaptiveSmoothing,
    GivenSmoothing,
    OccupiedRbs,
    StepPenalty,
    broken_part,
    peak_schedule,
)

from ..compiling import quick_jit
from .toy import batch_of

USERS, RBS = 2, 4
SPEC = PolicySpec(UplinkDNN((16,) * 3), log_snr, WinningShares(sort=False))
TINY = {"num_users": USERS, "num_rbs": RBS, "num_antennas": 8, "distance_m": 50.0}


def problem_of(seed, users=USERS, rbs=RBS, level=6.0, **constants):
    gain = np.exp(np.random.default_rng(seed).normal(level, 0.7, (users, rbs)))
    return make_uplink_qos_problem(gain.astype(np.float32), max_power_w=0.2, **constants)


def constant(value):
    return optax.constant_schedule(value)


def adaptive(indicator=30.0, winner=1e-3):
    return AdaptiveSmoothing(indicator_gradient=constant(indicator), winner_gradient=constant(winner))


def test_peak_schedule():
    schedule = peak_schedule(20.0, 300.0, 30.0, 200, rise=0.05)
    for step, wanted in ((0, 20.0), (5, 160.0), (10, 300.0), (105, 165.0), (200, 30.0), (500, 30.0)):
        np.testing.assert_allclose(schedule(step), wanted, rtol=1e-6)


@pytest.mark.parametrize("step", [0, 100])
def test_objective_against_loops(step, x64):
    """Eqs. (14), (16) and the shortfalls of section 4 with annealed sharpnesses, in float64."""
    smoothing = GivenSmoothing(
        indicator_sharpness=optax.linear_schedule(1.0, 200.0, 100),
        winner_sharpness=optax.linear_schedule(10.0, 2000.0, 100),
    )
    theta, beta = (1.0, 10.0) if step == 0 else (200.0, 2000.0)
    stricter = {"long_factor": 1.05, "short_factor": 1.02, "error_factor": 0.05}
    objective = OccupiedRbs(spec=SPEC, smoothing=smoothing, **stricter).at(step)
    problem = problem_of(0)
    outputs = np.maximum(np.random.default_rng(1).normal(0.5, 1, (USERS, 2, RBS)), 0)
    found = quick_jit(objective.measure)(jnp.asarray(outputs), problem, jax.random.key(0))

    snr = np.asarray(problem.snr, float)
    share = outputs / (outputs.sum((1, 2), keepdims=True) + 1e-9)
    won, occupied = np.zeros_like(share), 0.0
    for rb in range(RBS):
        weight = np.exp(beta * (share[:, :, rb] - share[:, :, rb].max()))
        won[:, :, rb] = share[:, :, rb] * weight / weight.sum()
        occupied += np.tanh(theta * won[:, :, rb].sum())
    np.testing.assert_allclose(found.loss, occupied, rtol=1e-6)
    need_long, need_short = 1.05 * 3e6 / 360e3 * np.log(2), 1.02 * 512e3 / 360e3 * np.log(2)
    for k in range(USERS):
        reached = sum(np.log(1 + snr[k, rb] * won[k, 0, rb]) for rb in range(RBS))
        np.testing.assert_allclose(found.constraints["long"][k], 1 - reached / need_long, rtol=1e-5)
        reached = sum(np.log(1 + snr[k, rb] * won[k, 1, rb]) for rb in range(RBS))
        count = max(sum(np.tanh(theta * won[k, 1, rb]) for rb in range(RBS)), 1)
        reached += ndtri(0.05 * 1e-5) * np.sqrt(count / 180)
        np.testing.assert_allclose(found.constraints["short"][k], 1 - reached / need_short, rtol=1e-5)


def test_no_service_is_never_short():
    objective = OccupiedRbs(spec=SPEC, smoothing=adaptive())
    problem = problem_of(0, rate_long_bps=0.0, rate_short_bps=0.0)
    found = quick_jit(objective.measure)(jnp.ones((USERS, 2, RBS)), problem, jax.random.key(0))
    assert (found.constraints["long"] < 0).all()
    assert (found.constraints["short"] < 0).all()


@pytest.mark.parametrize("outputs", ["zero", "tied", "random"])
def test_gradients_are_finite_and_pull_up_what_is_short(outputs):
    """Of all outputs at once, at zero outputs and at ties as well."""
    drawn = np.maximum(np.random.default_rng(2).normal(0.5, 1, (USERS, 2, RBS)), 0).astype(np.float32)
    outputs = {"zero": jnp.zeros((USERS, 2, RBS)), "tied": jnp.ones((USERS, 2, RBS)), "random": drawn}[outputs]
    value, pull = pulls(outputs, problem_of(0))
    assert np.isfinite(value)
    assert np.isfinite(pull).all()
    assert (pull != 0).any()


@quick_jit
def pulls(outputs, problem):
    def lagrangian(outputs):
        found = OccupiedRbs(spec=SPEC, smoothing=adaptive()).measure(outputs, problem, None)
        penalty = StepPenalty(scale=constant(3.0))
        return found.loss + 2.0 * sum(penalty(value, 2.0).sum() for value in found.constraints.values())

    return jax.value_and_grad(lagrangian)(outputs)


class Raw(nn.Module):
    """A number for every constraint and user, whatever the features."""

    @nn.compact
    def __call__(self, features):
        return self.param("raw", nn.initializers.zeros, (2, USERS))


def test_ascent_of_the_multipliers_in_a_step():
    """d(lambda phi)/d(lambda): c u(v) where broken, -lambda below 2 where held, -1 above; summed over users."""
    violation = {"long": jnp.array([[0.5, -0.1]]), "short": jnp.array([[-3.0, -0.1]])}
    wanted_multiplier = np.array([[0.7, 0.4], [1.5, 3.0]])
    raw = np.log(np.expm1(wanted_multiplier)) - np.log(np.e - 1)

    def objective(policy, batch, key):
        return Evaluation(jnp.zeros(()) + 0.0 * policy.trained["w"].sum(), {k: v + 0.0 for k, v in violation.items()})

    dual = primal_dual(
        objective,
        NetworkMultipliers(network=Raw(), inputs=lambda policy, instance: instance, limit=np.inf),
        optimizer=optax.sgd(1.0),
        penalise=StepPenalty(scale=optax.linear_schedule(1.0, 21.0, 10), gradient=30.0),
    )
    policy = SPEC.init(batch_of(problem_of(0)), key=jax.random.key(0)).with_trained({"w": jnp.zeros(2)})
    rule, batch = optax.sgd(0.1), jnp.zeros((1, 3))
    state = init_state(dual, policy, rule, batch, jax.random.key(0), multipliers={"params": {"raw": jnp.asarray(raw)}})
    state = jax.tree.map(lambda leaf: leaf, state)
    state = type(state)(**{**vars(state), "step": jnp.asarray(5)})
    new, _, metrics = quick_jit(lambda s: take_step(dual, rule, s, batch, jax.random.key(0)))(state)
    np.testing.assert_allclose(metrics["multiplier_long"], wanted_multiplier[0].mean(), rtol=1e-5)
    scale, firm = 11.0, 0.5 / 0.7717023  # c0 tanh(c0) = 1/2: the smallest value at a positive violation
    slope = np.array([[scale * firm, -0.4], [-1.5, -1.0]])
    link = 1 - np.exp(-wanted_multiplier)
    np.testing.assert_allclose(new.multipliers["params"]["raw"] - raw, slope * link, rtol=1e-4)


def test_descent_of_the_policy_sees_the_slope_of_the_penalty():
    """c min(delta, kappa / v) times the multiplier where broken, nothing where held."""
    dual = primal_dual(
        lambda policy, batch, key: None,
        ConstantMultipliers({"long": 2.0, "short": 5.0}),
        penalise=StepPenalty(scale=constant(10.0), gradient=30.0),
    )

    @quick_jit
    def slopes(violation):
        return jax.grad(lambda v: dual.penalty({}, v, None, None)[0])(violation)

    found = slopes({"long": jnp.array([[0.5, 1e-3], [-0.1, 0.2]]), "short": jnp.array([[-1.0, 0.1], [-1.0, -1.0]])})
    kappa = 0.4477432
    np.testing.assert_allclose(found["long"], 2 * 10 * np.array([[kappa / 0.5, 30], [0, kappa / 0.2]]) / 2, rtol=1e-5)
    np.testing.assert_allclose(found["short"], 5 * 10 * np.array([[0, kappa / 0.1], [0, 0]]) / 2, rtol=1e-5)


def test_constant_multipliers_penalise_broken_constraints_alone():
    dual = primal_dual(lambda policy, batch, key: None, ConstantMultipliers(10.0), penalise=broken_part)
    value, metrics = quick_jit(lambda v: dual.penalty({}, {"rate": v}, None, None))(jnp.array([0.2, -5.0]))
    np.testing.assert_allclose(value, 10 * 0.1, rtol=1e-6)
    assert metrics["multiplier_rate"] == 10


def test_multipliers_of_another_shape_than_the_constraint_are_refused():
    network = NetworkMultipliers(network=nn.Dense(1), inputs=lambda policy, instance: instance)
    dual = primal_dual(lambda policy, batch, key: Evaluation(jnp.zeros(()), {"rate": jnp.ones((3, USERS))}), network)
    batch = jnp.zeros((3, 2))
    variables = dual.init(None, batch, jax.random.key(0))
    with pytest.raises(ValueError, match=r"'rate' have shape \(3,\).*\(3, 2\)"):
        dual.penalty(variables, {"rate": jnp.ones((3, USERS))}, None, batch)


class PerUser(nn.Module):
    """A number for every constraint and user from a linear layer."""

    @nn.compact
    def __call__(self, features):
        return nn.Dense(2 * USERS)(features.reshape(-1)).reshape(2, USERS)


def test_one_batch_is_learnt(key):
    """The same problems again and again: RBs become free, of six that two users need four of, and they stay served."""
    problems = batch_of(*(problem_of(seed, rbs=6, level=8.0, rate_long_bps=2e6) for seed in range(16)))
    steps = 1000
    objective = OccupiedRbs(
        spec=SPEC,
        smoothing=AdaptiveSmoothing(
            indicator_gradient=peak_schedule(20.0, 300.0, 30.0, steps),
            winner_gradient=optax.linear_schedule(3e-3, 1e-4, steps),
        ),
    )
    dual = primal_dual(
        objective,
        NetworkMultipliers(network=PerUser(), inputs=SPEC.inputs, limit=np.inf),
        optimizer=optax.adam(3e-3),
        penalise=StepPenalty(scale=optax.exponential_decay(1.0, steps, 30.0)),
    )
    loop = LoopConfig(
        steps=steps, learning_rate=3e-3, schedule="linear", clip_norm=None, chunk=steps, checkpoint_every=steps
    )
    first = SPEC.init(problems, key=key)
    state = train(dual, first, problems, Source(lambda data, key: data), loop)

    @quick_jit
    def judge(policy):
        def one(problem):
            allocation = SPEC.allocate(policy, problem)
            return problem.occupied(allocation), problem.served(allocation).all()

        return jax.vmap(one)(problems)

    occupied, served = judge(state.policy)
    assert served.mean() > 0.75
    assert occupied.mean() <= 5
    assert judge(first)[0].mean() > 5.9


def stage_of(system, name, preset="smoke", seed=0):
    return recipe(system, name).stages(preset, seed)[0]


def one_step(system, name):
    """States before and after a step of a recipe, what the objective said and the metrics."""
    made, stage = recipe(system, name), stage_of(system, name)
    optimizer = make_optimizer(stage.loop)
    policy = made.spec.init(batch_of(problem_of(0), problem_of(1)), key=jax.random.key(1))

    def step(policy, data, key):
        batch = stage.source.draw(data, key)
        state = init_state(stage.objective, policy, optimizer, batch, key)
        return state, *take_step(stage.objective, optimizer, state, batch, key)

    return step, policy, {"constants": system.constants()}


@pytest.mark.parametrize("name", PLANS)
def test_every_recipe_traces(name):
    """Shapes of a step; networks of multipliers where they are learnt."""
    step, policy, data = one_step(UplinkQos(**TINY), name)
    before, after, found, _ = jax.eval_shape(step, policy, data, jax.random.key(0))
    assert jax.tree.structure(before) == jax.tree.structure(after)
    assert found.constraints["long"].shape == found.constraints["short"].shape == (32, USERS)
    assert bool(jax.tree.leaves(before.multipliers)) == (not name.startswith("fixed-multi"))


@pytest.mark.parametrize(
    "name", ["prop-learn", *(pytest.param(name, marks=pytest.mark.slow) for name in PLANS if name != "prop-learn")]
)
def test_every_recipe_takes_a_step(name):
    """Everything is finite, weights and running statistics move."""
    step, policy, data = one_step(UplinkQos(**TINY), name)
    before, after, _, metrics = quick_jit(step)(policy, data, jax.random.key(0))
    assert all(np.isfinite(value) for value in metrics.values())
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((after.policy, after.multipliers)))
    statistics = (state.policy.params["batch_stats"] for state in (before, after))
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), *statistics)
    assert all(jax.tree.leaves(moved))
    assert metrics["gradient_norm"] > 0
    assert metrics["multiplier_long"] > 0


def test_recipes_differ_as_the_page_says():
    system = UplinkQos(**TINY)
    objective = {name: stage_of(system, name).objective for name in PLANS}
    for name in ("default-constr", "incr-require"):
        assert not isinstance(objective[name].penalise, StepPenalty)
    assert objective["incr-require"].objective.long_factor == 1.05
    assert objective["incr-require"].objective.error_factor == 0.05
    assert all(objective[name].objective.error_factor == 0.5 for name in PLANS if name != "incr-require")
    fixed, annealed = (objective[name].objective.smoothing for name in ("fixed-parameter", "annealing"))
    for smoothing, step, theta, beta in ((fixed, 0, 50, 1000), (fixed, 20, 50, 1000), (annealed, 0, 1, 10)):
        assert smoothing.indicator_sharpness(step) == theta
        assert smoothing.winner_sharpness(step) == beta
    assert (annealed.indicator_sharpness(20), annealed.winner_sharpness(20)) == (200, 2000)
    assert [objective[f"fixed-multi-{value}"].multipliers.value for value in (10, 100)] == [10, 100]


def test_regrouped_problems_are_made_of_the_drawn_users():
    """Each user of a smaller draw is in four problems, in its own place, with others than before."""
    system = UplinkQos(**TINY)
    stage = stage_of(system, "unsorted")
    snr = np.asarray(quick_jit(stage.source.draw)({"constants": system.constants()}, jax.random.key(3)).snr)
    assert snr.shape == (32, USERS, RBS)
    for user in range(USERS):
        rows, counts = np.unique(snr[:, user], axis=0, return_counts=True)
        assert len(rows) == 8
        assert (counts == 4).all()
    pairs = {tuple(row) for row in snr.reshape(32, -1)}
    assert len(pairs) > 16


def test_sorted_training_problems_are_in_turn_order():
    system = UplinkQos(**TINY)
    stage = stage_of(system, "prop-learn")
    snr = np.asarray(quick_jit(stage.source.draw)({"constants": system.constants()}, jax.random.key(3)).snr)
    for turn in range(RBS):
        assert (snr[:, turn % USERS, turn] == snr[:, turn % USERS, turn:].max(-1)).all()


@pytest.mark.slow
def test_a_run_and_its_weights(tmp_path):
    """The command's way: train, save, load, decide; a finished run is loaded again."""
    system = UplinkQos(**TINY)
    policy = train_policy(system, "prop-learn", directory=tmp_path / "run", preset="smoke")
    again = train_policy(system, "prop-learn", directory=tmp_path / "run", preset="smoke", resume=True)
    spec = recipe(system, "prop-learn").spec
    allocate = quick_jit(spec.allocate)
    first, second = (allocate(found.state, problem_of(7)) for found in (policy, again))
    np.testing.assert_array_equal(first["service"], second["service"])
    np.testing.assert_array_equal(first["power_w"], second["power_w"])
