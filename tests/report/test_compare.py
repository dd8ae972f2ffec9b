"""What the figures of a comparison show, without drawing them; and one page drawn whole."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from wirelax.report import compare, html
from wirelax.types import Status

from .results import SYSTEM, result


@pytest.fixture
def drawn(monkeypatch):
    """Arguments of every figure, by its horizontal label or "speed"; nothing is drawn or written."""
    found = {}
    monkeypatch.setattr(
        compare.figures, "cdf", lambda series, label, **options: found.update({label: (series, options)})
    )
    monkeypatch.setattr(
        compare.figures, "bars", lambda values, label, **options: found.update({label: (values, options)})
    )
    monkeypatch.setattr(
        compare.figures, "speed_quality", lambda *values, **options: found.update({"speed": (values, options)})
    )
    monkeypatch.setattr(
        compare, "figure_item", lambda figure, caption, stem: html.FigureItem(Path(f"{stem}.png"), caption, caption)
    )
    return found


RATE, ERROR = "Sum rate (bit/s/Hz)", "Relative error of the sum rate"


def test_figures_come_by_key_whatever_the_folder_is_called(drawn, tmp_path):
    results = {"optimum": result(4.0, 2.0, seconds=8.0), "network": result(3.0, 2.0)}
    found = compare.comparison_figures(SYSTEM, results, tmp_path / "time", stem="one_")
    assert tuple(found) == compare.FIGURES
    assert [item.image for item in found.values()] == [tmp_path / "time" / f"one_{key}.png" for key in found]
    assert tuple(compare.comparison_figures(SYSTEM, results, tmp_path, only=("time",))) == ("time",)
    assert drawn["Time per channel"][0] == {"optimum": 4.0, "network": 0.5}


def test_errors_are_to_the_best_feasible_of_the_methods_shown_and_the_reference_is_among_them(drawn, tmp_path):
    results = {
        "joint": result(8.0, 8.0, 8.0),
        "optimum": result(4.0, 2.0, 1.0, feasible=[True, True, False]),
        "network": result(3.0, 9.0, 9.0, feasible=[True, False, False]),
    }
    found = compare.comparison_figures(SYSTEM, results, tmp_path, methods=("optimum", "network"))
    errors, options = drawn[ERROR]
    assert {name: list(error) for name, error in errors.items()} == {"optimum": [0.0, 0.0], "network": [0.25, np.inf]}
    assert options["order"] == ["joint", "optimum", "network"]
    assert options["xlim"] == (pytest.approx(0.1), 1.0)
    assert "at 1 from the left edge on: optimum." in found["error_cdf"].caption
    assert "ends below 1" in found["error_cdf"].caption
    assert list(drawn[RATE][0]["network"]) == [3.0, 9.0, 9.0]
    assert "network 67 %" in found["utility_cdf"].caption
    (_, ratio, missed), _ = drawn["speed"]
    assert (ratio, missed) == ({"optimum": 1.0, "network": 0.75}, {"optimum": 0.0, "network": pytest.approx(1 / 3)})


def test_the_error_axis_begins_where_the_errors_do(drawn, tmp_path):
    error = np.logspace(-3, -1.1, 1001)
    error[:300] = [*np.zeros(200), *np.full(100, 1e-8)]  # rounding of float32 is no error
    compare.comparison_figures(SYSTEM, {"a": result(*np.ones(1001)), "b": result(*(1 - error))}, tmp_path)
    low, high = drawn[ERROR][1]["xlim"]
    assert low == pytest.approx(np.quantile(error[300:], 0.02), rel=0.2)
    assert high == pytest.approx(0.1)
    drawn.clear()
    found = compare.comparison_figures(SYSTEM, {"a": result(1.0), "b": result(1.0)}, tmp_path)
    assert "error_cdf" not in found
    assert ERROR not in drawn


def test_at_most_six_curves_the_best_and_the_fastest_among_them(drawn, tmp_path):
    results = {f"m{i}": result(*np.full(3, 10.0 - i), seconds=1.0 + (i != 7)) for i in range(13)}
    results["m0"].feasible[:] = False  # what looks best is of no use
    found = compare.comparison_figures(SYSTEM, results, tmp_path)
    names = list(drawn[RATE][0])
    assert len(names) == 6
    assert {"m1", "m7"} <= set(names)
    assert names == list(drawn[ERROR][0]) == sorted(names, key=list(results).index)
    assert "Of 13 methods" in found["utility_cdf"].caption
    assert len(drawn["Time per channel"][0]) == len(drawn["speed"][0][0]) == 13


def test_more_than_six_named_methods_go_into_several_pictures(monkeypatch, drawn, tmp_path):
    pictures = []
    monkeypatch.setattr(compare.figures, "cdf", lambda series, label, **options: pictures.append((label, list(series))))
    results = {f"m{i}": result(1.0 + i, 2.0) for i in range(9)}
    found = compare.comparison_figures(SYSTEM, results, tmp_path, methods=list(results)[1:])
    assert [names for label, names in pictures if label == RATE] == [
        ["m1", "m2", "m3", "m4", "m5"],
        ["m1", "m6", "m7", "m8"],
    ]
    assert list(found) == ["speed_quality", "utility_cdf", "utility_cdf_2", "error_cdf", "error_cdf_2", "time"]


def test_nothing_feasible_is_no_error(drawn, tmp_path):
    results = {"a": result(2e3, 1e3, feasible=False), "b": result(1.0, 1.0, feasible=False)}
    assert list(compare.comparison_figures(SYSTEM, results, tmp_path)) == ["utility_cdf", "time"]
    assert list(drawn["Sum rate (kbit/s/Hz)"][0]["a"]) == [2.0, 1.0]


def test_results_that_are_no_numbers_are_left_out(drawn, tmp_path):
    results = {"a": result(2.0, 1.0), "b": result(np.nan, np.inf, feasible=False), "c": result(np.nan, 1.0)}
    results["c"].feasible[0] = False
    found = compare.comparison_figures(SYSTEM, results, tmp_path)
    assert list(drawn[RATE][0]) == ["a", "c"]
    assert drawn["speed"][0][1] == {"a": 1.0, "b": None, "c": 1.0}
    assert "No feasible result: b." in found["speed_quality"].caption
    assert "utility_cdf" not in compare.comparison_figures(SYSTEM, {"b": results["b"]}, tmp_path)


def test_a_page_with_its_tables_and_figures(tmp_path):
    results = {"optimum": result(4.0, 2.0, 3.0), "network": result(3.0, 2.0, 9.0, feasible=[True, True, False])}
    rows, page = compare.write_comparison(
        SYSTEM, results, tmp_path / "out", source="3 channels", seed=5, command="wirelax compare toy"
    )
    files = {path.name for path in page.parent.iterdir()}
    figures = {f"{key}.png" for key in compare.FIGURES}
    assert files == figures | {"table.json", "table.md", "table.csv", "report.html"}
    assert json.loads((page.parent / "table.json").read_text()) == rows
    text = page.read_text()
    for part in (
        "wirelax compare toy",
        "maximise the sum rate",
        "at most max_power_w",
        "time per channel",
        "3 channels",
    ):
        assert part in text
    assert text.count("data:image/png") == 4
    assert "seconds_per_channel" not in text
    assert "break max power" in text


def test_distributions_of_metrics_that_a_system_names(monkeypatch, tmp_path):
    drawn = {}
    monkeypatch.setattr(compare.figures, "cdf", lambda series, label, **_: drawn.update({label: series}))
    monkeypatch.setattr(compare, "figure_item", lambda figure, caption, path: caption)
    solved, refused = result(1.0, 2.0), result(3.0, 4.0, status=[Status.CONVERGED, Status.INFEASIBLE])
    solved.arrays["shortfall"], refused.arrays["shortfall"] = np.array([[1, 2], [3, 4]]), np.array([[5, 6], [7, 8]])
    system = SimpleNamespace(**{**vars(SYSTEM), "cdf_metrics": {"shortfall": "Shortfall of a rate"}})
    results = {"solver": solved, "network": refused}
    found = compare.comparison_figures(system, results, tmp_path, only=(compare.METRICS,))
    assert found == {"shortfall_cdf": "Empirical CDF: shortfall of a rate, over 2 channels."}
    assert {name: values.ravel().tolist() for name, values in drawn["Shortfall of a rate"].items()} == {
        "solver": [1, 2, 3, 4],
        "network": [5, 6],  # users of a channel that it calls infeasible do not count
    }
