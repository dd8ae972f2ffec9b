"""``compare`` and ``sweep``: tables, figures, one page, arrays; failing methods are told apart from hard channels."""

import csv
import json
import re
import sys

import numpy as np
import pytest

from wirelax.io import read_arrays

CONTRACT_COLUMNS = "method count utility_mean utility_median ratio_to_best violation_fraction seconds_per_channel"


def figures_of(page):
    return page.count("data:image/png;base64")


@pytest.mark.parametrize("folder", ["out", "running time/timed"])
def test_compare_writes_table_figures_and_one_page(link, channels, in_folder, capsys, monkeypatch, folder):
    from wirelax.cli import main

    command = ["compare", "link", "--methods", "max-power,water-filling", "--channels", channels, "--seed", "7"]
    command += ["--out", folder]
    monkeypatch.setattr(sys, "argv", ["wirelax", *command])
    assert main(command) == 0
    out, error = capsys.readouterr()
    place = in_folder / folder
    rows = json.loads((place / "table.json").read_text())
    assert [row["method"] for row in rows] == ["max-power", "water-filling"]
    assert set(CONTRACT_COLUMNS.split()) <= set(rows[0])
    assert rows[0]["ratio_to_best"] < rows[1]["ratio_to_best"] == 1.0
    assert [row["count"] for row in rows] == [5, 5]
    assert (place / "table.md").read_text() in out
    with (place / "table.csv").open() as file:
        assert [row["method"] for row in csv.DictReader(file)] == ["max-power", "water-filling"]
    page = (place / "report.html").read_text()
    pictures = list(place.glob("*.png"))
    assert len(pictures) >= 3
    assert figures_of(page) == len(pictures)
    assert not re.search(r"(src|href)=[\"']?https?:", page)
    for words in ("wirelax compare link", "--seed 7", channels, "gain [batch=5, subchannel=2]"):
        assert words in page, words
    assert f"report: {folder}/report.html" in error
    assert "5 channels (channels.npz: gain [batch=5, subchannel=2] (axes as stored))" in error


def test_a_method_that_breaks_a_constraint_never_scores_above_1(link, channels, in_folder, run):
    status, _, error = run(f"compare link --methods greedy,water-filling --channels {channels} --out out")
    rows = {row["method"]: row for row in json.loads((in_folder / "out" / "table.json").read_text())}
    assert status == 0  # every channel was solved feasibly by some method
    assert "greedy: 5 of 5 results break a constraint, max_power 5 (first: index 0)" in error
    assert "no feasible" not in error
    assert rows["greedy"]["violation_fraction"] == 1.0
    assert rows["greedy"]["ratio_to_best"] is None
    assert rows["water-filling"]["ratio_to_best"] == 1.0
    status, _, error = run(f"compare link --methods greedy,moody --channels {channels} --out out2")
    assert status == 3
    assert "wirelax: 2 of 5 instances were solved feasibly by no method" in error
    assert "moody: 1 of 5 results ended with status STALLED" in error


def test_compare_overwrites_only_if_asked(link, in_folder, run, refused):
    command = "compare link --methods max-power --count 4 --out out"
    assert run(command)[0] == 0
    before = (in_folder / "out" / "table.json").read_text()
    refused(command, "out/table.json exists", "--overwrite")
    assert (in_folder / "out" / "table.json").read_text() == before
    assert run(command.replace("--count 4", "--count 3") + " --overwrite")[0] == 0
    assert json.loads((in_folder / "out" / "table.json").read_text())[0]["count"] == 3
    (in_folder / "file").write_text("precious")
    refused("compare link --methods max-power --count 4 --out file", "file is a file")


