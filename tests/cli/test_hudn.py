"""The ultra-dense network from the command line: gains in dB, UEs out of reach, the map, a file of another size."""

import json

import numpy as np
import pytest

from wirelax import systems
from wirelax.io import read_arrays, write_arrays
from wirelax.systems import sample_channels

SMALL = {"num_ues": 12, "num_bss": 7, "num_macro": 2, "side_m": 100.0, "points_per_side": 20, "num_buildings": 4}


@pytest.fixture(scope="module")
def channels():
    return sample_channels(systems.get("hudn", **SMALL), 6, seed=3)


def test_a_table_of_path_gains_in_db_through_files(channels, tmp_path, run):
    """The same network in linear gains and in dB, with links and UEs that are missing, from the command line."""
    gain = channels["gain"][:3].copy()
    gain[0, [2, 5]] = 0.0
    gain[1, :, 3] = 0.0
    with np.errstate(divide="ignore"):
        level = 10 * np.log10(gain.astype(float))
    write_arrays(tmp_path / "linear.npz", {"gain": gain})
    write_arrays(tmp_path / "level.mat", {"path_gain_db": level})
    found = {}
    for name in ("linear.npz", "level.mat"):
        out = tmp_path / f"{name}.out.npz"
        status, _, error = run(
            f"solve hudn --method juapcmwser --set num_macro=2 --channels {tmp_path / name} --out {out}"
        )
        assert status == 0, error
        assert "UEs are out of reach of every BS, in" in error
        found[name] = read_arrays(out, ["association", "power_w", "sum_rate", "feasible", "unreachable_ues"])
    np.testing.assert_array_equal(found["linear.npz"]["unreachable_ues"][:2], [2, 0])
    np.testing.assert_allclose(found["linear.npz"]["sum_rate"], found["level.mat"]["sum_rate"], rtol=1e-3)


def test_a_file_with_fewer_bss_than_macros_says_what_to_set(channels, tmp_path, refused):
    write_arrays(tmp_path / "a.npz", {"gain": channels["gain"][:, :, :4]})
    refused(f"solve hudn --method maramp --channels {tmp_path / 'a.npz'} --out {tmp_path / 'o.npz'}", "num_macro is 5")


def test_compare_shows_fairness_and_the_map(tmp_path, run):
    sizes = " ".join(f"--set {name}={value}" for name, value in SMALL.items())
    status, _, error = run(
        f"compare hudn --methods maramp,maramp+polish --count 3 --seed 1 {sizes} --out {tmp_path / 'c'}"
    )
    assert status == 0, error
    rows = json.loads((tmp_path / "c" / "table.json").read_text())
    assert [row["method"] for row in rows] == ["maramp", "maramp+polish"]
    for row in rows:
        assert {"rate_p5", "jain_index", "sum_rate_mean", "starved_fraction", "serving_bss"} <= set(row)
    assert (tmp_path / "c" / "map.png").exists()
    assert (tmp_path / "c" / "rate_cdf.png").exists()
