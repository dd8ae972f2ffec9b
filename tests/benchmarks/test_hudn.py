"""Rows of the ultra-dense network's benchmark, and its search for what is left, at tiny sizes."""

import functools
import json

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import hudn, hudn_bounds
from benchmarks.hudn import Compared, hudn_rows
from benchmarks.numpy_hudn import Found, maramp
from wirelax.systems import get

TINY = {"num_ues": 6, "num_bss": 4, "num_macro": 1, "num_buildings": 3}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """The system in small, without policies."""
    for module in (hudn, hudn_bounds):
        monkeypatch.setattr(module, "get", functools.partial(get, **TINY))
    monkeypatch.setattr(hudn, "POLICIES", ())


def test_rows_compare_both_and_say_where_they_differ(monkeypatch):
    """With a method that transmits half of the power, in place of ours."""

    def half(problem):
        return problem.metrics(problem.allocation(jnp.argmax(problem.snr, -1), jnp.full(4, 0.5)))

    monkeypatch.setattr(hudn, "METHODS", {"maramp": Compared(half, maramp, assignment=True)})
    own, loop, assignment = hudn_rows(events=5, numpy_events=3, repeats=1)
    assert (own["count"], loop["count"], own["compared_events"]) == (5, 3, 3)
    assert [row["unit"] for row in (own, loop, assignment)] == ["event"] * 3
    assert 0 < own["largest_difference_to_numpy_loop"] < 1
    assert own["mean_sum_rate"] > 0
    assert own["ratio_to_numpy_loop"] == loop["times_as_long"] > 0
    assert own["ratio_to_scipys_assignment"] == assignment["times_as_long"] > 0
    assert own["compile_seconds"] > 0


@pytest.mark.slow
def test_rows_of_all_methods_agree_with_numpy():
    rows = hudn_rows(events=16, numpy_events=16, repeats=1)
    assert len(rows) == 2 * len(hudn.METHODS) + 1
    for row in rows:
        if "ratio_to_numpy_loop" in row:
            means = {each["mean_sum_rate"] for each in rows if each["name"].startswith(row["name"].split(",")[0])}
            assert max(means) / min(means) < 1.02, row["name"]


@pytest.mark.slow
def test_policies_and_their_steps_are_timed(monkeypatch):
    monkeypatch.setattr(hudn, "POLICIES", ("unfolded",))
    monkeypatch.setattr(hudn, "METHODS", {})
    monkeypatch.setattr(hudn, "_step_row", lambda system, recipe, policy, repeats: {"name": recipe.name})
    forward, step = hudn_rows(events=3, numpy_events=1, repeats=1, training=True)
    assert forward["parameters"] > 1000
    assert step == {"name": "unfolded"}


@pytest.mark.slow
def test_search_for_what_is_left_goes_on_where_the_file_ends(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(hudn_bounds, "BLOCK", 2)
    out = tmp_path / "bounds.json"
    arguments = ["--out", str(out), "--events", "2", "--scenarios", "city", "--starts"]
    hudn_bounds.main([*arguments, "2"])
    first = json.loads(out.read_text())["events"]
    assert len(capsys.readouterr().out.splitlines()) == 2
    hudn_bounds.main([*arguments, "4"])
    assert len(capsys.readouterr().out.splitlines()) == 2
    for name, row in json.loads(out.read_text())["events"].items():
        assert row["starts"] == 4
        assert first[name]["best"] <= row["best"] <= row["bound"] * (1 + 1e-6)
        assert row["juapcmwser"] <= row["best"] * (1 + 1e-5)
        assert row["bound_at_full_power"] <= row["bound"]


def test_a_found_allocation_has_the_sum_rate_of_its_evaluation():
    event = hudn.Event(np.full((2, 2), 3.0))
    found = Found(np.array([0, 1]), np.ones(2))
    assert hudn._sum_rate(event, found) == pytest.approx(2 * np.log2(1 + 3 / 4))
