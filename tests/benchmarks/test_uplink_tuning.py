"""Which learning rate is chosen for a recipe, without a training."""

import json

from benchmarks import uplink_tuning
from wirelax.systems.uplink_qos.recipes import PLANS, SMALL_RATES


def test_the_rate_with_the_best_score_is_chosen(tmp_path, monkeypatch, capsys):
    def trial(system, name, rate, channels):
        row = {"method": name, "learning_rate": rate, "occupied_mean": 6.0, "violation_short": 0.0}
        row["violation_long"] = abs(rate - 4e-3)
        return {**row, "score": uplink_tuning.score(row)}

    monkeypatch.setattr(uplink_tuning, "trial", trial)
    monkeypatch.setattr(uplink_tuning, "VALIDATION_COUNT", 2)
    uplink_tuning.main(["--out", str(tmp_path / "found.json"), "--recipes", "annealing"])
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["chosen"] == {"annealing": 4e-3}
    assert [row["learning_rate"] for row in found["trials"]] == list(uplink_tuning.RATES)
    assert "annealing" in capsys.readouterr().err


def test_a_missed_target_costs_rbs():
    row = {"occupied_mean": 6.0, "violation_long": 0.01, "violation_short": 0.02}
    assert abs(uplink_tuning.score(row) - (6.0 + 0.03 * uplink_tuning.MISSED)) < 1e-12


def test_every_recipe_has_a_rate_that_was_tried():
    assert set(SMALL_RATES) == set(PLANS)
    assert set(SMALL_RATES.values()) <= set(uplink_tuning.RATES)
