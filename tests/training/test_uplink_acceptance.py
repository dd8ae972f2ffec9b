"""What the acceptance network learns from: sets near their limit, and whether they suffice, against a loop."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax import systems
from wirelax.policies import PolicySpec
from wirelax.policies.uplink_acceptance import AcceptanceNetwork, best_window, set_of
from wirelax.problems import make_uplink_qos_problem
from wirelax.systems import make_problems, sample_channels
from wirelax.training import LoopConfig, Source, train
from wirelax.training.uplink_acceptance import acceptance_objective, drawn_set, reached, with_varied_targets

from ..compiling import quick_jit


@pytest.mark.parametrize(("number", "rate_long_bps"), [(1, 1.2e6), (1, 2.4e6), (2, 1.2e6)])
def test_whether_a_window_suffices(number, rate_long_bps):
    """Two water levels, Yin et al. (2025), eqs. (8a) and (8b), in plain floats."""
    gain = np.array([9.0, 8.0, 6.0, 5.0])
    problem = make_uplink_qos_problem(gain[None], max_power_w=1.0, rate_long_bps=rate_long_bps)
    own = set_of(problem, jnp.log(problem.snr[0]), 4)
    excess, good = quick_jit(reached)(problem, jnp.log(problem.snr[0]), own, number)
    short = np.asarray(best_window(own, number))[:4]
    need = 512e3 / 360e3 * math.log(2) + 4.26489079 * math.sqrt(number / 180)
    short_level = math.exp((need - np.log(gain[short]).sum()) / number)
    long_level = (1 + (1 / gain).sum() - number * short_level) / (4 - number)
    assert short_level > (1 / gain[short]).max()
    assert long_level > (1 / gain[~short]).max()
    wanted = np.log(long_level * gain[~short]).sum() - rate_long_bps / 360e3 * math.log(2)
    np.testing.assert_allclose(excess, wanted, rtol=1e-4, atol=1e-5)
    assert good == (wanted >= 0)
    assert {(1, 1.2e6): True, (1, 2.4e6): False, (2, 1.2e6): True}[number, rate_long_bps] == bool(good)


def test_a_window_as_large_as_the_set_leaves_nothing_for_the_long_service():
    problem = make_uplink_qos_problem(np.full((1, 4), 1e3), max_power_w=1.0)
    own = set_of(problem, jnp.log(problem.snr[0]), 2)
    excess, good = quick_jit(reached)(problem, jnp.log(problem.snr[0]), own, 2)
    assert np.isneginf(excess)
    assert not good


@pytest.fixture(scope="module")
def problems():
    system = systems.get("uplink-qos", num_users=2, num_rbs=8)
    return make_problems(system, sample_channels(system, 16, seed=0))


def test_drawn_sets_are_sorted_and_near_their_limit(problems):
    def draw(problem, key):
        ln_gain, count = drawn_set(problem, 1, key=key)
        return ln_gain, count, set_of(problem, ln_gain, count).margin

    keys = jax.random.split(jax.random.key(0), 16)
    ln_gain, count, margin = quick_jit(jax.vmap(draw))(problems, keys)
    assert (np.diff(ln_gain, axis=1) <= 0).all()
    assert ((count >= 2) & (count <= 8)).all()
    assert np.abs(margin).min() < 0.5
    whole = np.log(np.asarray(problems.snr[:, 1]))
    first = np.asarray(ln_gain[:, 0])
    assert (np.abs(whole - first[:, None]).min(1) < 1e-5).all()


def test_varied_targets_stay_in_their_range(problems):
    varied = quick_jit(jax.vmap(with_varied_targets))(problems, jax.random.split(jax.random.key(1), 16))
    assert ((varied.error_probability > 1e-8) & (varied.error_probability < 0.02)).all()
    ratio = np.asarray(varied.rate_short / problems.rate_short)
    assert ratio.min() < 0.5 < 2 < ratio.max() <= 8
    assert np.asarray(varied.snr / problems.snr).std() > 1


def test_the_network_learns_to_accept(problems):
    network = AcceptanceNetwork((16,))
    first = lambda problem: set_of(problem, -jnp.sort(-jnp.log(problem.snr[0])), 3)  # noqa: E731
    spec = PolicySpec(network, first, lambda outputs, problem: {}, shared_statistics="none")
    objective = acceptance_objective(spec)
    state = spec.init(problems, key=jax.random.key(0))
    look = quick_jit(lambda policy: objective(policy, problems, jax.random.key(5)))
    before = look(state)
    config = LoopConfig(steps=200, chunk=100, checkpoint_every=200, learning_rate=1e-2)
    trained = train(objective, state, problems, Source(lambda data, key: data), config)
    after = look(trained.policy)
    assert float(after.loss) < 0.7 * float(before.loss)
    assert float(after.metrics["rejected_wrongly"] + after.metrics["accepted_wrongly"]) < 0.3
