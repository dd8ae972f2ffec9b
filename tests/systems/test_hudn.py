"""The ultra-dense network: channels, results by the equations, fairness, unreachable UEs, files, any size."""

import math

import jax
import numpy as np
import pytest

from wirelax import systems
from wirelax.channels import load_munich_radiomap, munich_positions, munich_stations
from wirelax.errors import InputError
from wirelax.systems import sample_channels, solve_batch
from wirelax.types import Status

SMALL = {
    "num_ues": 12,
    "num_bss": 7,
    "num_macro": 2,
    "side_m": 100.0,
    "points_per_side": 20,
    "num_buildings": 4,
}
NOISE_W = 10 ** ((-91.98970004336019 - 30) / 10)
PLAIN = ("maramp", "maramp+silent", "msuamp", "uamwser", "juapcmwser", "maramp+polish")
OTHERS = ("msuapc", "local-search", "direct", "uamwser-published", "juapcmwser-published", "juapcmwser+polish")
FULL_POWER = ("maramp", "msuamp", "uamwser", "uamwser-published")
FLOOR = 1e-3


@pytest.fixture(scope="module")
def small():
    return systems.get("hudn", **SMALL)


@pytest.fixture(scope="module")
def channels(small):
    return sample_channels(small, 6, seed=3)


def budgets(num_bss, num_macro):
    return np.array([100.0 if j < num_macro else 0.1 for j in range(num_bss)])


def rates(gain, association, power_w, noise_w=NOISE_W):
    """Zhang et al. (HBGNN), eq. (1) with the serving BS not among the interferers, link by link, float64."""
    load = np.bincount(association[association >= 0], minlength=len(power_w))
    found = np.zeros(len(association))
    for i, j in enumerate(association):
        if j >= 0:
            others = sum(float(gain[i, k]) * float(power_w[k]) for k in range(len(power_w)) if k != j)
            found[i] = math.log2(1 + float(gain[i, j]) * float(power_w[j]) / (noise_w + others)) / load[j]
    return found


def check(result, gains, num_macro, objective="sum-rate"):
    """What a result says is what the equations give."""
    for i, gain in enumerate(gains):
        association, power_w = result.arrays["association"][i], result.arrays["power_w"][i]
        found = rates(gain, association, power_w)
        np.testing.assert_allclose(result.arrays["rate"][i], found, rtol=2e-4, atol=1e-6)
        np.testing.assert_allclose(result.arrays["sum_rate"][i], found.sum(), rtol=1e-4)
        np.testing.assert_allclose(result.arrays["rate_p5"][i], np.percentile(found, 5), rtol=2e-3, atol=1e-6)
        jain = found.sum() ** 2 / (len(found) * (found**2).sum())
        np.testing.assert_allclose(result.arrays["jain_index"][i], jain, rtol=1e-3)
        reached = (gain > 0).any(-1)
        utility = found.sum() if objective == "sum-rate" else np.log(found[reached] + FLOOR).sum()
        np.testing.assert_allclose(result.utility[i], utility, rtol=1e-3, atol=1e-3)
        assert ((association >= 0) == reached).all()
        assert (gain[reached, association[reached]] > 0).all()
        assert (power_w >= 0).all()
        assert (power_w <= budgets(len(power_w), num_macro) * (1 + 1e-5)).all()
    assert result.feasible.all()
    assert (result.status == Status.CONVERGED).all()


