"""What networks for association and power are trained by: gradients, the relaxation, labels, temperatures."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from wirelax import systems
from wirelax.io import load_policy
from wirelax.policies import PolicySpec, PolicyState, Standardiser
from wirelax.policies.association.features import link_features
from wirelax.policies.association.heads import AssociationHead, declare_temperature
from wirelax.policies.association.unfolded import UnfoldedNetwork
from wirelax.problems import make_association_problem
from wirelax.systems import make_problems, sample_channels, train_policy
from wirelax.systems.hudn.recipes import recipe
from wirelax.training import Labelled, Term, init_state, specialise, take_step, weighted
from wirelax.training.association import (
    AssociationObjective,
    ControlledTemperature,
    FixedTemperature,
    LabelObjective,
    TheoremTemperature,
    theorem_temperature,
)

from ..compiling import quick_jit

SMALL = {"num_ues": 12, "num_bss": 9, "num_macro": 2, "side_m": 100, "points_per_side": 20, "num_buildings": 5}
KEY = jax.random.key(7)
UES, BSS = 4, 3


class Given(nn.Module):
    """Outputs that are trained themselves."""

    @nn.compact
    def __call__(self, features):
        declare_temperature(self)
        logits = self.param("logits", nn.initializers.normal(1.0), (UES, BSS))
        return {"logits": logits, "power": self.param("power", nn.initializers.normal(1.0), (BSS,))}


GIVEN = PolicySpec(Given(), link_features, AssociationHead(), (), "none")
UNFOLDED = PolicySpec(
    UnfoldedNetwork(rounds=2, width=8, hidden=8, edge=4), link_features, AssociationHead(), (), "none"
)


def one(utility="sum-rate", seed=0):
    gain = 10 ** np.random.default_rng(seed).uniform(-1, 4, (UES, BSS))
    return make_association_problem(gain, max_power_w=1.0, noise_w=1.0, objective=utility)


def batch_of(problem):
    return jax.tree.map(lambda leaf: leaf[None], problem)


def given_at(logits, power, temperature):
    """The state of `Given` with these outputs."""
    names = ("snr", "reach", "macro", "rate_floor", "fair")
    as_they_are = Standardiser(mean=dict.fromkeys(names, jnp.zeros(())), std=dict.fromkeys(names, jnp.ones(())))
    trained = {"logits": jnp.asarray(logits), "power": jnp.asarray(power)}
    variables = {"params": trained, "temperature": {"value": jnp.asarray(temperature)}}
    return PolicyState(params=variables, standardise=as_they_are)


def plain_relaxed(logits, power_logits, snr, temperature):
    """Sum rate of the soft association, from the equations of the relaxation, in loops."""
    z = (logits - logits.mean(1, keepdims=True)) / np.sqrt(logits.var(1, keepdims=True) + 1e-6)
    x = np.exp(z / temperature)
    x /= x.sum(1, keepdims=True)
    power = 1 / (1 + np.exp(-power_logits)) * np.array([1 - np.prod(1 - x[:, j]) for j in range(BSS)])
    total = 0.0
    for i in range(UES):
        for j in range(BSS):
            others = 1 + sum(snr[i, k] * power[k] for k in range(BSS) if k != j)
            total += x[i, j] * math.log2(1 + snr[i, j] * power[j] / others) / (1 + x[:, j].sum() - x[i, j])
    return total


def test_the_soft_objective_is_that_of_plain_loops(x64):
    rng = np.random.default_rng(1)
    logits, power, problem = rng.normal(size=(UES, BSS)), rng.normal(size=BSS), one()
    objective = AssociationObjective(spec=GIVEN, gradient="soft", temperature=FixedTemperature())
    found = quick_jit(objective)(given_at(logits, power, 0.7), batch_of(problem), KEY)
    wanted = -math.log(plain_relaxed(logits, power, np.asarray(problem.snr, float), 0.7) + 1e-2)
    assert float(found.loss) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("mode", ["joint", "association", "power"])
def test_gradients_are_those_of_differences(x64, mode):
    """At a fixed temperature, of the soft objective, whose gradient is that of its value."""
    objective = AssociationObjective(spec=GIVEN, gradient="soft", temperature=FixedTemperature(), mode=mode)
    batch = batch_of(one())
    rng = np.random.default_rng(2)
    logits, power = rng.normal(size=(UES, BSS)), rng.normal(size=BSS)

    @quick_jit
    def both(logits, power):
        def loss(logits, power):
            return objective(given_at(logits, power, 0.7), batch, KEY).loss

        steps = 1e-6 * jnp.eye(UES * BSS + BSS)
        flat = jnp.concatenate([logits.ravel(), power])
        at = lambda flat: loss(flat[: UES * BSS].reshape(UES, BSS), flat[UES * BSS :])  # noqa: E731
        differences = jax.vmap(lambda step: (at(flat + step) - at(flat - step)) / 2e-6)(steps)
        return jax.grad(at)(flat), differences

    gradient, differences = both(logits, power)
    np.testing.assert_allclose(gradient, differences, rtol=1e-5, atol=1e-8)
    moved = np.abs(np.asarray(differences)) > 1e-12
    assert moved[: UES * BSS].any() == (mode != "power")
    assert moved[UES * BSS :].any() == (mode != "association")


@pytest.mark.parametrize("utility", ["sum-rate", "proportional-fair"])
@pytest.mark.parametrize("gradient", ["two-branch", "straight-through", "soft"])
def test_at_a_one_hot_association_the_objective_is_the_utility(utility, gradient):
    problem, power = one(utility), np.array([0.5, -1.0, 2.0])
    logits = 5.0 * np.eye(BSS)[[0, 2, 2, 1]]
    objective = AssociationObjective(spec=GIVEN, gradient=gradient, temperature=FixedTemperature())
    found = quick_jit(objective)(given_at(logits, power, 1e-3), batch_of(problem), KEY)
    allocation = problem.allocation(jnp.array([0, 2, 2, 1]), jax.nn.sigmoid(jnp.asarray(power)))
    utility_of = float(problem.utility(allocation))
    each = math.log(utility_of + 1e-2) if utility == "sum-rate" else utility_of / UES
    assert float(found.loss) == pytest.approx(-each * (2 if gradient == "two-branch" else 1), rel=1e-4)
    assert float(found.metrics["utility"]) == pytest.approx(utility_of, rel=1e-4)


def test_two_branches_give_powers_the_gradient_of_the_hard_association():
    problem, logits = one(), np.random.default_rng(3).normal(size=(UES, BSS))
    objective = AssociationObjective(spec=GIVEN, temperature=FixedTemperature())
    association = jnp.argmax(jnp.asarray(logits), -1)

    def hard(power):
        used = jnp.zeros(BSS).at[association].add(1.0) > 0
        allocation = problem.allocation(association, jnp.where(used, jax.nn.sigmoid(power), 0.0))
        return -jnp.log(problem.utility(allocation) + 1e-2)

    power = jnp.array([0.3, -0.2, 0.1])
    loss = lambda power: objective(given_at(logits, power, 0.7), batch_of(problem), KEY).loss  # noqa: E731
    np.testing.assert_allclose(quick_jit(jax.grad(loss))(power), jax.grad(hard)(power), rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def problems():
    system = systems.get("hudn", **SMALL)
    return make_problems(system, sample_channels(system, 2, seed=3))


@pytest.fixture(scope="module")
def unfolded(problems):
    return UNFOLDED.init(problems, key=jax.random.key(1))


@pytest.fixture(scope="module")
def adapted(problems, unfolded):
    """Both events, specialised at once."""
    objective = AssociationObjective(
        spec=UNFOLDED, temperature=ControlledTemperature(0.9), entropy=1e-2, starts=2, keep=True
    )
    run = jax.vmap(
        lambda event, key: specialise(objective, unfolded, event, steps=60, optimizer=optax.adam(1e-2), key=key)
    )
    return quick_jit(run)(problems, jax.random.split(KEY, 2))


def test_one_event_is_learned_by_heart(adapted):
    seen = adapted[1]
    loss, best = np.asarray(seen["loss"]), np.asarray(seen["best_utility"])
    assert (loss[:, -10:].mean(1) < loss[:, :10].mean(1) - 0.2).all()
    assert (best[:, -10:].mean(1) > 1.1 * best[:, :10].mean(1)).all()


def test_the_best_decision_on_the_way_is_what_it_is_said_to_be(adapted, problems):
    seen = adapted[1]
    for event in range(2):
        problem = jax.tree.map(lambda leaf, event=event: leaf[event], problems)
        step = int(seen["best_utility"][event].argmax())
        association, power = (seen[name][event, step] for name in ("association", "power"))
        used = np.bincount(np.asarray(association), minlength=9) > 0
        value = problem.utility(problem.allocation(association, jnp.where(used, power, 0.0)))
        assert float(value) == pytest.approx(float(seen["best_utility"][event, step]), rel=1e-4)


def test_the_temperature_is_among_the_variables_and_moves(adapted, unfolded):
    first, last = (np.asarray(state.params["temperature"]["value"]) for state in (unfolded, adapted[0]))
    assert first == pytest.approx(0.5)
    assert last.shape == (2,)
    assert (np.abs(last - 0.5) > 1e-3).all()


def test_gradients_are_finite_where_links_are_absent(unfolded):
    gain = 10 ** np.random.default_rng(5).uniform(-1, 5, (3, 12, 9))
    gain[0, 3], gain[0, :, 2], gain[1, 1:], gain[2] = 0, 0, 0, 0
    batch = jax.vmap(lambda g: make_association_problem(g, max_power_w=1.0, noise_w=1.0))(jnp.asarray(gain))
    objective = AssociationObjective(spec=UNFOLDED, entropy=1e-2)

    @quick_jit
    def gradient(trained):
        return jax.grad(lambda t: objective(unfolded.with_trained(t), batch, KEY).loss)(trained)

    leaves = jax.tree.leaves(gradient(unfolded.trained))
    assert all(np.isfinite(leaf).all() for leaf in leaves)
    assert any(np.abs(leaf).max() > 0 for leaf in leaves)


def test_labels_count_by_their_cross_entropy():
    logits, problem = np.random.default_rng(6).normal(size=(UES, BSS)), one()
    label = {"association": jnp.array([0, 2, -1, 1]), "power": jnp.array([1.0, 0.0, 0.5])}
    power = np.array([0.4, -1.0, 0.2])
    found = quick_jit(LabelObjective(spec=GIVEN, power=0.5))(
        given_at(logits, power, 0.5), batch_of(Labelled(problem, label)), KEY
    )
    z = (logits - logits.mean(1, keepdims=True)) / np.sqrt(logits.var(1, keepdims=True) + 1e-6) / 0.5
    share = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    wanted = -np.mean([math.log(share[i, j]) for i, j in ((0, 0), (1, 2), (3, 1))])
    on = 1 / (1 + np.exp(-power))
    target = np.asarray(label["power"])
    wanted -= 0.5 * (target * np.log(on) + (1 - target) * np.log(1 - on)).mean()
    assert float(found.loss) == pytest.approx(wanted, rel=1e-4)


def test_labels_and_rates_together_with_a_weight_that_decays():
    rate, label = AssociationObjective(spec=GIVEN), LabelObjective(spec=GIVEN)
    decay = optax.linear_schedule(2.0, 0.0, 10)
    objective = weighted(
        rate=Term(objective=rate, part="fresh"), label=Term(objective=label, weight=decay, part="labels")
    )
    problem = one()
    batch = {
        "fresh": batch_of(problem),
        "labels": batch_of(Labelled(problem, {"association": jnp.argmax(problem.snr, -1)})),
    }
    state = init_state(objective, given_at(np.zeros((UES, BSS)), np.zeros(BSS), 0.5), optax.sgd(0.1), batch, KEY)
    _, _, metrics = quick_jit(lambda s, b: take_step(objective, optax.sgd(0.1), s, b, KEY))(state, batch)
    wanted = float(metrics["rate_loss"]) + 2 * float(metrics["label_loss"])
    assert float(metrics["loss"]) == pytest.approx(wanted, rel=1e-5)
    assert float(objective.at(10)(state.policy, batch, KEY).loss) == pytest.approx(
        float(metrics["rate_loss"]), rel=1e-5
    )


@pytest.mark.parametrize("first", [0.1, 1.0, 5.0])
def test_the_controller_settles_at_its_target(first):
    logits = jax.random.normal(jax.random.key(2), (40, 10))
    rule = ControlledTemperature(0.8)

    def step(temperature, _):
        return rule(temperature, jax.nn.softmax(logits / temperature, -1)), None

    temperature = jax.jit(lambda t: jax.lax.scan(step, t, None, length=2000)[0])(jnp.asarray(first))
    share = jax.nn.softmax(logits / temperature, -1)
    assert float(share.max(-1).mean()) == pytest.approx(0.8, abs=2e-3)


@pytest.mark.parametrize("gap", [0.1, 0.45, 0.6, 3.0])
def test_the_recursion_of_theorem_5_runs_away(gap):
    """Zhang et al. (HBGNN), Theorem 5: its fixed point, if there is one, repels; with two classes a gap apart."""
    rule = TheoremTemperature(bounded=False)

    def following(temperature):
        first = 1 / (1 + math.exp(-min(gap / max(temperature, 1e-9), 700.0)))
        share = jnp.array([[first, 1 - first]])
        return float(rule(jnp.asarray(temperature), share))

    if gap < 0.5:
        fixed = _fixed_point(gap)
        assert following(fixed) == pytest.approx(fixed, rel=1e-2)
        away = [fixed * 1.05]
        for _ in range(12):
            away.append(following(away[-1]))
        assert abs(away[-1] - fixed) > 4 * abs(away[0] - fixed)
    else:
        temperature = 1.0
        for _ in range(12):
            temperature = following(temperature)
        assert temperature < 1e-3


def _fixed_point(gap):
    """Where ``T = 1 / (2 sinh(gap / T))``, by bisection."""
    low, high = 1e-3, 1e3
    for _ in range(200):
        middle = math.sqrt(low * high)
        exceeds = 1 / (2 * math.sinh(min(gap / middle, 700.0))) > middle
        low, high = (low, middle) if exceeds else (middle, high)
    return low


def test_the_temperature_of_theorem_5_as_printed_changes_its_sign():
    assert float(theorem_temperature(0.8)) == pytest.approx(0.8 * 0.2 / 0.6)
    assert float(theorem_temperature(0.2)) < 0
    bounded = TheoremTemperature()(jnp.asarray(1.0), jnp.array([[0.5 + 1e-7, 0.5]]))
    assert float(bounded) == 5.0


@pytest.mark.slow
@pytest.mark.parametrize("utility", ["sum-rate", "proportional-fair"])
def test_the_recipe_trains_and_its_weights_come_back(tmp_path, utility):
    system = systems.get("hudn", num_ues=6, num_bss=4, num_macro=1, num_buildings=15, utility=utility)
    policy = train_policy(system, "unfolded", directory=tmp_path / "run", preset="smoke")
    again = load_policy(tmp_path / "run" / "policy.msgpack")
    jax.tree.map(np.testing.assert_array_equal, policy.params, again.params)
    assert float(again.params["temperature"]["value"]) != 0.5
    problem = jax.tree.map(lambda leaf: leaf[0], make_problems(system, sample_channels(system, 1, seed=1)))
    found = jax.jit(recipe(system, "unfolded").solve)(again.state, problem, KEY)
    assert bool(found.feasible)
