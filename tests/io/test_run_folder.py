import json
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.io import Checkpoints, MissingExtraError, RunFolderError, claim_run
from wirelax.io.run_folder import RunFolder
from wirelax.policies import Policy, Standardiser

SETTINGS = {"system": "toy", "seed": 0, "config": {"sizes": (2, 3)}}


def claim(path, resume=False, **changes):
    with claim_run(path, {**SETTINGS, **changes}, resume) as folder:
        return folder


def fail(path, error, resume=False, do=lambda folder: None):
    with claim_run(path, SETTINGS, resume) as folder:
        do(folder)
        raise error


def test_a_run_is_continued_only_with_its_own_settings(tmp_path):
    path = tmp_path / "a" / "run"
    with pytest.raises(RunFolderError, match="holds no run to resume; start it without --resume"):
        claim(path, resume=True)
    assert not path.exists()
    assert claim(path).path == path
    with pytest.raises(RunFolderError, match="holds a run already; add --resume"):
        claim(path)
    with pytest.raises(RunFolderError, match="was started with seed=0, not 1; resume it with the same settings"):
        claim(path, resume=True, seed=1)
    with pytest.raises(RunFolderError, match=r"config=\{'sizes': \[2, 3\]\}, not"):
        claim(path, resume=True, config={"sizes": (2, 4)})
    assert claim(path, resume=True).path == path
    (path / "run.json").write_text("{")
    with pytest.raises(RunFolderError, match=r"run\.json is broken"):
        claim(path, resume=True)


def test_folders_of_others_are_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(RunFolderError, match="is not empty"):
        claim(tmp_path)
    with pytest.raises(RunFolderError, match="is a file"):
        claim(tmp_path / "thesis.tex")
    assert [item.name for item in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_run_that_fails_at_once_gives_its_folder_back(tmp_path):
    path = tmp_path / "run"
    with pytest.raises(AssertionError):
        fail(path, AssertionError())
    assert not path.exists()
    with pytest.raises(AssertionError):
        fail(path, AssertionError(), do=lambda folder: folder.labels.write_text("labels"))
    assert [item.name for item in path.iterdir()] == ["labels.h5"]  # hours of work that the next run can use
    claim(path)
    assert (path / "labels.h5").read_text() == "labels"


def test_a_run_that_was_stopped_or_has_a_checkpoint_keeps_its_folder(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path / "stopped", KeyboardInterrupt())
    claim(tmp_path / "stopped", resume=True)

    def train(folder):
        with folder.checkpoints("first") as checkpoints:
            checkpoints.save(10, {"x": jnp.ones(2)})
        folder.metrics("first").write(10, {"loss": 1.0})

    with pytest.raises(FloatingPointError):
        fail(tmp_path / "diverged", FloatingPointError(), do=train)
    folder = claim(tmp_path / "diverged", resume=True)
    with folder.checkpoints("first") as checkpoints:
        np.testing.assert_array_equal(checkpoints.restore({"x": jnp.zeros(2)})["x"], [1, 1])
    with pytest.raises(FloatingPointError):
        fail(tmp_path / "diverged", FloatingPointError(), resume=True)
    assert claim(tmp_path / "diverged", resume=True).worth_keeping()


def test_weights_of_a_run(tmp_path):
    folder = claim(tmp_path / "run")
    policy = Policy(name="dnn", params={"a": jnp.ones(2)}, standardise=Standardiser(mean=jnp.zeros(1), std=jnp.ones(1)))
    assert folder.save_policy(policy, "first").name == "policy-first.msgpack"
    assert not folder.finished
    folder.save_policy(policy)
    assert folder.finished
    assert folder.load_policy().name == "dnn"


def test_the_newest_of_two_checkpoints_is_restored(tmp_path):
    state = {"params": {"a": jnp.arange(3.0)}, "step": jnp.zeros((), jnp.int32), "multipliers": None}
    with Checkpoints(tmp_path / "c") as checkpoints:
        assert checkpoints.restore(state) is state
        for step in (1, 2, 3):
            checkpoints.save(step, {**state, "step": jnp.asarray(step, jnp.int32)})
        assert int(checkpoints.restore(state)["step"]) == 3
    assert sorted(item.name for item in (tmp_path / "c").iterdir() if item.name.isdecimal()) == ["2", "3"]
    with Checkpoints(tmp_path / "c") as checkpoints, pytest.raises(RunFolderError, match="3 cannot be restored"):
        checkpoints.restore({"other": jnp.ones(2)})


def test_without_orbax_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "orbax.checkpoint", None)
    with pytest.raises(MissingExtraError, match=r"needs orbax: pip install 'wirelax\[train\]'"):
        Checkpoints(tmp_path)


def lines(folder):
    return [json.loads(line) for line in (folder.path / "metrics.jsonl").read_text().splitlines()]


def test_a_resumed_log_has_every_step_once(tmp_path):
    folder = RunFolder(tmp_path)
    first, second = folder.metrics("first"), folder.metrics("second")
    first.write(100, {"loss": 3.0})
    for step in (100, 200, 300):
        second.write(step, {"loss": float(step)})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"stage": "second", "st')  # killed here
    resumed = folder.metrics("second")
    resumed.write(200, {"loss": -1.0})
    resumed.write(300, {"loss": float("nan")})
    assert lines(folder) == [
        {"stage": "first", "step": 100, "loss": 3.0},
        {"stage": "second", "step": 100, "loss": 100.0},
        {"stage": "second", "step": 200, "loss": -1.0},
        {"stage": "second", "step": 300, "loss": None},
    ]
    assert "NaN" not in (tmp_path / "metrics.jsonl").read_text()
