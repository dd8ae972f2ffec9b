"""Structure of the benchmark result at tiny sizes; nothing here looks at a time."""

import json
import subprocess
import sys

import pytest

from benchmarks import Sizes, run, to_table
from wirelax.errors import InputError

slow = pytest.mark.slow

TINY = Sizes(
    levels=3,
    channels=3,
    plain_channels=2,
    numpy_channels=2,
    loop_candidates=64,
    solver_channels=2,
    noma_channels=2,
    scipy_channels=1,
    uplink_channels=3,
    uplink_numpy_channels=2,
    hudn_events=2,
    hudn_numpy_events=1,
    hudn_training=False,
    networks=40,
    loop_networks=10,
    bound_elements=64,
    repeats=1,
)


@pytest.fixture(scope="module")
def outcome():
    lines = []
    return run(True, lines.append, sizes=TINY), lines


@pytest.fixture(scope="module")
def rows(outcome):
    return {row["name"]: row for row in outcome[0]["results"]}


@slow
def test_result_is_json_with_machine_and_rows(outcome):
    result, _ = outcome
    again = json.loads(json.dumps(result, allow_nan=False))
    assert again == result
    assert {"machine", "quick", "load_average", "results"} == result.keys()
    assert result["quick"] is True
    assert result["machine"]["precision"] == "float32"


def test_an_unknown_part_is_named():
    with pytest.raises(InputError, match="unknown part 'searches' of the benchmark; choose from search, solvers"):
        run(only=["searches"])


@slow
def test_one_part_alone():
    result = run(sizes=TINY, only=["kernels"])
    assert any("link_sinr" in row["name"] for row in result["results"])
    assert "link_sinr and rate, NumPy loop" in to_table(result["results"])
    assert not any("search" in row["name"] for row in result["results"])


@slow
def test_names_are_unique_and_times_positive(outcome):
    results = outcome[0]["results"]
    assert len({row["name"] for row in results}) == len(results)
    for row in results:
        assert row["notes"]
        if row["seconds"] is None:
            assert row["notes"] == "not installed"
        else:
            assert 0 < row["seconds_min"] <= row["seconds"]
            assert row["repeats"] >= 1


@slow
def test_progress_names_every_part(outcome):
    parts = ("machine bounds", "exhaustive", "continuous", "interior point", "uplink QoS", "ultra-dense", "kernels")
    assert [line.startswith(part) for line, part in zip(outcome[1], parts, strict=True)] == [True] * len(parts)


@slow
def test_searches_agree_and_are_compared(rows):
    fast = rows["exhaustive search, tabulated"]
    assert fast["same_argmax_as_plain"] == 1
    assert fast["same_argmax_as_numpy"] == 1
    assert rows["exhaustive search, NumPy loop"]["same_argmax_as_numpy"] == 1
    assert rows["exhaustive search, NumPy vectorised"]["same_argmax_as_plain"] == 1
    assert fast["largest_utility_difference"] < 1e-5
    for name in ("numpy_loop", "numpy_vectorised", "plain"):
        assert fast[f"ratio_to_{name}"] > 0


@slow
def test_scaled_times_say_so(rows):
    loop = rows["exhaustive search, NumPy loop"]
    assert loop["extrapolated_from"] == 64
    assert loop["candidates_per_channel"] == 8 * 6**3
    assert loop["count"] == 1
    assert rows["link_sinr and rate, NumPy loop"]["extrapolated_from"] == 10
    assert "extrapolated_from" not in rows["exhaustive search, tabulated"]


@slow
@pytest.mark.parametrize(
    "name", ["exhaustive search, plain (vmap)", "exhaustive search, tabulated", "link_sinr and rate, wirelax"]
)
def test_compiled_rows_stand_against_a_bound(rows, name):
    assert rows[name]["fraction_of_bound"] > 0
    assert rows[name]["compile_seconds"] > 0


@slow
def test_labels_are_scaled_from_one_channel(rows):
    fast = rows["exhaustive search, tabulated"]
    assert fast["seconds_20000_labels"] == pytest.approx(20_000 * fast["seconds_per_channel"])
    assert fast["channels_per_second"] == pytest.approx(1 / fast["seconds_per_channel"])


@slow
def test_polish_is_no_worse_than_the_solver_alone(rows):
    polish, alone = rows["exhaustive search and polish"], rows["dinkelbach, multi-start"]
    assert polish["mean_energy_efficiency"] >= alone["mean_energy_efficiency"] * (1 - 1e-6)


def test_needs_no_matplotlib():
    code = "import sys; sys.modules['matplotlib'] = None; import benchmarks; assert benchmarks.run"
    subprocess.run([sys.executable, "-c", code], check=True)
