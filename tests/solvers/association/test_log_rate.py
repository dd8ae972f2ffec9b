"""The association of the highest sum of log rates against the assignment problem that it is."""

import math

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, linprog
from scipy.sparse import eye as identity
from scipy.sparse import kron, vstack

from . import reference
from .compiled import BSS, UES, edge_snr, log_rate, make_problems, random_snr, whole

pytestmark = pytest.mark.usefixtures("x64")


def _optimum(snr):
    """Of the UEs that some BS reaches, at full power."""
    eff = reference.efficiencies(snr, np.ones(snr.shape[1]))[(snr > 0).any(1)]
    if not len(eff):
        return 0.0
    value = reference.place_values(eff)
    return value[linear_sum_assignment(-value)].sum()


def test_reaches_the_optimum_of_the_assignment():
    snr = np.concatenate([random_snr(0, 60), edge_snr()[:5]])
    found = np.asarray(log_rate(make_problems(snr), np.ones(snr.shape[::2])))
    np.testing.assert_array_equal(found >= 0, (snr > 0).any(-1))
    gaps = [
        _optimum(s) - reference.log_rate_value(reference.efficiencies(s, np.ones(BSS)), a)
        for s, a in zip(snr, found, strict=True)
    ]
    assert min(gaps) > -1e-9
    assert max(gaps) / UES < 1e-3


def test_relaxation_has_no_gap():
    """Wildman and Weber (2015): the linear programme of the places has the value of the association."""
    snr = random_snr(0, 6)
    found = np.asarray(log_rate(make_problems(snr), np.ones(snr.shape[::2])))
    for s, a in zip(snr, found, strict=True):
        eff = reference.efficiencies(s, np.ones(BSS))
        value = reference.place_values(eff)
        places = value.shape[1]
        one_place = kron(identity(UES), np.ones((1, places)))
        one_ue = kron(np.ones((1, UES)), identity(places))
        relaxed = linprog(-value.ravel(), one_ue, np.ones(places), vstack([one_place]), np.ones(UES), method="highs")
        assert math.isclose(-relaxed.fun, reference.log_rate_value(eff, a), abs_tol=1e-6)


def test_powers_raise_the_sum_of_log_rates():
    snr = random_snr(2, 20)
    problems = make_problems(snr)
    at_full, controlled = whole("msuamp")(problems), whole("msuapc")(problems)

    def values(solution):
        pairs = zip(snr, *(np.asarray(solution.allocation[k]) for k in ("association", "power_w")), strict=True)
        return np.array([sum(math.log(r) for r in reference.rates(s, a, p)) for s, a, p in pairs])

    gained = values(controlled) - values(at_full)
    assert gained.min() > -1e-9
    assert np.median(gained) > 0.1
