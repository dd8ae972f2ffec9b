"""Powers of a fixed association against loops, and against the conditions of an optimum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.kernels import link_sinr, rate
from wirelax.solvers.association.links import links_of
from wirelax.solvers.association.published import high_sinr_step

from ...compiling import quick_jit
from . import reference
from .compiled import BSS, FLOOR, edge_snr, make_problems, power_update, random_decision, random_snr

pytestmark = pytest.mark.usefixtures("x64")
LEAST = 1e-8


@pytest.mark.parametrize("objective", ["sum-rate", "proportional-fair"])
def test_one_step(objective):
    """Of sum rate every step is the fixed point's; of fairness where it helps."""
    snr = random_snr(0)
    association, power = random_decision(1, snr)
    found = power_update(make_problems(snr, objective), association, power, 1)
    kept = 0
    for s, a, p, got in zip(snr, association, power, found, strict=True):
        own, others = reference.signals(s, a, p)
        load = np.bincount(a, minlength=BSS)[a]
        eff = np.log2(1 + np.array(own) / np.array(others))
        weight = 1 / load if objective == "sum-rate" else 1 / (eff + load * FLOOR)
        start = np.where(np.bincount(a, minlength=BSS) > 0, p, 0.0)
        own, others = reference.signals(s, a, start)
        if objective != "sum-rate":
            eff = np.log2(1 + np.array(own) / np.array(others))
            weight = 1 / (eff + load * FLOOR)
        wanted = reference.power_step(s, a, start, weight, LEAST)
        fair = None if objective == "sum-rate" else FLOOR
        if fair and reference.utility(s, a, wanted, fair) < reference.utility(s, a, start, fair):
            wanted, kept = start, kept + 1
        np.testing.assert_allclose(got, wanted, rtol=1e-9)
    assert kept < len(snr)


@pytest.mark.parametrize("objective", ["sum-rate", "proportional-fair"])
def test_more_steps_are_no_worse(objective):
    """The trace of the sum rate does not fall; nor does that of the best fairness."""
    snr = random_snr(2)
    association, power = random_decision(3, snr)
    problems = make_problems(snr, objective)
    fair = None if objective == "sum-rate" else FLOOR
    values = []
    for steps in (0, 1, 2, 3, 5, 10, 100):
        found = np.asarray(power_update(problems, association, power, steps))
        values.append([reference.utility(s, a, p, fair) for s, a, p in zip(snr, association, found, strict=True)])
        assert (found >= 0).all()
        assert (found <= 1).all()
    assert (np.diff(values, axis=0) >= -1e-12).all()
    assert (np.array(values[-1]) > np.array(values[0]) + 1e-3).all()


@quick_jit
@jax.vmap
def _slope(snr, power):
    """Of the sum rate of an interference channel in the logarithms of the powers."""
    return jax.grad(lambda ln_power: rate(link_sinr(snr.T, jnp.exp(ln_power), 1.0)).sum())(jnp.log(power))


def test_one_ue_a_bs_is_the_interference_channel():
    snr = random_snr(4, count=32, num_ues=BSS, unreachable=0.0)
    snr = np.stack([s * (1 + 30 * np.eye(BSS)) for s in snr])
    association = np.broadcast_to(np.arange(BSS), snr.shape[:2])
    power = np.asarray(power_update(make_problems(snr), association, np.full(snr.shape[:2], 0.5), 5000))
    slope = np.asarray(_slope(np.swapaxes(snr, 1, 2), power))
    full, least = power > 1 - 1e-9, power < 2 * LEAST
    between = ~full & ~least
    assert between.any()
    assert full.any()
    assert least.any()
    assert (np.abs(slope[between]) < 1e-3).all()
    assert (slope[full] > -1e-9).all()
    assert (slope[least] < 1e-6).all()


def test_bss_without_ues_are_silent_and_ues_without_bs_do_not_count():
    snr = edge_snr()
    association, power = random_decision(5, snr)
    found = np.asarray(power_update(make_problems(snr), association, power, 50))
    assert np.isfinite(found).all()
    serving = (association[..., None] == np.arange(BSS)).any(1)
    np.testing.assert_array_equal(found > 0, serving)
    # The UE that no BS reaches changes nothing.
    without = np.delete(snr[1:2], 2, axis=1)
    fewer = power_update(make_problems(without), np.delete(association[1:2], 2, axis=1), power[1:2], 50)
    np.testing.assert_allclose(found[1:2], fewer, rtol=1e-12)


def test_high_sinr_step_of_the_published_code():
    snr = random_snr(6)
    association, power = random_decision(7, snr)
    association[0, 3] = -1
    step = jax.vmap(lambda problem, a, p: high_sinr_step(links_of(problem, a), p))
    found = step(make_problems(snr), jnp.asarray(association), jnp.asarray(power))
    wanted = [reference.high_sinr_power_step(s, a, p) for s, a, p in zip(snr, association, power, strict=True)]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
