"""The command line through real files: results, exit statuses, one clear line for every bad input."""

import json

import numpy as np
import pytest

from wirelax.channels import write_arrays
from wirelax.cli import main


@pytest.fixture(scope="module")
def channels(tmp_path_factory):
    path = tmp_path_factory.mktemp("channels") / "channels.npz"
    assert main(["sample", "hetnet-ee", "--count", "6", "--seed", "3", "--out", str(path)]) == 0
    return path


def reference_energy_efficiency(gain, assignment, power_w):
    """Equation (6) in float64 loops, at the default constants."""
    noise_w, bandwidth_hz = 10 ** ((-128.1 - 30) / 10), 1e6
    num_bs, num_subchannels = assignment.shape
    rate = 0.0
    for n in range(num_bs):
        for k in range(num_subchannels):
            user = assignment[n, k]
            heard = sum(float(gain[k, user, m]) * float(power_w[m, k]) for m in range(num_bs) if m != n)
            rate += bandwidth_hz * np.log2(1 + float(gain[k, user, n]) * float(power_w[n, k]) / (heard + noise_w))
    return rate / (float(np.sum(power_w, dtype=np.float64)) / 0.3 + 10 + (num_bs - 1))


def check_allocation(gain, result):
    batch, _, users, num_bs = gain.shape
    budget = np.array([12.0] + [1.2] * (num_bs - 1))
    assert (result["power_w"] >= 0).all()
    assert (result["power_w"].sum(2) <= budget * (1 + 1e-5)).all()
    for b in range(batch):
        assert set(result["assignment"][b].ravel()) == set(range(users))
        assert (result["assignment"][b] // (users // num_bs) == np.arange(num_bs)[:, None]).all()
        expected = reference_energy_efficiency(gain[b], result["assignment"][b], result["power_w"][b])
        np.testing.assert_allclose(result["energy_efficiency"][b], expected, rtol=1e-5)


def test_sample_is_reproducible_and_a_prefix(channels, tmp_path):
    again = tmp_path / "more.npz"
    assert main(["sample", "hetnet-ee", "--count", "9", "--seed", "3", "--out", str(again)]) == 0
    np.testing.assert_array_equal(np.load(again)["gain"][:6], np.load(channels)["gain"])


@pytest.mark.parametrize("method", ["exhaustive", "cnn", "equivariant+refine"])
def test_solve_writes_a_feasible_allocation(channels, tmp_path, method, capsys):
    out = tmp_path / "out.npz"
    assert main(["solve", "hetnet-ee", "--method", method, "--channels", str(channels), "--out", str(out)]) in (0, 3)
    result = np.load(out)
    assert set(result) == {"assignment", "power_w", "energy_efficiency", "spectral_efficiency", "feasible"}
    check_allocation(np.load(channels)["gain"].astype(np.float64), result)
    assert "written to" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("num_bs", "users", "num_subchannels"),
    [pytest.param(1, 1, 2, marks=pytest.mark.slow), (2, 2, 3), pytest.param(4, 1, 2, marks=pytest.mark.slow)],
)
def test_solve_takes_other_sizes(tmp_path, num_bs, users, num_subchannels):
    rng = np.random.default_rng(0)
    gain = 1e-9 * rng.exponential(size=(2, num_subchannels, num_bs * users, num_bs))
    file, out = tmp_path / "g.npz", tmp_path / "out.npz"
    write_arrays(file, {"gain": gain})
    arguments = ["solve", "hetnet-ee", "--method", "exhaustive", "--channels", str(file), "--out", str(out)]
    assert main([*arguments, "--set", "power_levels=4", "--set", "min_spectral_efficiency=0"]) == 0
    check_allocation(gain, np.load(out))


def test_one_instance_without_batch_axis_and_hdf5(channels, tmp_path):
    file, out = tmp_path / "one.h5", tmp_path / "out.h5"
    write_arrays(file, {"gain": np.load(channels)["gain"][0]})
    assert main(["solve", "hetnet-ee", "--method", "max-power", "--channels", str(file), "--out", str(out)]) in (0, 3)


def test_batch_size_does_not_change_results(channels, tmp_path):
    results = []
    for size in ("4", "6"):
        out = tmp_path / f"{size}.npz"
        arguments = ["solve", "hetnet-ee", "--method", "random-power", "--channels", str(channels), "--out", str(out)]
        assert main([*arguments, "--batch-size", size, "--seed", "5"]) in (0, 3)
        results.append(np.load(out))
    np.testing.assert_array_equal(results[0]["power_w"], results[1]["power_w"])


def test_infeasible_target_is_reported_per_instance(channels, tmp_path, capsys):
    out = tmp_path / "out.npz"
    arguments = ["solve", "hetnet-ee", "--method", "exhaustive", "--channels", str(channels), "--out", str(out)]
    assert main([*arguments, "--set", "min_spectral_efficiency=1000"]) == 3
    assert not np.load(out)["feasible"].any()
    assert "6 of 6 instances have no feasible solution (first: index 0)" in capsys.readouterr().err


def test_zero_channel_is_infeasible_not_an_error(channels, tmp_path):
    gain = np.load(channels)["gain"].copy()
    gain[2] = 0
    file, out = tmp_path / "zero.npz", tmp_path / "out.npz"
    write_arrays(file, {"gain": gain})
    assert main(["solve", "hetnet-ee", "--method", "exhaustive", "--channels", str(file), "--out", str(out)]) == 3
    result = np.load(out)
    assert list(result["feasible"]) == [True, True, False, True, True, True]
    assert np.isfinite(result["power_w"]).all()


