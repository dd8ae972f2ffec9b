"""Moves of single UEs against utilities that are computed anew, and what the polish makes of them."""

import jax.numpy as jnp
import numpy as np
import pytest

from . import reference
from .compiled import FLOOR, edge_snr, make_problems, move_gains, moves, polish, random_decision, random_snr

FAIR = {"sum-rate": None, "proportional-fair": FLOOR}
pytestmark = pytest.mark.usefixtures("x64")


@pytest.mark.parametrize("objective", FAIR)
def test_gain_of_every_move(objective):
    snr = random_snr(0, 12)
    association, power = random_decision(1, snr)
    association[0, 1] = -1
    snr[0, 1] = 0.0
    found = move_gains(make_problems(snr, objective), power, association)
    wanted = [reference.move_gains(s, a, p, FAIR[objective]) for s, a, p in zip(snr, association, power, strict=True)]
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("objective", FAIR)
def test_best_moves_one_after_the_other(objective):
    snr = random_snr(2, 12)
    association, power = random_decision(3, snr)
    found = np.asarray(moves(make_problems(snr, objective), association, power, 3))
    moved = 0
    for s, a, p, got in zip(snr, association, power, found, strict=True):
        a = a.copy()
        for _ in range(3):
            gains = reference.move_gains(s, a, p, FAIR[objective])
            i, j = np.unravel_index(gains.argmax(), gains.shape)
            if gains[i, j] > 1e-9:
                a[i], moved = j, moved + 1
        np.testing.assert_array_equal(got, a)
    assert moved > 20


@pytest.mark.parametrize("objective", FAIR)
def test_no_move_is_left(objective):
    snr = np.concatenate([random_snr(4, 12), edge_snr()])
    association, power = random_decision(5, snr)
    found = np.asarray(moves(make_problems(snr, objective), association, power, 200))
    for s, a, p in zip(snr, found, power, strict=True):
        assert reference.move_gains(s, a, p, FAIR[objective]).max() < 1e-9
    reached = (snr > 0).any(-1)
    np.testing.assert_array_equal(found >= 0, reached)


@pytest.mark.parametrize("objective", FAIR)
def test_polish_is_no_worse_than_its_start(objective):
    snr = np.concatenate([random_snr(6, 12), edge_snr()])
    association, power = random_decision(7, snr)
    problems = make_problems(snr, objective)
    found, levels = map(np.asarray, polish(problems, jnp.asarray(association), jnp.asarray(power)))
    for s, a, p, b, q in zip(snr, association, power, found, levels, strict=True):
        silent = np.where(np.bincount(a[a >= 0], minlength=len(p)) > 0, p, 0.0)
        before, after = (reference.utility(s, *of, FAIR[objective]) for of in ((a, silent), (b, q)))
        assert after >= before - 1e-9
    better = [
        reference.utility(s, b, q, FAIR[objective]) > reference.utility(s, a, p, FAIR[objective]) + 0.1
        for s, a, p, b, q in zip(snr[:12], association, power, found, levels, strict=False)
    ]
    assert all(better)
