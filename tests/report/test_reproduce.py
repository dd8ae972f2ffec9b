"""``wirelax reproduce`` on the tiny system: tables, figures, trainings, and the paper's numbers beside ours."""

import json
from dataclasses import replace

import pytest

from wirelax import systems
from wirelax.cli import main
from wirelax.report import reproduce
from wirelax.systems import Curves, PaperFigure, Reproduction, Study, Sweep

from ..toy_system import PricedLink

METHODS = ("water-filling", "max-power")
PLAN = Reproduction(
    count=30,
    train=("mlp",),
    train_preset="smoke",
    methods=METHODS,
    groups={"Figure 1": METHODS},
    scenarios={"default": {}, "dear power": {"price_per_w": 60.0}},
    sweeps=(Sweep(title="Price of power", field="price_per_w", values=(10.0, 30.0, 90.0), methods=METHODS[:1]),),
    sweep_count=20,
    paper=(
        PaperFigure(quantity="ratio", value=1.5, source="Fig. 9", method="max-power", column="ratio_to_best"),
        PaperFigure(quantity="time (%)", value=7.0, source="Table I", method="max-power", reference="water-filling"),
    ),
    notes=("A made-up paper.",),
)


class Published(PricedLink):
    """The tiny system, as if it came from a paper."""

    def paper(self, preset):
        return PLAN


@pytest.fixture
def published():
    systems.register(Published.name, Published)
    yield Published
    systems.registry._registered.pop(Published.name)


def test_tables_figures_and_page(published, tmp_path, capsys):
    out = tmp_path / "my time" / "reproduction"  # "time" in a path once made figures vanish
    assert main(["reproduce", published.name, "--out", str(out)]) == 0
    rows = json.loads((out / "table.json").read_text())
    found = [(row["method"], row["scenario"]) for row in rows]
    names = (*METHODS, "trained:mlp")
    swept = [("water-filling", f"Price of power: price_per_w = {value}") for value in (10, 30, 90)]
    assert found == [(name, scenario) for scenario in ("default", "dear power") for name in names] + swept
    assert rows[0]["utility_mean"] > rows[3]["utility_mean"]  # the same channels at a higher price
    assert rows[0]["ratio_to_best"] == 1.0 > rows[2]["ratio_to_best"] > 0.9
    pictures = {path.name for path in out.glob("*.png")}
    kinds = ("speed_quality", "time", "1_utility_cdf", "1_error_cdf")
    assert {f"{scenario}_{kind}.png" for scenario in ("default", "dear-power") for kind in kinds} <= pictures
    assert "sweep_price-of-power_utility.png" in pictures
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64") == len(pictures) == 9
    assert "A made-up paper." in page
    assert f"ratio: paper 1.5 (Fig. 9), here {rows[1]['ratio_to_best']:.3g}." in page
    share = 100 * rows[1]["seconds_per_channel"] / rows[0]["seconds_per_channel"]
    assert f"time (%): paper 7 (Table I), here {share:.3g}." in page
    assert "default" in capsys.readouterr().out
    assert main(["reproduce", published.name, "--out", str(out)]) == 2  # results are never replaced unasked
    assert "exists already" in capsys.readouterr().err


def test_sweep_with_lines_and_policies_as_they_were_after_a_stage(published, tmp_path, monkeypatch):
    sweep = Sweep(
        title="Size",
        field="num_subchannels",
        values=(2, 4),
        methods=("max-power",),
        train=("mlp@all", "mlp"),
        resample=True,
        lines={"cheap": {"price_per_w": 1.0}, "dear": {"price_per_w": 100.0}},
    )
    plan = replace(PLAN, train=(), scenarios={}, paper=(), sweeps=(sweep,))
    monkeypatch.setattr(Published, "paper", lambda self, preset: plan)
    said = []
    rows, _ = reproduce.reproduce(
        Published(), tmp_path, preset="quick", seed=0, say=said.append, training_report=lambda *_: None
    )
    of = {(row["scenario"], row["method"]): row["utility_mean"] for row in rows}
    assert len(of) == 2 * 2 * 3
    for value in sweep.values:
        cheap, dear = (f"Size: {line}, num_subchannels = {value}" for line in sweep.lines)
        assert of[cheap, "max-power"] == pytest.approx(of[cheap, "trained:mlp"], rel=0.05)
        assert of[dear, "trained:mlp"] > of[dear, "max-power"]
        assert of[dear, "trained:mlp"] == of[dear, "trained:mlp@all"]  # it has one stage
    assert sum("training mlp" in line for line in said) == 2 * 2 * 2


def test_a_run_that_was_broken_off_goes_on(published, tmp_path, monkeypatch):
    plan = replace(PLAN, scenarios={}, paper=(), sweeps=())
    monkeypatch.setattr(Published, "paper", lambda self, preset: plan)
    said: list[str] = []

    def run():
        monkeypatch.setattr(reproduce, "write_table", lambda *_, **__: None)  # no rows in this plan
        monkeypatch.setattr(reproduce, "write_report", lambda path, *_: path)
        reproduce.reproduce(
            Published(), tmp_path, preset="quick", seed=0, say=said.append, training_report=lambda *_: None
        )
        return (tmp_path / "runs" / "mlp" / "policy.msgpack").read_bytes()

    first = run()
    assert not any("finished already" in line for line in said)
    assert run() == first
    assert any("finished already" in line for line in said)


def test_a_study_over_seeds_and_learning_curves_of_a_recipe_without_labels(published, tmp_path, monkeypatch):
    axes = {"utility_mean": "Mean net rate (bit/s/Hz)", "ratio_to_best": "Ratio to best"}
    paper = {"mlp": {"ratio_to_best": 0.5}}
    study = Study(title="Table I", recipes=("mlp",), seeds=(4, 5), methods=("water-filling",), axes=axes, paper=paper)
    curves = Curves(
        title="Figure 5", recipes=("mlp",), metrics=("loss",), overrides={"num_subchannels": 2}, yscale="linear"
    )
    plan = replace(PLAN, train=(), scenarios={}, paper=(), sweeps=(), studies=(study,), curves=(curves,))
    monkeypatch.setattr(Published, "paper", lambda self, preset: plan)
    rows, page = reproduce.reproduce(
        Published(), tmp_path, preset="quick", seed=0, say=lambda line: None, training_report=lambda *_: None
    )
    assert [(row["method"], row["seeds"]) for row in rows] == [("water-filling", 1), ("mlp", 2)]
    weights = [tmp_path / "table-i" / "runs" / f"mlp-seed-{seed}" / "policy.msgpack" for seed in (4, 5)]
    assert weights[0].read_bytes() != weights[1].read_bytes()
    assert 0 < rows[1]["ratio_to_best_std"] < 0.1
    text = page.read_text()
    assert "mlp, ratio to best: paper 0.5, here" in text
    assert "Figure 5: loss over steps." in text
    assert (tmp_path / "figure-5" / "runs" / "mlp" / "policy.msgpack").exists()