@pytest.mark.parametrize("method", [*PLAIN, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_results_are_those_of_the_equations(small, channels, method):
    result = solve_batch(small, method, channels)
    check(result, channels["gain"], 2)
    for association, power_w in zip(result.arrays["association"], result.arrays["power_w"], strict=True):
        empty = np.bincount(association, minlength=7) == 0
        if method in FULL_POWER:
            np.testing.assert_allclose(power_w, budgets(7, 2), rtol=1e-5)
        else:
            assert (power_w[empty] == 0).all()


def test_the_field_of_the_macros_sets_the_budgets():
    system = systems.get("hudn", num_bss=4, num_macro=1, max_power_macro_dbm=43.0, max_power_small_dbm=30.0)
    np.testing.assert_allclose(system.max_power_w(), [10**1.3, 1.0, 1.0, 1.0], rtol=1e-6)


def test_munich_gains_are_entries_of_the_map():
    system = systems.get("hudn", scenario="munich", num_ues=9, num_bss=12)
    radiomap = load_munich_radiomap()
    channels = sample_channels(system, 3, seed=1)
    for gain, ue, bs in zip(channels["gain"], channels["ue_position_m"], channels["bs_position_m"], strict=True):
        rows = [int(np.abs(radiomap.ue_position_m - at).sum(-1).argmin()) for at in ue]
        columns = [int(np.abs(radiomap.bs_position_m - at).sum(-1).argmin()) for at in bs]
        assert len(set(rows)) == 9
        assert rows == sorted(rows)
        assert columns[:5] == [0, 1, 2, 3, 4]
        assert len(set(columns)) == 12
        np.testing.assert_array_equal(gain, radiomap.gain[np.ix_(rows, columns)])


def test_draws_from_the_map_have_limits():
    key = jax.random.key(0)
    assert munich_positions(2988, 2988, key=key).tolist() == list(range(2988))
    macro = np.arange(105) < 5
    assert munich_stations(macro, 5, key=key).tolist() == [0, 1, 2, 3, 4]
    assert munich_stations(macro, 105, key=key).tolist() == list(range(105))
    for wanted in (4, 106):
        with pytest.raises(ValueError, match="num_bss must be between 5 and 105"):
            munich_stations(macro, wanted, key=key)
    with pytest.raises(ValueError, match="num_ues must be between 1 and 2988"):
        munich_positions(2988, 2989, key=key)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"num_bss": 4}, "num_macro is 5, but there are 4 BSs; say how many of them are macros"),
        ({"scenario": "munich", "num_ues": 3000}, "num_ues is 3000; the map of Munich has 2988 places"),
        ({"scenario": "munich", "num_bss": 106}, "the map of Munich has 5 macros and up to 105 BSs"),
        ({"scenario": "munich", "num_macro": 4}, "num_macro is 4 and num_bss is 105; the map of Munich has 5 macros"),
        ({"num_ues": 1601}, "num_ues is 1601; the grid has 1600 places, raise points_per_side"),
        ({"utility": "max-min"}, "utility is 'max-min'; allowed: 'sum-rate', 'proportional-fair'"),
    ],
)
def test_sizes_that_do_not_go_together(fields, says):
    with pytest.raises(InputError, match=says):
        systems.get("hudn", **fields)


def test_one_city_for_all_events_or_another_in_each():
    fixed = sample_channels(systems.get("hudn", layout_seed=7, **SMALL), 3, seed=0)
    other = sample_channels(systems.get("hudn", layout_seed=7, **SMALL), 2, seed=9)
    assert np.ptp(fixed["bs_position_m"], axis=0).max() == 0
    np.testing.assert_array_equal(fixed["building_m"][0], other["building_m"][1])
    assert np.abs(fixed["ue_position_m"][0] - fixed["ue_position_m"][1]).max() > 0
    fresh = sample_channels(systems.get("hudn", **SMALL), 3, seed=0)
    assert np.ptp(fresh["bs_position_m"][:, 2:], axis=0).max() > 1


def unreachable(channels):
    """UEs that no BS reaches, a BS that reaches nobody, links that are missing."""
    gain = channels["gain"].copy()
    gain[0, [2, 5]] = 0.0
    gain[1, :, 3] = 0.0
    gain[2] *= np.random.default_rng(0).random(gain[2].shape) < 0.5
    gain[3] = 0.0
    return {"gain": gain}


