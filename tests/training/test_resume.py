"""A killed and resumed run ends with the weights of an uninterrupted one; runs are never mixed up."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from wirelax import systems
from wirelax.cli import main
from wirelax.training import load_labels, save_labels


def _train(run, labels, *more):
    arguments = ["train", "hetnet-ee", "--policy", "dnn+ee", "--preset", "smoke", "--labels", labels, "--out", run]
    return [*map(str, arguments), *more]


def write_labels(path):
    """A cache that the command accepts, without the long search: its labels are random."""
    recipe = systems.get("hetnet-ee").recipes["dnn+ee"]
    count, rng = recipe.num_labels["smoke"], np.random.default_rng(0)
    source = recipe.make_labels(count, 0, only_source=True)[1]
    arrays = {
        "gain": 1e-9 * rng.exponential(size=(count, 2, 6, 3)),
        "value": rng.uniform(1e6, 5e6, (count, 8)),
        "log_power": rng.uniform(-4, 0, (count, 8, 3, 2)),
    }
    save_labels(path, {name: array.astype(np.float32) for name, array in arrays.items()}, source)


def test_killed_run_resumes_to_the_same_weights(tmp_path):
    labels, whole, killed = tmp_path / "labels.h5", tmp_path / "whole", tmp_path / "killed"
    write_labels(labels)
    assert main(_train(whole, labels)) == 0
    process = subprocess.Popen([sys.executable, "-m", "wirelax", *_train(killed, labels)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list(killed.glob("checkpoints/supervised/100")) and time.monotonic() < deadline:
        assert process.poll() is None or (killed / "policy.msgpack").exists()
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    unfinished = not (killed / "policy.msgpack").exists()
    assert unfinished, "the run ended before it could be killed"
    assert main(_train(killed, labels)) == 2
    assert main(_train(killed, labels, "--seed", "1", "--resume")) == 2
    assert main(_train(killed, labels, "--resume")) == 0
    assert (killed / "policy.msgpack").read_bytes() == (whole / "policy.msgpack").read_bytes()
    metrics = [
        [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in (whole, killed)
    ]
    assert metrics[0] == metrics[1]


def test_resume_needs_a_run(tmp_path, capsys):
    assert main(_train(tmp_path / "none", tmp_path / "labels.h5", "--resume")) == 2
    assert "no run to resume" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["truncate", "other"])
def test_bad_label_cache_is_refused(tmp_path, capsys, damage):
    labels = tmp_path / "labels.h5"
    save_labels(labels, {"gain": np.ones((2, 3))}, {"seed": 0})
    assert load_labels(labels, {"seed": 0})[0]["gain"].shape == (2, 3)
    if damage == "truncate":
        labels.write_bytes(labels.read_bytes()[:-700])
    before = labels.read_bytes()
    assert main(_train(tmp_path / "run", labels)) == 2
    error = capsys.readouterr().err
    assert "labels.h5" in error
    assert labels.read_bytes() == before