@pytest.mark.parametrize(
    "command", ["compare link --methods max-power", "sweep link --methods max-power --set noise_w=1,2"]
)
def test_a_failure_leaves_no_empty_folder(link, in_folder, run, refused, monkeypatch, command):
    refused(f"{command} --channels nowhere.npz --out out", "nowhere.npz")
    monkeypatch.setattr(
        "wirelax.systems.solve_batch", lambda *args, **options: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    assert run(f"{command} --count 3 --out out")[0] == 130
    assert list(in_folder.iterdir()) == []
    (in_folder / "mine").mkdir()
    assert run(f"{command} --count 3 --out mine")[0] == 130
    assert [item.name for item in in_folder.iterdir()] == ["mine"]


@pytest.mark.parametrize("missing", ["matplotlib", "jinja2"])
@pytest.mark.parametrize(
    "command",
    ["compare link --methods max-power --count 2", "sweep link --methods max-power --count 2 --set noise_w=1,2"],
)
def test_a_missing_extra_is_said_before_the_work(link, in_folder, refused, monkeypatch, command, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr("wirelax.systems.solve_batch", lambda *args, **options: pytest.fail("work was done"))
    refused(f"{command} --out out", f"needs {missing}", "pip install 'wirelax[report]'")
    assert list(in_folder.iterdir()) == []


def test_sweep_of_a_number(link, in_folder, run, refused):
    command = "sweep link --methods max-power,water-filling --count 6 --set price_per_w=5,20,80 --set noise_w=2e-13"
    status, out, error = run(f"{command} --out out")
    assert status == 0
    rows = json.loads((in_folder / "out" / "table.json").read_text())
    assert [(row["method"], row["price_per_w"]) for row in rows] == [
        (method, price) for price in (5.0, 20.0, 80.0) for method in ("max-power", "water-filling")
    ]
    names = {item.name for item in (in_folder / "out").iterdir()}
    assert {"table.json", "table.md", "table.csv", "report.html", "sweep_utility.png", "sweep_utility.pdf"} <= names
    assert (in_folder / "out" / "table.md").read_text() in out
    assert "random, seed 0; report: out/report.html" in error
    best = [row["utility_mean"] for row in rows if row["method"] == "water-filling"]
    assert best == sorted(best, reverse=True)
    refused(f"{command} --out out", "exists", "--overwrite")


@pytest.mark.parametrize("form", [".npz", ".h5", ".mat"])
def test_sweep_into_a_file_holds_what_solve_gives(link, in_folder, run, form):
    status, out, error = run(
        f"sweep link --methods water-filling,greedy --count 3 --set num_subchannels=2,4 --out out{form}"
    )
    assert (status, out) == (0, "")  # one method solves every channel
    found = read_arrays(f"out{form}", ["value", "utility", "feasible", "seconds_per_channel"])
    assert list(found["value"].ravel()) == [2, 4]
    assert found["utility"].shape == (2, 2, 3)
    np.testing.assert_array_equal(found["feasible"].astype(bool), [[[True] * 3] * 2, [[False] * 3] * 2])
    assert found["seconds_per_channel"].shape == (2, 2)
    for words in ("[method, value, channel]", "methods: water-filling, greedy", "value holds num_subchannels = 2, 4"):
        assert words in error
    assert run("solve link --method water-filling --count 3 --set num_subchannels=4 --out one.npz")[0] == 0
    np.testing.assert_array_equal(found["utility"][0, 1], np.load("one.npz")["net_rate"])


def test_sweep_over_a_field_of_text(in_folder, run):
    status, _, error = run("sweep hetnet-ee --methods max-power --count 3 --set level_spacing=db,linear --out out.npz")
    assert status in (0, 3)
    assert list(np.load("out.npz")["value"]) == [0, 1]
    assert "value counts level_spacing = db, linear from 0" in error


def test_sizes_of_a_file_are_not_swept(link, channels, run, refused):
    refused(
        f"sweep link --methods max-power --channels {channels} --set num_subchannels=2,3 --out out",
        "num_subchannels is a size",
        channels,
        "--count N",
    )
    assert run(f"sweep link --methods max-power --channels {channels} --set price_per_w=2,3 --out out.npz")[0] == 0
    assert np.load("out.npz")["utility"].shape == (1, 2, 5)
    refused(f"sweep hetnet-ee --methods max-power --channels {channels} --set num_micro=1,2 --out out", "num_micro is")


def test_an_error_names_the_method_that_was_asked_for(in_folder, refused):
    sizes = "--set num_micro=6 --set users_per_bs=4 --set num_subchannels=4"
    error = refused(f"compare hetnet-ee --methods exhaustive --count 2 {sizes} --out out", "'exhaustive'", "enumerate")
    assert "Traceback" not in error
    refused(
        "compare noma --methods max-power,dnn --count 2 --set num_users=12 --out out", "method 'dnn'", "num_users=12"
    )
    assert list(in_folder.iterdir()) == []
