"""README's measured parts from result files, in a folder of the test's own."""

import json

import pytest

from benchmarks import readme

MACHINE = {"cpu": "A CPU", "cores": 2, "jax": "0.10.1", "precision": "float32"}


def text(*markers):
    return "# Title\n\n" + "".join(f"<!-- {name} -->\nold\n<!-- /{name} -->\n\nkept\n" for name in markers)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "README.md").write_text(text("speed-quality", "synthetic", "bench"))
    return tmp_path


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    row = {"method": "dnn", "count": 2000, "utility_mean": 5.1e6, "ratio_to_best": 0.99, "within_8_percent": 97.5}
    row |= {"error_median": 0.004, "violation_fraction": 0.0, "seconds_per_channel": 2e-6}
    (folder / "table.json").write_text(json.dumps([row]))
    for name in ("speed_quality.png", "utility_cdf.png", "error_cdf.png"):
        (folder / name).write_bytes(name.encode())
    return folder


def test_comparison_fills_its_parts_and_copies_its_figures(root, run, monkeypatch):
    monkeypatch.setattr(readme, "machine_summary", lambda: MACHINE)
    readme.main(["--synthetic", str(run)], root)
    filled = (root / "README.md").read_text()
    assert "2,000 channels on A CPU, 2 cores, jax 0.10.1, float32:\n\n| method" in filled
    assert "5.1 Mbit/J" in filled
    assert "](docs/figures/speed_quality.png)" in filled
    assert filled.count("kept") == 3
    assert filled.count("old") == 1  # of the part that was not asked for
    assert (root / "docs" / "figures" / "speed_quality.png").read_bytes() == b"speed_quality.png"
    readme.main(["--synthetic", str(run)], root)
    assert (root / "README.md").read_text() == filled


def test_a_part_without_a_place_is_named(root, run, monkeypatch):
    monkeypatch.setattr(readme, "machine_summary", lambda: MACHINE)
    (root / "README.md").write_text(text("synthetic"))
    with pytest.raises(ValueError, match="no markers <!-- speed-quality -->"):
        readme.main(["--synthetic", str(run)], root)
    assert not (root / "docs").exists()


def measured(name, unit, seconds, **more):
    return {"name": name, "unit": unit, "count": 2, "seconds": 2 * seconds, "seconds_min": seconds, **more}


def test_speeds_name_the_machine_of_their_file(root, tmp_path):
    fast = {"ratio_to_plain": 310.0, "ratio_to_numpy_loop": 41_000.0, "same_argmax_as_plain": 1.0}
    fast |= {"compared_channels": 16, "seconds_per_channel": 1e-4, "times_as_long": 1.0}
    rows = [measured("tabulated", "channel", 2e-4, **fast), measured("bound", "operation", 1.0)]
    (tmp_path / "bench.json").write_text(json.dumps({"machine": MACHINE, "results": rows}))
    readme.main(["--bench", str(tmp_path / "bench.json")], root)
    filled = (root / "README.md").read_text()
    assert "A CPU, 2 cores, jax 0.10.1, float32:" in filled
    assert "310 times faster" in filled
    assert "41,000 times faster" in filled
    assert "labels 20,000 channels in 2 s" in filled
    assert "bound" not in filled


def test_a_study_is_shown_with_its_spreads(root, run, monkeypatch):
    monkeypatch.setattr(readme, "machine_summary", lambda: MACHINE)
    (root / "README.md").write_text(text("uplink-study"))
    title = "Table I and figure 6: what adaptive smoothing and the penalty are worth"
    row = {"method": "prop-learn", "scenario": title, "count": 2000, "seeds": 5, "occupied_mean": 6.5123}
    row |= {"occupied_mean_std": 0.0213, "violation_long": 0.004, "violation_long_std": 0.001}
    row |= {"violation_short": 0.0, "violation_fraction": None}
    others = [{**row, "method": "elsewhere", "scenario": "Figure 4"}, {**row, "method": "numerical", "seeds": 1}]
    (run / "table.json").write_text(json.dumps([row, *others]))
    (run / readme.UPLINK_FIGURE).write_bytes(b"points")
    readme.main(["--uplink-study", str(run)], root)
    filled = (root / "README.md").read_text()
    assert "2,000 channels, mean ± deviation over 5 seeds, A CPU, 2 cores" in filled
    assert "6.51 ± 0.021" in filled
    assert "0.004 ± 0.001" in filled
    assert "elsewhere" not in filled
    assert (root / "docs" / "figures" / "uplink_study.png").read_bytes() == b"points"