@pytest.mark.parametrize(
    ("method", "utility"),
    [
        ("uamwser", "sum-rate"),
        ("juapcmwser", "sum-rate"),
        ("msuamp", "proportional-fair"),
        ("maramp+polish", "proportional-fair"),
        *(pytest.param(name, "sum-rate", marks=pytest.mark.slow) for name in (*PLAIN, *OTHERS)),
        *(pytest.param(name, "proportional-fair", marks=pytest.mark.slow) for name in OTHERS),
    ],
)
def test_what_no_bs_reaches_is_reported_and_disturbs_nobody(channels, method, utility):
    system, given = systems.get("hudn", utility=utility, **SMALL), unreachable(channels)
    result = solve_batch(system, method, given)
    lost = (given["gain"] <= 0).all(-1)
    np.testing.assert_array_equal(result.arrays["unreachable_ues"], lost.sum(-1))
    np.testing.assert_array_equal(result.arrays["association"] == -1, lost)
    seen = [0, 1, 2, 4, 5]
    assert np.isfinite(result.utility).all()
    assert result.feasible.all()
    check(result.part(slice(4, 6)), given["gain"][4:], 2, utility)
    check(result.part(slice(0, 3)), given["gain"][:3], 2, utility)
    assert (result.arrays["rate"][seen].sum(-1) > 0).all()
    assert result.utility[3] == 0
    (remark,) = system.remarks(given)
    assert f"{lost.sum()} of 72 UEs are out of reach of every BS, in {lost.any(-1).sum()} of 6 channels" in remark
    assert system.remarks({"gain": channels["gain"]}) == []


@pytest.mark.parametrize(
    ("shape", "method"),
    [
        ((1, 1), "juapcmwser"),
        ((1, 5), "maramp+polish"),
        ((6, 1), "msuamp"),
        *(
            pytest.param(shape, name, marks=pytest.mark.slow)
            for shape in ((1, 1), (1, 5), (6, 1))
            for name in (*PLAIN, *OTHERS)
        ),
    ],
)
def test_one_bs_and_one_ue(shape, method):
    gain = np.random.default_rng(0).exponential(size=(2, *shape)).astype(np.float32) * 1e-9
    system = systems.get("hudn", num_macro=0, num_ues=shape[0], num_bss=shape[1])
    result = solve_batch(system, method, {"gain": gain})
    check(result, gain, 0)
    if shape == (1, 5) and method == "maramp+polish":
        best = [max(math.log2(1 + g * 0.1 / NOISE_W) for g in row[0].astype(float)) for row in gain]
        np.testing.assert_allclose(result.utility, best, rtol=1e-4)


def test_proportional_fairness_is_fairer(channels):
    fair = systems.get("hudn", utility="proportional-fair", **SMALL)
    assert (fair.utility_name, fair.utility_unit) == ("log_utility", "nat")
    polished, strongest = (solve_batch(fair, name, channels) for name in ("maramp+polish", "maramp"))
    assert (polished.utility >= strongest.utility - 1e-4).all()
    assert polished.arrays["rate_p5"].mean() > strongest.arrays["rate_p5"].mean()
    greedy = solve_batch(systems.get("hudn", **SMALL), "maramp+polish", channels)
    assert polished.arrays["jain_index"].mean() > greedy.arrays["jain_index"].mean()
    assert greedy.arrays["sum_rate"].mean() > polished.arrays["sum_rate"].mean()


def test_columns_of_the_table(small, channels):
    result = solve_batch(small, "maramp", channels)
    columns = small.table_columns(result.utility, result.utility, result.arrays)
    pooled = result.arrays["rate"].ravel()
    assert columns["rate_p5"] == pytest.approx(np.percentile(pooled, 5))
    assert columns["rate_median"] == pytest.approx(np.median(pooled))
    assert columns["starved_fraction"] == (pooled < 0.01).mean()
    assert columns["jain_index"] == pytest.approx(result.arrays["jain_index"].mean())
    assert columns["serving_bss"] == np.mean([len(set(row.tolist())) for row in result.arrays["association"]])
    assert columns["unreachable_fraction"] == 0
