"""``wirelax bench`` finds the benchmarks, writes what they measured and prints it as a table."""

import json
import sys

import pytest

from wirelax.cli import main
from wirelax.commands import measuring
from wirelax.errors import InputError


@pytest.fixture
def elsewhere():
    """As if nothing had been loaded yet, and nothing afterwards."""
    loaded = lambda: [name for name in sys.modules if name.split(".")[0] == measuring.NAME]  # noqa: E731
    before = {name: sys.modules.pop(name) for name in loaded()}
    yield
    for name in loaded():
        del sys.modules[name]
    sys.modules.update(before)


def package(folder, text):
    folder.mkdir()
    (folder / "__init__.py").write_text(text)


def test_a_checkout_brings_its_own(elsewhere, tmp_path):
    (tmp_path / "pyproject.toml").touch()
    package(tmp_path / "benchmarks", "from .part import PARTS\n")
    (tmp_path / "benchmarks" / "part.py").write_text("PARTS = ('one',)\n")
    assert measuring.load_benchmarks(tmp_path).PARTS == ("one",)


def test_a_wheel_has_them_under_a_name_of_its_own(elsewhere, tmp_path, monkeypatch):
    package(tmp_path / "benchmarks", "raise RuntimeError('of somebody else')\n")
    package(tmp_path / measuring.NAME, "PARTS = ('two',)\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert measuring.load_benchmarks(tmp_path).PARTS == ("two",)


def test_where_there_are_none_that_is_said(elsewhere, tmp_path):
    with pytest.raises(InputError, match="has no benchmarks; install"):
        measuring.load_benchmarks(tmp_path)


def test_unknown_part_is_bad_input(tmp_path, capsys):
    assert main(["bench", "--only", "searches", "--out", str(tmp_path / "bench.json")]) == 2
    assert "unknown part 'searches' of the benchmark; choose from search, solvers" in capsys.readouterr().err
    assert not (tmp_path / "bench.json").exists()


def test_result_is_written_and_printed(tmp_path, capsys, monkeypatch):
    row = {"name": "a search", "unit": "channel", "count": 4, "seconds": 0.08, "seconds_min": 0.04, "repeats": 3}
    asked = {}
    benchmarks = measuring.load_benchmarks()
    monkeypatch.setattr(benchmarks, "run", lambda **how: asked.update(how) or {"results": [row]})
    out = tmp_path / "bench.json"
    assert main(["bench", "--quick", "--only", "search, kernels", "--out", str(out)]) == 0
    assert asked["quick"]
    assert asked["only"] == ["search", "kernels"]
    assert json.loads(out.read_text()) == {"results": [row]}
    assert "| a search | channel |" in capsys.readouterr().out
    assert main(["bench", "--out", str(out)]) == 2  # nothing is written over
