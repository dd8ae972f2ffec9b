"""Notebooks run from top to bottom, and stay as short as they say."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from wirelax.systems import registry

ROOT = Path(__file__).parents[1]
SMALLER = {
    "smoothing": {"TRIALS, STEPS = 20, 1500": "TRIALS, STEPS = 8, 800"},
    "your_own_system": {'PRESET, COUNT = "quick", 1000': 'PRESET, COUNT = "smoke", 16'},
    "train_your_own_policy": {
        'PRESET, COUNT, RUN, METHODS = "quick", 1000, "runs/my-policy", ("interior-point", "dnn+rate", "max-power")': (
            'PRESET, COUNT, RUN, METHODS = "smoke", 16, "runs/my-policy", ("max-power",)'
        )
    },
}
"""Settings of notebooks and what they are in tests."""


def cells(name):
    found = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]
    for long, short in SMALLER[name].items():
        assert sum(long in cell for cell in code) == 1
        code = [cell.replace(long, short) for cell in code]
    return code


def run(name, folder, monkeypatch):
    """What is defined after all cells of a notebook."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    monkeypatch.setattr(registry, "_added", {})
    monkeypatch.chdir(folder)
    defined = {"__name__": "__main__"}
    for index, cell in enumerate(cells(name)):
        exec(compile(cell, f"{name}, code cell {index}", "exec"), defined)
    return defined


def test_your_own_system_is_the_toy_system():
    code = "\n".join(cells("your_own_system")).splitlines()
    toy = (ROOT / "tests" / "toy_system.py").read_text().splitlines()[1:]
    assert [line for line in toy if line.strip() and line not in code] == []


@pytest.mark.slow
def test_your_own_system(tmp_path, monkeypatch, capsys):
    defined = run("your_own_system", tmp_path, monkeypatch)
    rows = {row["method"]: row for row in defined["comparison"].rows}
    assert rows["water-filling"]["ratio_to_best"] == 1.0
    assert rows["max-power"]["utility_mean"] < rows["mlp"]["utility_mean"]
    assert rows["mlp"]["ratio_to_best"] > 0.97
    assert defined["comparison"].page.exists()
    printed = capsys.readouterr().out
    lines = {line.split(":")[0]: line.split()[-1] for line in printed.splitlines() if ": " in line}
    derivative, spent = float(lines["derivative by the price"]), float(lines["minus the power spent"])
    np.testing.assert_allclose(derivative, spent, rtol=1e-4)
    folder = Path(defined["folder"])
    compared = json.loads((folder / "compare" / "table.json").read_text())
    assert [row["method"] for row in compared] == ["water-filling", "max-power", f"policy:{folder}/run"]


@pytest.mark.slow
def test_smoothing(tmp_path, monkeypatch):
    drawn = []
    display = types.ModuleType("IPython.display")
    vars(display)["Image"] = lambda data, width: drawn.append(data)
    # Matplotlib asks for the version, and leaves one as new as this alone.
    parent = types.ModuleType("IPython")
    vars(parent)["version_info"] = (9, 0)
    monkeypatch.setitem(sys.modules, "IPython", parent)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    defined = run("smoothing", tmp_path, monkeypatch)
    assert [data[1:4] for data in drawn] == 6 * [b"PNG"]
    by_name = defined["right"]
    assert by_name["count, gradient to 10"][0] >= 4
    assert by_name["count, gradient to 10"][1] >= 6
    assert by_name["lasso"][0] <= 2
    largest = {variant: float(np.max(norms)) for variant, (_, norms) in defined["near"].items()}
    assert largest["published"] > 1e4
    assert largest["capped"] < 1000
    np.testing.assert_allclose(largest["safe"], 0.01, rtol=1e-3)


@pytest.mark.slow
def test_train_your_own_policy(tmp_path, monkeypatch, capsys):
    defined = run("train_your_own_policy", tmp_path, monkeypatch)
    rows = {row["method"]: row for row in defined["compared"].rows}
    assert rows["mine"]["violation_fraction"] == 0
    assert rows["mine"]["utility_mean"] > rows["max-power"]["utility_mean"]
    result = np.load(tmp_path / "runs" / "my-policy" / "result.npz")
    assert result["power_w"].shape == (100, 10, 14)  # other sizes than those of the training
    assert result["feasible"].all()


def test_a_policy_takes_less_than_sixty_lines():
    lines = [line for cell in cells("train_your_own_policy") for line in cell.splitlines() if line.strip()]
    assert len(lines) < 60


@pytest.mark.slow
def test_the_command_line_runs_a_policy_of_ones_own(tmp_path):
    code = cells("train_your_own_policy")
    last = next(index for index, cell in enumerate(code) if "add_recipe" in cell)
    (tmp_path / "my_policy.py").write_text("\n\n".join(code[: last + 1]))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def wirelax(*arguments):
        command = [sys.executable, "-m", "wirelax", "--plugin", "my_policy", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    trained = wirelax("train", "noma", "--policy", "mine", "--preset", "smoke", "--out", "run")
    assert trained.returncode == 0, trained.stderr
    solved = wirelax("solve", "noma", "--method", "policy:run", "--count", "3", "--out", "result.npz")
    assert solved.returncode == 0, solved.stderr
    assert np.load(tmp_path / "result.npz")["feasible"].all()
    assert (
        "add_recipe"
        in subprocess.run(
            [
                sys.executable,
                "-m",
                "wirelax",
                "solve",
                "noma",
                "--method",
                "policy:run",
                "--count",
                "3",
                "--out",
                "no.npz",
            ],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        ).stderr
    )
