"""The training loop on problems with known answers."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wirelax.policies import PolicySpec, PolicyState, Standardiser
from wirelax.training import (
    Evaluation,
    Labelled,
    LoopConfig,
    Term,
    event,
    fresh,
    init_state,
    make_optimizer,
    make_schedule,
    primal_dual,
    rows,
    supervised_objective,
    take_step,
    together,
    train,
    utility_objective,
    weighted,
)

from ..compiling import quick_jit
from .toy import (
    DENSE,
    TABLE,
    Kept,
    Lines,
    Normalised,
    batch_of,
    gains_of,
    optimum,
    positive_power,
    priced,
    random_problem,
    row_of,
)

SHORT = LoopConfig(steps=20, chunk=10, checkpoint_every=10)


def plain(params):
    """A policy state without a network."""
    return PolicyState(params=params, standardise=Standardiser(mean=0.0, std=1.0))


def squared(policy, batch, key):
    error = batch["x"] @ policy.trained["w"] - batch["y"]
    return Evaluation(jnp.square(error).mean(), metrics={"largest": jnp.abs(policy.trained["w"]).max()})


@pytest.fixture
def data():
    x = jax.random.normal(jax.random.key(0), (64, 3))
    return {"x": x, "y": x @ jnp.array([1.0, -2.0, 0.5])}


def test_finds_least_squares_from_rows(data):
    config = LoopConfig(steps=600, learning_rate=0.05, chunk=100, checkpoint_every=100)
    state = train(squared, plain({"w": jnp.zeros(3)}), data, rows(16), config)
    np.testing.assert_allclose(state.policy.params["w"], [1.0, -2.0, 0.5], atol=1e-3)


def test_overfits_one_event_without_labels(key):
    problem = priced([4.0, 2.0])
    config = LoopConfig(steps=400, learning_rate=0.05, clip_norm=None)
    state = train(utility_objective(TABLE), TABLE.init(batch_of(problem), key=key), problem, event(), config)
    power = TABLE.allocate(state.policy, problem)["power"]
    np.testing.assert_allclose(power, optimum([4.0, 2.0], 0.5, 100.0)[0], rtol=1e-3)


def test_overfits_one_batch_of_labels(key):
    problems = batch_of(*(priced(g) for g in ([4.0, 2.0], [0.7, 8.0], [1.0, 3.0])))
    labels = jnp.stack([jnp.asarray(optimum(g, 0.5, 100.0)[0], jnp.float32) for g in np.asarray(problems.gain)])
    squares = lambda outputs, problem, label: ((outputs - label) ** 2).sum()  # noqa: E731
    config = LoopConfig(steps=800, learning_rate=0.02)
    data = Labelled(problems, labels)
    state = train(supervised_objective(DENSE, squares), DENSE.init(problems, key=key), data, rows(8), config)
    outputs = jax.vmap(DENSE.outputs, in_axes=(None, 0))(state.policy, problems)
    np.testing.assert_allclose(outputs, labels, atol=5e-3)


def test_semi_supervised_on_rows_and_fresh_samples(key):
    """Labels first, utility later; the program is traced once however many chunks run."""
    problem = priced([4.0, 2.0])
    data = {"old": Labelled(batch_of(problem), jnp.zeros((1, 2))), "new": problem}
    squares = lambda outputs, problem, label: ((outputs - label) ** 2).sum()  # noqa: E731
    objective = weighted(
        labels=Term(
            objective=chex.assert_max_traces(supervised_objective(TABLE, squares), n=1),
            weight=optax.linear_schedule(1.0, 0.0, 100),
            part="old",
        ),
        free=Term(objective=utility_objective(TABLE), part="new"),
    )
    log = Lines()
    state = train(
        objective,
        TABLE.init(batch_of(problem), key=key),
        data,
        together(old=rows(2), new=fresh(lambda data, key: data, 3)),
        LoopConfig(steps=600, learning_rate=0.05, chunk=20, checkpoint_every=20, clip_norm=None),
        log=log,
    )
    power = TABLE.allocate(state.policy, problem)["power"]
    np.testing.assert_allclose(power, optimum([4.0, 2.0], 0.5, 100.0)[0], rtol=2e-3)
    assert sorted(log.lines) == list(range(20, 601, 20))
    assert log.lines[20].keys() >= {"loss", "gradient_norm", "labels_loss", "free_loss", "free_utility"}


def test_callers_arrays_survive(data):
    start = plain({"w": jnp.zeros(3)})
    train(squared, start, data, rows(8), SHORT)
    np.testing.assert_array_equal(start.params["w"], np.zeros(3))
    np.testing.assert_array_equal(start.standardise.mean, 0.0)


def test_steps_must_be_whole_chunks(data):
    with pytest.raises(ValueError, match="multiples of chunk"):
        train(squared, plain({"w": jnp.zeros(3)}), data, rows(8), LoopConfig(steps=15, chunk=10, checkpoint_every=10))


class Killed(Exception):
    pass


def test_a_killed_run_resumes_to_the_same_bits(key):
    problem = priced([4.0, 2.0], budget=1.0)
    spec = PolicySpec(Normalised(), gains_of, positive_power)
    objective = primal_dual(utility_objective(spec))
    policy = spec.init(batch_of(problem, problem), key=key)

    def run(report=lambda step, metrics: None, checkpoints=None, log=None):
        config = LoopConfig(steps=40, chunk=10, checkpoint_every=20)
        source = fresh(random_problem, 4)
        return train(objective, policy, problem, source, config, report=report, checkpoints=checkpoints, log=log)

    def stop(step, metrics):
        if step == 30:
            raise Killed

    kept, log = Kept(), Lines()
    with pytest.raises(Killed):
        run(stop, kept, log)
    assert list(kept.states) == [20]
    assert kept.closed == 1
    resumed, whole = run(checkpoints=kept, log=log), run(log=(other := Lines()))
    chex.assert_trees_all_equal(resumed, whole)
    assert log.lines == other.lines
    assert int(run(checkpoints=kept).step) == 40  # nothing left to do


@pytest.mark.parametrize("value", [jnp.nan, jnp.inf, -jnp.inf])
def test_a_loss_that_is_not_finite_stops_and_is_never_saved(data, value):
    """From the 26th step on; the state of step 20 stays the newest."""

    def breaks(policy, batch, key):
        w = policy.trained["w"]
        return Evaluation(jnp.where(w[0] > 24.5, value, -w.sum()))

    kept, log, start = Kept(), Lines(), plain({"w": jnp.zeros(3)})
    config = LoopConfig(steps=40, chunk=10, checkpoint_every=10)
    with pytest.raises(FloatingPointError, match=r"stage 'tuned'.*not finite in step 26;") as error:
        train(breaks, start, data, rows(8), config, name="tuned", optimizer=optax.sgd(1.0), checkpoints=kept, log=log)
    assert "\n" not in str(error.value)
    assert max(kept.states) == 20
    assert max(log.lines) == 20
    assert np.isfinite(kept.states[20].policy.params["w"]).all()
    assert kept.closed == 1


def test_gradients_and_weights_that_are_not_finite_stop_too(data):
    def steep(policy, batch, key):
        return Evaluation(jnp.sqrt(policy.trained["w"]).sum())  # 0, with an infinite slope

    with pytest.raises(FloatingPointError, match="step 1;"):
        train(steep, plain({"w": jnp.zeros(3)}), data, rows(8), SHORT)

    def overflows(policy, batch, key):
        return Evaluation(policy.trained["w"].sum() * 0.5)

    fast = optax.sgd(lambda step: jnp.where(step == 9, jnp.inf, 0.0))  # in the last step before a checkpoint
    kept = Kept()
    with pytest.raises(FloatingPointError, match="step 10;"):
        train(overflows, plain({"w": jnp.zeros(3)}), data, rows(8), SHORT, optimizer=fast, checkpoints=kept)
    assert not kept.states


def test_metrics_beside_the_loss_are_taken_after_every_chunk(data):
    seen = []
    state = train(
        squared,
        plain({"w": jnp.zeros(3)}),
        data,
        rows(8),
        SHORT,
        report=lambda step, metrics: seen.append((step, metrics)),
        evaluate=lambda policy, data: {"whole": squared(policy, data, None).loss},
    )
    assert [step for step, _ in seen] == [10, 20]
    np.testing.assert_allclose(seen[-1][1]["whole"], squared(state.policy, data, None).loss, rtol=1e-6)


def test_collections_beside_the_weights_follow_the_batches(key):
    """Batch statistics of inputs of mean 0 and deviation 1 go there by halves; they are never trained."""
    problem = priced([4.0, 2.0])
    spec = PolicySpec(Normalised(), gains_of, positive_power)
    policy = spec.init(batch_of(priced([40.0, 20.0]), priced([0.4, 0.2])), key=key)
    source = fresh(random_problem, 64)
    config = LoopConfig(steps=10, chunk=10, checkpoint_every=10)
    state = train(utility_objective(spec), policy, problem, source, config)
    mean, var = np.zeros(2), np.ones(2)

    @quick_jit
    def drawn(step):
        batch_key, _ = jax.random.split(jax.random.fold_in(jax.random.key(0), step))
        return source.draw(problem, batch_key).gain

    for step in range(10):
        inputs = np.log(np.asarray(drawn(step), np.float64))
        inputs = (inputs - np.asarray(policy.standardise.mean)) / np.asarray(policy.standardise.std)
        mean, var = 0.5 * mean + 0.5 * inputs.mean(0), 0.5 * var + 0.5 * inputs.var(0)
    stats = state.policy.params["batch_stats"]["BatchNorm_0"]
    np.testing.assert_allclose(stats["mean"], mean, atol=1e-5)
    np.testing.assert_allclose(stats["var"], var, rtol=1e-4)
    assert jnp.isfinite(spec.allocate(state.policy, problem)["power"]).all()


def test_an_ensemble_of_policies_takes_one_step_together(key):
    problems = batch_of(priced([4.0, 2.0]), priced([0.7, 8.0]))
    members = [DENSE.init(problems, key=jax.random.key(i)) for i in range(3)]
    objective, rule = utility_objective(DENSE), optax.sgd(0.1)

    def step(policy):
        return take_step(objective, rule, init_state(objective, policy, rule, problems, key), problems, key)[0].policy

    stacked = quick_jit(jax.vmap(step))(batch_of(*members))
    alone = quick_jit(step)
    for i, member in enumerate(members):
        chex.assert_trees_all_close(row_of(stacked, i), alone(member), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("warmup", [0, 10])
def test_schedules_end_where_they_should(warmup):
    for schedule, middle in (("cosine", 0.505), ("linear", 0.505), ("exponential", 0.1), ("constant", 1.0)):
        config = LoopConfig(steps=100 + warmup, warmup_steps=warmup, learning_rate=0.2, schedule=schedule)
        rate = make_schedule(config)
        wanted = [0.2 if warmup == 0 else 0.0, 0.2, 0.2 * middle, 0.2 if schedule == "constant" else 0.002]
        found = [float(rate(step)) for step in (0, warmup, warmup + 50, warmup + 100)]
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-8, err_msg=schedule)


@pytest.mark.parametrize("clip_norm", [1.0, None])
def test_a_huge_gradient_is_forgotten_only_if_it_is_clipped(clip_norm):
    config = LoopConfig(steps=100, learning_rate=0.5, schedule="constant", clip_norm=clip_norm)
    optimizer, weights = make_optimizer(config), jnp.zeros(1)

    @quick_jit
    def second_update():
        state = optimizer.update(jnp.full(1, 1e6), optimizer.init(weights), weights)[1]
        return optimizer.update(jnp.ones(1), state, weights)[0]

    # Adam's bias-corrected moments of the gradients (1, 1) are 1, of (1e6, 1) 0.09e6 / 0.19 and 1e12 * 0.999e-3 / 2e-3.
    wanted = 0.5 if clip_norm else 0.5 * (0.09 / 0.19) / np.sqrt(0.999e-3 / 1.999e-3)
    np.testing.assert_allclose(second_update(), -wanted, rtol=1e-3)
