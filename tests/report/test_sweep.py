"""Sweeps as values first; the pictures draw what the rows say."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest

from wirelax.report import sweep

from .results import SYSTEM, result


def table(values=(1.0, 10.0, 100.0), **options):
    rows = []
    for number, value in enumerate(values):
        results = {
            "optimum": result(4.0 + number, 2.0),
            "network": result(3.0 + number, 9.0, feasible=[True, number == 0]),
        }
        rows += sweep.sweep_rows(SYSTEM, "max_power_dbm", value, results, **options)
    return rows


def test_rows():
    rows = table()
    assert [(row["method"], row["max_power_dbm"]) for row in rows[:3]] == [
        ("optimum", 1),
        ("network", 1),
        ("optimum", 10),
    ]
    network = rows[3]
    assert list(network)[:3] == ["method", "max_power_dbm", "count"]
    assert network["utility_mean"] == 6.5
    assert network["utility_mean_infeasible_as_zero"] == 2.0
    assert network["feasible_fraction"] == network["violated_max_power"] == 0.5
    assert network["ratio_to_best"] == pytest.approx(4 / 5)
    assert "line" not in network


def test_series_by_method_and_line():
    rows = [*table((1.0, 2.0), line="cheap"), *table((1.0, 2.0), line="dear")]
    series = sweep.sweep_series("max_power_dbm", rows, "ratio_to_best")
    assert list(series) == ["optimum, cheap", "network, cheap", "optimum, dear", "network, dear"]
    values, numbers = sweep.sweep_series("max_power_dbm", [{**rows[0], "ratio_to_best": None}], "ratio_to_best")[
        "optimum, cheap"
    ]
    assert values == [1.0]
    assert np.isnan(numbers).all()


def test_figures_draw_what_the_rows_say(monkeypatch, tmp_path):
    drawn = {}

    def lines(series, xlabel, ylabel, **options):
        drawn[ylabel] = (series, xlabel, options)
        return SimpleNamespace(axes=[SimpleNamespace(set_xticks=lambda *ticks: drawn.update(ticks=ticks))])

    monkeypatch.setattr(sweep.figures, "lines", lines)
    monkeypatch.setattr(sweep, "figure_item", lambda figure, caption, stem, pdf: (caption, stem))
    items = sweep.sweep_figures(SYSTEM, "max_power_dbm", table(), tmp_path, unit="dBm", title="Power")
    assert list(items) == ["utility", "feasible"]
    assert items["utility"][1] == tmp_path / "sweep_utility"
    assert items["utility"][0].startswith("Power: Mean sum rate")
    series, xlabel, options = drawn["Mean sum rate (bit/s/Hz)"]
    assert xlabel == "max power (dBm)"
    assert options["xscale"] == "log"
    np.testing.assert_array_equal(series["network"], [[1, 10, 100], [6, 2, 2.5]])
    np.testing.assert_array_equal(drawn["Fraction of channels feasible"][0]["network"][1], [1.0, 0.5, 0.5])
    drawn.clear()
    sweep.sweep_figures(SYSTEM, "max_power_dbm", table(("sum-rate", "fair")), tmp_path)
    np.testing.assert_array_equal(drawn["Mean sum rate (bit/s/Hz)"][0]["optimum"][0], [0, 1])
    assert drawn["ticks"] == (range(2), ["sum-rate", "fair"])


def test_files_and_page(tmp_path):
    page = sweep.write_sweep(
        SYSTEM, "max_power_dbm", table((-1.0, 2.0)), tmp_path / "out", unit="dBm", command="wirelax sweep toy", seed=3
    )
    figures = {f"sweep_{key}.{end}" for key in ("utility", "feasible") for end in ("png", "pdf")}
    assert {path.name for path in page.parent.iterdir()} == figures | {
        *("table.json", "table.md", "table.csv", "report.html")
    }
    rows = json.loads((page.parent / "table.json").read_text())
    with (page.parent / "table.csv").open() as file:
        found = list(csv.DictReader(file))
    assert [float(row["max_power_dbm"]) for row in found] == [row["max_power_dbm"] for row in rows] == [-1, -1, 2, 2]
    assert "max power (dBm)" in (page.parent / "table.md").read_text()
    text = page.read_text()
    for part in ("wirelax sweep toy", "max power (dBm): 2 values", "maximise the sum rate", "Ratio to best: feasible"):
        assert part in text
    assert text.count("data:image/png") == 2


def test_long_numbers_get_a_prefix():
    assert sweep._axis_unit([2e6, 1e7], "bit/s") == (1e6, "Mbit/s")
    assert sweep._axis_unit([2e6, 1e7], "W") == (1.0, "W")
    assert sweep._axis_unit(["a", "b"], "Hz") == (1.0, "Hz")
    assert sweep._axis_label("rate_long_bps", "bit/s", "Mbit/s") == "rate long (Mbit/s)"
    assert sweep._axis_label("noise_dbm", "dBm") == "noise (dBm)"
