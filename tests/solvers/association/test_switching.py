"""Moves that switch BSs on and off: their gains by recomputing everything, and where they lead."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.problems import make_association_problem
from wirelax.solvers.association import all_on_one, best_switching_moves, power_polish, switching_gains

from ...compiling import quick_jit

FLOOR = 1e-3
gains_of = quick_jit(switching_gains)


def network(seed, ues=6, bss=5, spread=6.0):
    rng = np.random.default_rng(seed)
    snr = 10 ** rng.uniform(-1, spread, (ues, bss))
    return snr * (rng.random((ues, bss)) < 0.85)


def utility(snr, association, power, objective):
    """Sum of log2(1 + SINR) / N, or of its logarithm, link by link; BSs without UEs are silent."""
    load = [sum(a == j for a in association) for j in range(snr.shape[1])]
    total = 0.0
    for i, j in enumerate(association):
        if j < 0:
            continue
        others = sum(snr[i, k] * power[k] for k in range(snr.shape[1]) if k != j and load[k] > 0)
        rate = np.log2(1 + snr[i, j] * power[j] / (1 + others)) / load[j]
        total += rate if objective == "sum-rate" else np.log(rate + FLOOR)
    return total


def start(seed, snr):
    """UEs at some of the BSs that reach them, so that some are empty; -1 where none does."""
    rng = np.random.default_rng(seed)
    association = np.array([rng.choice(np.flatnonzero(row > 0)[:2]) if (row > 0).any() else -1 for row in snr])
    return association, rng.uniform(0.05, 1.0, snr.shape[1])


def make(snr, objective, dtype=float):
    return make_association_problem(
        jnp.asarray(snr, dtype), max_power_w=1.0, noise_w=1.0, rate_floor=FLOOR, objective=objective
    )


@pytest.mark.parametrize("objective", ["sum-rate", "proportional-fair"])
def test_gains_are_those_of_recomputing_everything(x64, objective):
    """Exactly where nothing is switched; else, for sum rates, but for the UEs whose BS is left or entered."""
    still = switched = 0
    for seed in range(6):
        snr = network(seed)
        snr[3] = 0.0 if seed == 2 else snr[3]
        association, power = start(seed, snr)
        gains = np.asarray(gains_of(make(snr, objective), jnp.asarray(association), jnp.asarray(power)))
        before = utility(snr, association, power, objective)
        for i, j in np.ndindex(snr.shape):
            if snr[i, j] == 0:
                assert gains[i, j] == -np.inf
                continue
            moved, changed = association.copy(), power.copy()
            moved[i] = j
            on, off = not (association == j).any(), (association == association[i]).sum() == 1
            changed[j] = 1.0 if on else power[j]
            error = abs(gains[i, j] - (utility(snr, moved, changed, objective) - before))
            if not on and not off:
                still += 1
                assert error < 1e-9
            elif on != off and objective == "sum-rate":
                switched += 1
                assert error < 1e-9 + felt_by_sharers(snr, association, power, i, j)
    assert still > 20
    assert switched > 20 or objective != "sum-rate"


def felt_by_sharers(snr, association, power, mover, to):
    """What switching alone changes for the other UEs of the BSs that the mover leaves and enters."""
    load = np.bincount(association[association >= 0], minlength=snr.shape[1])
    alike, found = power * (load > 0), 0.0
    other = alike.copy()
    other[to if load[to] == 0 else association[mover]] = 1.0 if load[to] == 0 else 0.0
    for i, j in enumerate(association):
        if i != mover and j in (association[mover], to):
            rates = [
                np.log2(1 + snr[i, j] * p[j] / (1 + sum(snr[i, k] * p[k] for k in range(len(p)) if k != j)))
                for p in (alike, other)
            ]
            found += abs(rates[0] - rates[1]) / load[j]
    return found


def test_one_strong_interferer_does_not_eat_the_digits_of_the_others():
    """Float32, a BS 70 dB above the rest: what a UE gains where it is switched off."""
    snr = np.array([[30.0, 1e7, 2.0], [1.0, 5e3, 40.0], [3.0, 0.0, 8.0]])
    association, power = np.array([0, 1, 2]), np.ones(3)
    gains = np.asarray(gains_of(make(snr, "sum-rate", jnp.float32), jnp.asarray(association), jnp.ones(3)))
    wanted = utility(snr, np.array([0, 2, 2]), power, "sum-rate") - utility(snr, association, power, "sum-rate")
    assert gains[1, 2] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("objective", ["sum-rate", "proportional-fair"])
def test_moves_raise_the_utility_and_the_polish_never_lowers_it(objective):
    problems = [make(network(seed, 8, 6, 4.0), objective) for seed in range(8)]
    batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), *problems)
    starts = [start(seed, np.asarray(problem.snr)) for seed, problem in enumerate(problems)]
    association, power = (jnp.asarray(np.stack(part)) for part in zip(*starts, strict=True))

    def run(problem, association, power):
        moved = best_switching_moves(problem, association, power, 1)
        polished = power_polish(problem, association, power)
        nothing = power_polish(problem, *all_on_one(problem))
        silent = jnp.where(jnp.bincount(association, length=6) > 0, power, 0.0)
        pairs = ((association, silent), moved, polished, nothing)
        return jnp.stack([problem.utility(problem.allocation(*pair)) for pair in pairs])

    before, moved, polished, nothing = np.asarray(quick_jit(jax.vmap(run))(batch, association, power.astype(float))).T
    assert (moved >= before - 1e-5).mean() >= 0.75  # one that empties a BS and fills another may be misjudged
    assert (polished >= before - 1e-5).all()
    assert (nothing > 0).all() or objective == "proportional-fair"
    assert polished.mean() > before.mean()


def test_from_nothing_everybody_is_at_the_bs_heard_least():
    snr = np.array([[5.0, 1.0, 9.0], [7.0, 0.0, 8.0], [0.0, 0.0, 0.0]])
    association, power = all_on_one(make(snr, "sum-rate"))
    assert association.tolist() == [1, 0, -1]
    assert 0 < float(power.max()) < 1e-6
