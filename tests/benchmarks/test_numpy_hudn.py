"""The NumPy methods of the ultra-dense network: evaluation and gains against loops, and the compiled methods."""

import itertools

import jax
import numpy as np
import pytest

from benchmarks import numpy_hudn
from benchmarks.hudn_matching import (
    best_log_rates,
    best_log_rates_lp,
    efficiencies,
    log_rates,
    matching_bound,
)
from benchmarks.numpy_hudn import Event, Found
from wirelax.problems import make_association_problem
from wirelax.solvers import association as solvers

from ..compiling import quick_jit

EVENTS, UES, BSS = 10, 9, 5


def snrs(count=EVENTS, ues=UES, bss=BSS):
    """Of a few BSs in the noise and one far above the others; a fifth of the links is out of reach."""
    rng = np.random.default_rng(7)
    snr = 10 ** rng.uniform(-1, 4, (count, ues, bss)) * (rng.uniform(size=(count, ues, bss)) < 0.8)
    snr[..., 0] = 10 * snr[..., 0] + 0.1
    return snr


def loop_efficiencies(snr, power):
    out = np.zeros(snr.shape)
    for i, j in np.ndindex(*snr.shape):
        others = sum(snr[i, k] * power[k] for k in range(len(power)) if k != j)
        out[i, j] = np.log1p(snr[i, j] * power[j] / (1 + others)) / np.log(2)
    return out


def loop_rates(snr, association, power):
    efficiency = loop_efficiencies(snr, power)
    return [efficiency[i, j] / list(association).count(j) for i, j in enumerate(association)]


def associations(snr):
    """All that the BSs' reach allows."""
    return [np.array(a) for a in itertools.product(*(np.flatnonzero(row > 0) for row in snr))]


