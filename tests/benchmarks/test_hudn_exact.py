"""Branch and bound over associations and powers against a fine grid of both, and the stored optima."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import hudn_exact
from benchmarks.hudn_certified import CASES, KINDS, SEED, downlink_of, draw_case, main
from benchmarks.hudn_exact import GAP, Downlink, certify, utility

STORED = json.loads((Path(__file__).parents[1] / "data" / "hudn_certified.json").read_text())
OBJECTIVES = ("sum-rate", "proportional-fair")


def value_of(snr, objective, association, power, floor=1e-3):
    """By loops; BSs without UEs transmit what they are given; UEs without a BS count for nothing."""
    total = 0.0
    for ue, bs in enumerate(association):
        if bs < 0:
            continue
        others = sum(snr[ue][k] * power[k] for k in range(len(power)) if k != bs)
        rate = np.log1p(snr[ue][bs] * power[bs] / (1 + others)) / np.log(2) / list(association).count(bs)
        total += rate if objective == "sum-rate" else np.log(rate + floor)
    return total


def random_downlink(seed, objective, ues, bss, spread_db=40.0):
    rng = np.random.default_rng(seed)
    snr = 10 ** (rng.uniform(0, spread_db, (ues, bss)) / 10)
    snr[rng.uniform(size=snr.shape) < 0.1] = 0.0
    snr[:, 0] = np.maximum(snr[:, 0], 1.0)
    return Downlink(snr, objective)


def grid_best(link, points):
    """The best of all associations with powers on a grid, even in decibels, and 0; not only with one BS at full."""
    bss = link.snr.shape[1]
    levels = np.concatenate([[0.0], np.geomspace(1e-4, 1.0, points)])
    powers = np.stack(np.meshgrid(*[levels] * bss), -1).reshape(-1, bss)
    best = -np.inf
    for association in itertools.product(*(np.flatnonzero(row > 0) for row in link.snr)):
        values = np.zeros(len(powers))
        for ue, bs in enumerate(association):
            others = 1 + sum(link.snr[ue, k] * powers[:, k] for k in range(bss) if k != bs)
            rate = np.log2(1 + link.snr[ue, bs] * powers[:, bs] / others) / association.count(bs)
            values += rate if link.objective == "sum-rate" else np.log(rate + link.rate_floor)
        best = max(best, values.max())
    return best


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(("ues", "bss", "points"), [(1, 1, 50), (3, 2, 80), (3, 3, 16), (2, 3, 16)])
def test_nothing_on_a_grid_is_better_and_little_is_missed(objective, ues, bss, points):
    between = 0
    for seed in range(4):
        link = random_downlink(seed, objective, ues, bss)
        found, on_grid = certify(link), grid_best(link, points)
        assert found.value >= on_grid - 1e-12
        assert found.value <= found.bound <= link.limit(found.value) + 1e-12
        np.testing.assert_allclose(
            value_of(link.snr, objective, found.association, found.power), found.value, rtol=1e-12
        )
        assert found.power.max() == 1.0
        assert (link.snr[np.arange(ues), found.association] > 0).all()
        loss = (1e-9 if ues == bss == 1 else 0.02) * max(abs(found.value), 1.0)
        assert on_grid >= found.value - loss
        between += found.value > on_grid + 1e-6
    assert between > 0 or bss == 1 or objective == "sum-rate"  # powers between the levels are found


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_slopes_bound_those_of_differences(objective):
    """Of all points of a box, by the powers, in both ways of counting."""
    rng = np.random.default_rng(1)
    for seed in range(10):
        link = random_downlink(seed, objective, 4, 3, 20.0)
        association = np.array([[rng.choice(np.flatnonzero(row > 0)) for row in link.snr]])
        low = rng.uniform(0.05, 0.4, (1, 3))
        high = low * rng.uniform(1.0, 2.5, (1, 3))
        boxes = hudn_exact._Boxes(association, low, high)
        bounds = [hudn_exact._slopes(link, boxes, each) for each in (False, True)]
        scale = np.log(2)  # of the slopes: in nats
        for _ in range(20):
            power = rng.uniform(low, high)
            for bs in range(3):
                step = 1e-6 * power * (np.arange(3) == bs)
                pair = [utility(link, association, power + sign * step)[0] for sign in (1, -1)]
                slope = (pair[0] - pair[1]) / (2e-6 * power[0, bs]) * (scale if objective == "sum-rate" else 1)
                for factor, (gain, harm) in zip((power[0, bs], 1.0), bounds, strict=True):
                    unit = 1.0 if objective == "sum-rate" else 1 / scale
                    assert (gain[0] - harm[1])[0, bs] * unit - 1e-6 <= slope * factor
                    assert slope * factor <= (gain[1] - harm[0])[0, bs] * unit + 1e-6


def test_a_search_without_an_end_is_given_up(monkeypatch):
    monkeypatch.setattr(hudn_exact, "MOST_BOXES", 10)
    with pytest.raises(RuntimeError, match="not proven within 10 boxes"):
        certify(random_downlink(0, "sum-rate", 4, 3))


def test_two_bss_and_one_ue_each_by_hand():
    """Either alone: log2(1 + 100). Both: 2 log2(1 + 100 / 101), less. The other UE waits at the silent BS."""
    found = certify(Downlink(np.full((2, 2), 100.0)))
    np.testing.assert_allclose(found.value, np.log2(101), rtol=1e-12)
    assert sorted(found.power) == [0.0, 1.0]
    # Far apart, both: 2 log2(101) nearly.
    found = certify(Downlink(np.array([[100.0, 1e-9], [1e-9, 100.0]])))
    np.testing.assert_allclose(found.value, 2 * np.log2(101), rtol=1e-6)
    np.testing.assert_array_equal(found.power, 1.0)
    np.testing.assert_array_equal(found.association, [0, 1])


def test_stored_optima_are_worth_what_they_claim():
    assert len(STORED["cases"]) == sum(sum(kinds.values()) for kinds in CASES.values()) >= 32
    for case in STORED["cases"]:
        label = f"{case['objective']}, {case['kind']}, {case['index']}"
        snr = np.array(case["gain"]) / case["noise_w"] * case["max_power_w"]
        value = value_of(snr, case["objective"], case["association"], case["power"], STORED["rate_floor"])
        np.testing.assert_allclose(value, case["optimum"], rtol=1e-9, err_msg=label)
        gap = GAP * (case["optimum"] if case["objective"] == "sum-rate" else 6)
        assert case["optimum"] <= case["upper_bound"] <= case["optimum"] + gap * (1 + 1e-9), label
        assert [bs >= 0 for bs in case["association"]] == (snr.max(1) > 0).tolist(), label
        assert all(snr[ue, bs] > 0 for ue, bs in enumerate(case["association"]) if bs >= 0), label
        assert min(case["power"]) >= 0, label
        assert max(case["power"]) == 1, label


def test_stored_optima_are_of_many_kinds():
    cases = STORED["cases"]
    assert (STORED["seed"], STORED["gap"]) == (SEED, GAP)
    assert {case["kind"] for case in cases} == set(KINDS)
    serving = {(np.array(case["power"]) > 0.01).sum() for case in cases}
    assert serving >= {1, 2, 3}
    inside = [case for case in cases if any(0.01 < power < 0.99 for power in case["power"])]
    assert len(inside) >= 5  # neither on nor off
    assert any(min(case["association"]) < 0 for case in cases)


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_stored_optima_are_proven_again(objective):
    for kind in KINDS:
        stored = next(case for case in STORED["cases"] if (case["kind"], case["objective"]) == (kind, objective))
        found = certify(downlink_of(stored, objective)[0])
        np.testing.assert_allclose([found.value, found.bound], [stored["optimum"], stored["upper_bound"]], rtol=1e-4)
        again = draw_case(kind, stored["index"])
        np.testing.assert_allclose(again["gain"], stored["gain"], rtol=1.01e-5)  # the last digit that is kept
        np.testing.assert_allclose(again["max_power_w"], stored["max_power_w"], rtol=1e-5)


@pytest.mark.slow
def test_the_command_writes_what_the_tests_read(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.hudn_certified.CASES", {"sum-rate": {"60 m": 2}})
    main(["--out", str(tmp_path / "optima.json"), "--most", "1"])
    written = json.loads((tmp_path / "optima.json").read_text())
    assert written.keys() == STORED.keys()
    (case,) = written["cases"]
    stored = next(each for each in STORED["cases"] if (each["kind"], each["objective"]) == ("60 m", "sum-rate"))
    assert case.keys() == stored.keys()
    assert case["optimum"] == pytest.approx(stored["optimum"], rel=1e-4)
