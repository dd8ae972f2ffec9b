"""Every kernel and the utility of every problem on more than 32,768 networks of 3 links, compiled against eager.

jax 0.10.2 returned wrong numbers here on CPU, without a word: jax-ml/jax#39103.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax import kernels
from wirelax.problems import (
    make_association_problem,
    make_energy_efficiency_problem,
    make_noma_problem,
    make_uplink_qos_problem,
)

BATCH = 32_769


def received_snr(gain, power):
    return gain @ power


def energy_efficiency(gain, power):
    bits = jnp.sum(kernels.rate(kernels.link_sinr(gain, power, 0.1)))
    return kernels.energy_efficiency(1e6 * bits, jnp.sum(power), 0.3, 12.0)


def one_subchannel(gain):
    """One subchannel and three cells of one user each."""
    return gain[None], jnp.arange(3)[:, None]


UE, BS = jnp.repeat(jnp.arange(3), 3), jnp.tile(jnp.arange(3), 3)
"""Of all links as a list."""


def shares(gain):
    return gain / gain.sum(-1, keepdims=True)


def strongest(gain):
    return jnp.argmax(gain, -1)


CASES = {
    "activity": lambda g, p: kernels.activity(shares(g)),
    "all_pairs_sinr": lambda g, p: kernels.all_pairs_sinr(g, p, 0.1),
    "assigned_link_gain": lambda g, p: kernels.assigned_link_gain(*one_subchannel(g)),
    "assigned_sinr": lambda g, p: kernels.assigned_sinr(*one_subchannel(g), p[:, None], 0.1),
    "associated_rates": lambda g, p: kernels.associated_rates(g, p, strongest(g), 0.1),
    "associated_sinr": lambda g, p: kernels.associated_sinr(g, p, strongest(g), 0.1),
    "association_load": lambda g, p: kernels.association_load(strongest(g), 3),
    "association_mask": lambda g, p: kernels.association_mask(strongest(g), 3),
    "channel_dispersion": lambda g, p: jnp.sum(kernels.channel_dispersion(received_snr(g, p))),
    "decoding_error_probability": lambda g, p: kernels.decoding_error_probability(
        received_snr(g, p), p > 0.3, 20, 0.8 * jnp.sum(p > 0.3)
    ),
    "edge_activity": lambda g, p: kernels.edge_activity(shares(g).ravel(), BS, 3),
    "edge_interference": lambda g, p: kernels.edge_interference((g * p).ravel(), UE),
    "edge_sinr": lambda g, p: kernels.edge_sinr(g.ravel(), p, UE, BS, 0.1),
    "energy_efficiency": energy_efficiency,
    "finite_blocklength_rate": lambda g, p: jnp.sum(
        kernels.finite_blocklength_rate(received_snr(g, p), 180, jnp.exp(-received_snr(g, p)))
    ),
    "interference": lambda g, p: kernels.interference(g * p),
    "inverse_q": lambda g, p: jnp.sum(kernels.inverse_q(jnp.exp(-received_snr(g, p)))),
    "jain_index": lambda g, p: kernels.jain_index(received_snr(g, p)),
    "link_powers": lambda g, p: jnp.stack(kernels.link_powers(g, p)),
    "link_sinr": lambda g, p: kernels.link_sinr(g, p, 0.1),
    "log_utility": lambda g, p: kernels.log_utility(received_snr(g, p), 1e-3),
    "ordered_sic_sinr": lambda g, p: kernels.ordered_sic_sinr(g[0], p, 0.1, 0.05),
    "parallel_blocklength_rate": lambda g, p: kernels.parallel_blocklength_rate(received_snr(g, p), p > 0.3, 180, 1e-5),
    "rate": lambda g, p: jnp.sum(kernels.rate(received_snr(g, p))),
    "relaxed_association_rates": lambda g, p: kernels.relaxed_association_rates(shares(g), g, p, 0.1),
    "relaxed_edge_rates": lambda g, p: kernels.relaxed_edge_rates(shares(g).ravel(), g.ravel(), p, UE, BS, 3, 0.1),
    "sic_order": lambda g, p: kernels.sic_order(g[0], p > 0.3),
    "sic_sinr": lambda g, p: kernels.sic_sinr(g[0], p, p > 0.3, 0.1, 0.05),
    "spectral_efficiency": lambda g, p: kernels.spectral_efficiency(jnp.sum(received_snr(g, p)), 1e6, 2),
    "sum_utility": lambda g, p: kernels.sum_utility(received_snr(g, p)),
    "total_power_w": lambda g, p: kernels.total_power_w(jnp.sum(received_snr(g, p)), 0.3, 12.0),
    "weighted_sum_utility": lambda g, p: kernels.weighted_sum_utility(received_snr(g, p), p),
}


def of_association(gain, power):
    problem = make_association_problem(gain, max_power_w=1.0, noise_w=0.1)
    allocation = problem.allocation(strongest(gain), power)
    fair = make_association_problem(gain, max_power_w=1.0, noise_w=0.1, objective="proportional-fair")
    return problem.utility(allocation), fair.utility(allocation), problem.violations(allocation)


def of_energy_efficiency(gain, power):
    """Three cells of one user on two subchannels, the second one with the links of the first turned around."""
    problem = make_energy_efficiency_problem(
        jnp.stack([gain, gain.T]), noise_w=0.1, max_power_w=jnp.ones(3), min_spectral_efficiency=1.0
    )
    assignment = jnp.broadcast_to(jnp.arange(3)[:, None], (3, 2))
    allocation = {"assignment": assignment, "power_w": jnp.stack([power, power / 2], -1)}
    return problem.utility(allocation), problem.violations(allocation)


def of_noma(gain, power):
    problem = make_noma_problem(gain, noise_power_w=0.1, total_power_w=2.0)
    power_w = jnp.where(problem.schedule, power[:, None], 0.0)
    return problem.utility({"assignment": problem.schedule, "power_w": power_w})


def of_uplink_qos(gain, power):
    problem = make_uplink_qos_problem(30 * gain, max_power_w=1.0)
    service = jnp.broadcast_to(jnp.array([1, 2, 0]), (3, 3))
    allocation = {"service": service, "power_w": jnp.where(service > 0, power[:, None] / 2, 0.0)}
    return problem.utility(allocation), problem.violations(allocation), problem.decoding_error(allocation)


@functools.cache
def networks():
    rng = np.random.default_rng(0)
    gain, power = rng.uniform(0.1, 2.0, (BATCH, 3, 3)), rng.uniform(0.1, 1.0, (BATCH, 3))
    return jnp.asarray(gain, jnp.float32), jnp.asarray(power, jnp.float32)


def test_there_is_a_case_for_every_kernel():
    assert sorted(CASES) == sorted(name for name in kernels.__all__ if name.islower())


@pytest.mark.parametrize("name", CASES)
def test_jit_equals_eager(name):
    batched = jax.vmap(CASES[name])
    np.testing.assert_allclose(jax.jit(batched)(*networks()), batched(*networks()), 1e-5, atol=1e-6)


@pytest.mark.parametrize("judge", [of_association, of_energy_efficiency, of_noma, of_uplink_qos])
def test_problems_jit_equals_eager(judge):
    batched = jax.vmap(judge)
    compiled, eager = jax.jit(batched)(*networks()), batched(*networks())
    for one, other in zip(jax.tree.leaves(compiled), jax.tree.leaves(eager), strict=True):
        np.testing.assert_allclose(one, other, 1e-5, atol=1e-6)


def test_energy_efficiency_problem_equals_numpy():
    gain, power = (np.asarray(x, np.float64) for x in networks())
    total = 0.0
    for links, p in ((gain, power), (gain.swapaxes(1, 2), power / 2)):
        received = links * p[:, None, :]
        others = received @ (1 - np.eye(3))
        total += np.log2(1 + np.diagonal(received / (0.1 + others), axis1=1, axis2=2)).sum(1)
    wanted = 1e6 * total / (1.5 * power.sum(1) / 0.3 + 12.0)
    np.testing.assert_allclose(jax.jit(jax.vmap(of_energy_efficiency))(*networks())[0], wanted, 1e-5)


def test_jit_equals_eager_for_gradients():
    batched = jax.vmap(jax.grad(energy_efficiency, argnums=(0, 1)))
    for compiled, eager in zip(jax.jit(batched)(*networks()), batched(*networks()), strict=True):
        np.testing.assert_allclose(compiled, eager, 1e-4, atol=1.0)


def test_jit_equals_numpy():
    gain, power = (np.asarray(x, np.float64) for x in networks())
    received = gain * power[:, None, :]
    wanted = received / (0.1 + received @ (1 - np.eye(3)))
    np.testing.assert_allclose(jax.jit(jax.vmap(CASES["all_pairs_sinr"]))(*networks()), wanted, 1e-5)
    served = gain.argmax(-1)
    load = np.stack([(served == bs).sum(-1) for bs in range(3)], -1)
    rates = np.log2(1 + np.take_along_axis(wanted, served[..., None], -1)[..., 0]) / np.take_along_axis(
        load, served, -1
    )
    np.testing.assert_allclose(jax.jit(jax.vmap(CASES["associated_rates"]))(*networks()), rates, 1e-5)
    wanted = np.diagonal(wanted, axis1=1, axis2=2)
    np.testing.assert_allclose(jax.jit(jax.vmap(CASES["link_sinr"]))(*networks()), wanted, 1e-5)