def test_evaluation_equals_loops():
    rng = np.random.default_rng(0)
    for snr in snrs():
        association = np.array([rng.choice(np.flatnonzero(row)) for row in snr])
        power = rng.uniform(size=BSS)
        rates = loop_rates(snr, association, power)
        found = numpy_hudn.evaluate(Event(snr), Found(association, power))
        assert found["sum_rate"] == pytest.approx(sum(rates))
        assert found["jain_index"] == pytest.approx(sum(rates) ** 2 / UES / sum(r**2 for r in rates))
        assert found["rate_median"] == pytest.approx(sorted(rates)[UES // 2])
        assert found["serving_bss"] == len(set(association.tolist()))
        np.testing.assert_allclose(efficiencies(snr, power), loop_efficiencies(snr, power), rtol=1e-12)


def test_gains_of_moves_are_differences():
    snr, power = snrs()[0], np.full(BSS, 0.3)
    efficiency, association = efficiencies(snr, power), snr.argmax(1)
    association[:2] = 0, 3  # a BS of one UE among them
    with np.errstate(divide="ignore"):
        log_gains = numpy_hudn._log_gains(np.log(efficiency), association)
    found = numpy_hudn._sum_rate_gains(efficiency, association), log_gains

    def values(association):
        rates = np.array(loop_rates(snr, association, power))
        return rates.sum(), np.log(rates).sum()

    for ue, bs in zip(*np.nonzero(snr), strict=True):
        moved = association.copy()
        moved[ue] = bs
        if bs != association[ue]:
            wanted = np.subtract(values(moved), values(association))
            np.testing.assert_allclose([gains[ue, bs] for gains in found], wanted, rtol=1e-9, atol=1e-12)


def test_gains_of_moves_that_switch_bss_are_those_of_sharing_and_of_interference():
    """One after the other: the UE moves, and then the others hear the BS that is switched on or off."""
    snr, power = np.where(snrs()[0] > 0, snrs()[0], 1e-3), np.array([0.3, 0.2, 0.0, 0.9, 0.0])
    association = np.array([0, 0, 3, 0, 1, 0, 0, 1, 0])  # one UE alone at BS 3, none at 2 and 4
    found = numpy_hudn._switching_gains(Event(snr), association, power)
    before, efficiency = np.array(loop_rates(snr, association, power)), loop_efficiencies(snr, power)
    for ue, bs in np.ndindex(*snr.shape):
        if bs == association[ue]:
            continue
        moved, stays, after = association.copy(), np.arange(UES) != ue, power.copy()
        moved[ue] = bs
        after[bs] = 1.0 if bs in (2, 4) else power[bs]
        after[3] = power[3] if 3 in moved else 0.0
        rates = [efficiency[i, moved[i]] / (moved == moved[i]).sum() for i in range(UES)]
        rates[ue] = loop_rates(snr, moved, after)[ue]  # all others share as after the move, and hear as before it
        wanted = sum(rates) - before.sum()
        for other in np.flatnonzero(after != power):
            switched = np.where(np.arange(BSS) == other, after, power)
            wanted += (np.array(loop_rates(snr, association, switched)) - before)[stays].sum()
        np.testing.assert_allclose(found[ue, bs], wanted, rtol=1e-9, atol=1e-12)


def test_powers_raise_the_sum_rate_in_every_step():
    event, association = Event(snrs()[1]), snrs()[1].argmax(1)
    power = np.where(np.bincount(association, minlength=BSS) > 0, 0.7, 0.0)
    trace = [sum(loop_rates(event.snr, association, power))]
    for _ in range(30):
        power = numpy_hudn.scale_powers(event, association, power, 1)
        trace.append(sum(loop_rates(event.snr, association, power)))
    assert min(np.diff(trace)) > -1e-12
    assert trace[-1] > trace[0] + 0.1


METHODS = ("maramp", "msuamp", "uamwser", "juapcmwser")


@pytest.fixture(scope="module")
def solved():
    """Solutions of the compiled methods by name, in double precision."""

    def all_methods(snr):
        problem = make_association_problem(snr, max_power_w=1.0, noise_w=1.0)
        found = {name: getattr(solvers, f"association_{name}")(problem) for name in METHODS}
        return found | {"polish": solvers.association_polish(problem, found["maramp"].allocation)}

    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, quick_jit(jax.vmap(all_methods))(snrs()))


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_compiled_methods_find_the_same(solved, name):
    own = [getattr(numpy_hudn, name)(Event(snr)) for snr in snrs()]
    values = [numpy_hudn.evaluate(Event(snr), found)["sum_rate"] for snr, found in zip(snrs(), own, strict=True)]
    theirs = solved[name]
    assert theirs.feasible.all()
    if name != "msuamp":
        np.testing.assert_allclose(theirs.utility, values, rtol=1e-8)
        return
    # Ours goes on where single moves help no more.
    for snr, found, association in zip(snrs(), own, theirs.allocation["association"], strict=True):
        efficiency = efficiencies(snr, np.ones(BSS))
        assert log_rates(efficiency, association) >= log_rates(efficiency, found.association) - 1e-9


@pytest.mark.slow
def test_compiled_polish_finds_the_same(solved):
    own = [numpy_hudn.power_polish(Event(snr), numpy_hudn.maramp(Event(snr))) for snr in snrs()]
    values = [numpy_hudn.evaluate(Event(snr), found)["sum_rate"] for snr, found in zip(snrs(), own, strict=True)]
    np.testing.assert_allclose(solved["polish"].utility, values, rtol=1e-6)
    assert (solved["polish"].utility > solved["maramp"].utility).all()


def test_assignments_and_linear_programs_are_the_best_of_all_associations():
    for snr in snrs(4, 5, 3):
        efficiency = efficiencies(snr, np.ones(3))
        every = associations(snr)
        best = max(log_rates(efficiency, association) for association in every)
        found = best_log_rates(efficiency)
        assert log_rates(efficiency, found) == pytest.approx(best, rel=1e-12)
        value, share = best_log_rates_lp(efficiency)
        assert value == pytest.approx(best, rel=1e-9)
        np.testing.assert_allclose(share.sum(1), 1, rtol=1e-9)
        # No association has a higher sum rate than the bound, with its own powers nor without interference.
        sums = [(efficiency[np.arange(5), a] / np.bincount(a, minlength=3)[a]).sum() for a in every]
        assert max(sums) <= matching_bound(efficiency) + 1e-12
        assert max(sums) > 0.6 * matching_bound(efficiency)
        powers = np.random.default_rng(0).uniform(size=(20, 3))
        free = matching_bound(np.log2(1 + snr))
        assert all(sum(loop_rates(snr, a, power)) <= free for a in every[::7] for power in powers)


def test_log_rates_of_an_association_by_hand():
    efficiency = np.array([[2.0, 1.0], [4.0, 1.0], [1.0, 8.0]])
    assert log_rates(efficiency, np.array([0, 0, 1])) == pytest.approx(np.log(1.0 * 2.0 * 8.0))
    assert best_log_rates(efficiency).tolist() == [0, 0, 1]
    assert matching_bound(efficiency) == 12.0


@pytest.mark.slow
def test_compiled_association_of_log_rates_is_the_linear_program_s(solved):
    """Within 1e-3 nats a UE; the program has no integrality gap."""
    for snr, association in zip(snrs(), solved["msuamp"].allocation["association"], strict=True):
        efficiency = efficiencies(snr, np.ones(BSS))
        value, _ = best_log_rates_lp(efficiency)
        assert log_rates(efficiency, best_log_rates(efficiency)) == pytest.approx(value, rel=1e-9)
        assert abs(value - log_rates(efficiency, association)) <= 1e-3 * UES


@pytest.mark.slow
def test_compiled_association_of_the_sum_rate_is_near_its_bound(solved):
    ratios = [
        value / matching_bound(efficiencies(snr, np.ones(BSS)))
        for snr, value in zip(snrs(), solved["uamwser"].utility, strict=True)
    ]
    assert max(ratios) <= 1 + 1e-9
    assert np.mean(ratios) >= 0.9