def _bad_gain(kind, gain):
    gain = gain.copy()
    if kind == "nan":
        gain[1, 0, 3, 2] = np.nan
    elif kind == "negative":
        gain[0, 1, 0, 0] = -1e-12
    elif kind == "rank":
        gain = gain[0, 0]
    elif kind == "users":
        gain = gain[:, :, :5]
    return gain


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("nan", ["gain", "[1, 0, 3, 2]"]),
        ("negative", ["gain", "[0, 1, 0, 0]", "negative"]),
        ("rank", ["gain", "shape"]),
        ("users", ["5 users", "multiple"]),
    ],
)
def test_bad_gain(channels, tmp_path, capsys, kind, words):
    file, out = tmp_path / "bad.npz", tmp_path / "out.npz"
    np.savez(file, gain=_bad_gain(kind, np.load(channels)["gain"]))
    assert main(["solve", "hetnet-ee", "--method", "max-power", "--channels", str(file), "--out", str(out)]) == 2
    assert_one_line(capsys, ["bad.npz", *words])
    assert not out.exists()


def assert_one_line(capsys, words):
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    assert "Traceback" not in error
    for word in words:
        assert word in error, error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["solve", "hetnet-ee", "--method", "cnn", "--channels", "missing.npz"], ["missing.npz", "does not exist"]),
        (["solve", "hetnet-ee", "--method", "nope", "--count", "2"], ["'nope'", "valid methods", "exhaustive"]),
        (["solve", "nope", "--method", "cnn", "--count", "2"], ["'nope'", "hetnet-ee"]),
        (["solve", "hetnet-ee", "--method", "cnn"], ["--channels", "--count"]),
        (["solve", "hetnet-ee", "--method", "cnn", "--count", "0"], ["--count is 0"]),
        (["solve", "hetnet-ee", "--method", "cnn", "--count", "2", "--set", "noise=3"], ["'noise'", "noise_dbm"]),
        (["solve", "hetnet-ee", "--method", "cnn", "--count", "2", "--set", "amplifier_efficiency=2"], ["<= 1.0"]),
        (["solve", "hetnet-ee", "--method", "cnn", "--count", "2", "--set", "power_levels=x"], ["type int"]),
        (["solve", "hetnet-ee", "--method", "cnn", "--count", "2", "--set", "num_micro=3"], ["num_micro=2"]),
        (["solve", "hetnet-ee", "--method", "policy:nowhere", "--count", "2"], ["nowhere", "does not exist"]),
        (["sample", "hetnet-ee", "--count", "2", "--set", "oops"], ["'oops'", "="]),
        (["sample", "hetnet-ee"], ["--count"]),
    ],
)
def test_bad_usage(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--out", "out.npz"]) == 2
    assert_one_line(capsys, words)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(channels, tmp_path, capsys):
    out = tmp_path / "out.npz"
    out.write_bytes(b"precious")
    arguments = ["solve", "hetnet-ee", "--method", "max-power", "--channels", str(channels), "--out", str(out)]
    assert main(arguments) == 2
    assert_one_line(capsys, ["out.npz exists", "--overwrite"])
    assert out.read_bytes() == b"precious"
    assert main([*arguments, "--overwrite"]) in (0, 3)


def test_output_path_that_cannot_be_written(channels, tmp_path, capsys):
    out = tmp_path / "no" / "such" / "out.npz"
    assert main(["solve", "hetnet-ee", "--method", "max-power", "--channels", str(channels), "--out", str(out)]) == 2
    assert_one_line(capsys, ["does not exist"])
    assert main(["sample", "hetnet-ee", "--count", "1", "--out", str(tmp_path / "x.csv")]) == 2
    assert_one_line(capsys, [".csv"])


def test_systems_lists_the_contract(capsys):
    assert main(["systems", "--json"]) == 0
    found = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    methods = {method["name"] for method in found["hetnet-ee"]["methods"]}
    assert {"exhaustive", "exhaustive+polish", "max-power", "random-power", "dnn", "cnn"} <= methods
    assert main(["systems"]) == 0
    assert "hetnet-ee" in capsys.readouterr().out


def test_compare_writes_table_figures_and_page(channels, tmp_path, capsys):
    out = tmp_path / "compare"
    arguments = ["compare", "hetnet-ee", "--methods", "cnn,max-power", "--channels", str(channels), "--out", str(out)]
    assert main(arguments) in (0, 3)
    rows = json.loads((out / "table.json").read_text())
    assert [row["method"] for row in rows] == ["cnn", "max-power"]
    columns = "count utility_mean utility_median ratio_to_best violation_fraction seconds_per_channel within_8_percent"
    assert set(columns.split()) <= set(rows[0])
    assert (out / "table.md").exists()
    page = (out / "report.html").read_text()
    assert "http://" not in page
    assert "https://" not in page
    assert page.count("data:image/png;base64") == 3
    assert main(arguments) == 2  # the folder holds a result now


def test_munich_channels_are_sampled(tmp_path):
    out = tmp_path / "munich.npz"
    assert main(["sample", "hetnet-ee", "--set", "scenario=munich", "--count", "4", "--out", str(out)]) == 0
    gain = np.load(out)["gain"]
    assert gain.shape == (4, 2, 6, 3)
    assert (gain.max((1, 2, 3)) > 0).all()
