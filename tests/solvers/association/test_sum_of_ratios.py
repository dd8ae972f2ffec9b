"""Association by a sum of ratios, its turns with powers, and both as published, against loops and enumeration."""

import itertools

import jax
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from wirelax.solvers.association.published import _associate
from wirelax.systems.hudn.system import Hudn
from wirelax.systems.run import make_problems as system_problems
from wirelax.systems.run import sample_channels

from ...compiling import quick_jit
from . import reference
from .compiled import BSS, UES, edge_snr, make_problems, random_decision, random_snr, ratios, whole

pytestmark = pytest.mark.usefixtures("x64")
TINY = {"num_ues": 6, "num_bss": 4, "num_macro": 1, "num_buildings": 15}


def test_strongest_bs():
    snr = np.concatenate([random_snr(0), edge_snr()])
    found = np.asarray(whole("maramp")(make_problems(snr)).allocation["association"])
    np.testing.assert_array_equal(found, np.where((snr > 0).any(-1), snr.argmax(-1), -1))


def test_sum_of_ratios():
    """No worse than its start, never above the matching of UEs and BSs, and close to the best association."""
    snr = random_snr(1, 40)
    start, power = random_decision(2, snr)
    found = np.asarray(ratios(make_problems(snr), power, start))
    reached, bests = [], []
    for s, a, p, got in zip(snr, start, power, found, strict=True):
        eff = reference.efficiencies(s, p)
        value = reference.sum_of_means(eff, got)
        assert value >= reference.sum_of_means(eff, a) - 1e-9
        assert value <= eff[linear_sum_assignment(-eff)].sum() + 1e-9
        options = [np.flatnonzero(row > 0) for row in s]
        reached.append(value)
        bests.append(max(reference.sum_of_means(eff, choice) for choice in itertools.product(*options)))
    assert np.mean(np.array(reached) / bests) > 0.9


def test_turns_near_the_best_of_all_levels():
    """All associations with powers of 0, a tenth and all of the budget, on tiny cities."""
    problems = system_problems(Hudn(**TINY), sample_channels(Hudn(**TINY), 16, 7))
    found = np.asarray(whole("juapcmwser")(problems).utility)
    best = np.array([reference.best_of_levels(np.asarray(snr, float), (0.0, 0.1, 1.0)) for snr in problems.snr])
    assert np.mean(found / best) >= 0.95
    assert (found <= best * 1.2).all()  # powers between the levels are worth a few percent at most


def _published(snr, power):
    """The association of the published code with its faults, in loops."""
    eff = reference.efficiencies(snr, power)
    num_ues, num_bss = eff.shape
    association = [num_bss - 1] * num_ues

    def sums(association):
        load = np.array([sum(a == j for a in association) for j in range(num_bss)], float)
        return load, np.array([sum(eff[i][j] for i, a in enumerate(association) if a == j) for j in range(num_bss)])

    load, total = sums(association)
    u, beta = 1 / np.maximum(load, 1), total / np.maximum(load, 1)
    u = u / u.sum()
    for _ in range(30):
        association = [
            max((j for j in range(num_bss) if snr[i][j] > 0), key=lambda j: u[j] * (eff[i][j] - beta[j]))
            for i in range(num_ues)
        ]
        load, total = sums(association)
        ends = ((beta * load - total) == 0).any() or ((u * load - 1) == 0).any()
        step_u, step_beta = 1 / np.maximum(load, 1) - u, total / np.maximum(load, 1) - beta
        for trial in range(10):  # each adds to what the last one left
            u, beta = u + 0.5**trial * step_u, beta + 0.5**trial * step_beta
        u = np.maximum(u, np.finfo(float).tiny)
        u = u / u.sum()
        if ends:
            break
    return association


def test_published_association():
    """Mostly that of the highest rate: a BS without UEs ends the iteration at once."""
    snr = random_snr(3, 40)
    power = np.ones(snr.shape[::2])
    found = np.asarray(quick_jit(jax.vmap(_associate))(make_problems(snr), power))
    np.testing.assert_array_equal(found, [_published(s, p) for s, p in zip(snr, power, strict=True)])


def test_published_is_weaker():
    snr = random_snr(4, 40, unreachable=0.0)
    problems = make_problems(snr)
    for name in ("uamwser", "juapcmwser"):
        ours, published = (np.asarray(whole(name + kind)(problems).utility).mean() for kind in ("", "-published"))
        assert ours > 1.02 * published
    assert snr.shape[1:] == (UES, BSS)
