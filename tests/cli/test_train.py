"""``train``: what fails is said before the folder is taken, what is printed works, what was broken off goes on."""

import json
import shlex
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.cli import main
from wirelax.policies import MLP, PolicySpec
from wirelax.systems import Labels, Recipe, Stage, fresh_problems, labelled_rows, registry
from wirelax.training import LoopConfig, mapped, supervised_objective, utility_objective

from ..toy_system import water_filling
from .conftest import Link

SPEC = PolicySpec(
    network=MLP((8,), 1),
    features=lambda problem: jnp.log(jnp.maximum(problem.snr, 1e-6))[:, None],
    head=lambda outputs, problem: {"power_w": problem.max_power_w * jax.nn.sigmoid(outputs[:, 0])},
    shared_statistics=True,
)


def _no_label(problem, key):
    raise RuntimeError("labels are being made")


def _label(problem, key):
    return {"best_w": water_filling(problem)["power_w"]}


def _error(outputs, problem, label):
    return ((SPEC.head(outputs, problem)["power_w"] / problem.max_power_w - label["best_w"]) ** 2).sum()


class Trained(Link):
    """The link with recipes of a few steps: without labels, with labels, and with a loss that is not finite."""

    name = "trained"

    @property
    def recipes(self):
        loop = LoopConfig(steps=40, learning_rate=1e-2, chunk=10, checkpoint_every=20)

        def free(preset, seed):
            return [Stage(name="utility", objective=utility_objective(SPEC), source=fresh_problems(self, 8), loop=loop)]

        def labelled(preset, seed):
            objective = supervised_objective(SPEC, _error)
            return [Stage(name="supervised", objective=objective, source=labelled_rows(8), loop=loop)]

        def endless(preset, seed):
            broken = mapped(
                fresh_problems(self, 8),
                lambda problem, key: type(problem)(**{**vars(problem), "snr": problem.snr * np.inf}),
            )
            return [Stage(name="utility", objective=utility_objective(SPEC), source=broken, loop=loop)]

        make = lambda name, stages, **more: Recipe(name=name, summary=name, spec=SPEC, stages=stages, **more)  # noqa: E731
        count = dict.fromkeys(("smoke", "quick", "paper"), 32)
        labels = Labels(count=count, label=_label, what="water-filling")
        return {
            "free": make("free", free),
            "labelled": make("labelled", labelled, labels=labels),
            "unlabelled": make("unlabelled", labelled, labels=Labels(count=count, label=_no_label, what="nothing")),
            "endless": make("endless", endless),
        }


@pytest.fixture
def trained(in_folder, monkeypatch):
    monkeypatch.setattr(registry, "_registered", {**registry._registered, "trained": Trained})


def test_the_printed_command_runs_the_policy(trained, in_folder, run, capsys):
    status, out, error = run("train trained --policy free --preset smoke --set num_subchannels=3 --out", "my runs")
    assert (status, out) == (0, "")
    printed = error.split("run it with: ")[1].strip()
    words = shlex.split(printed)
    assert words[0] == "wirelax"
    assert main(words[1:]) == 0
    error = capsys.readouterr().err
    assert "1,000 channels (random, seed 0) solved by policy:my runs" in error
    result = np.load("result.npz")
    assert result["power_w"].shape == (1000, 3)
    assert result["feasible"].all()
    # the policy learned something: more than half of the links do better than with no power at all
    assert (result["net_rate"] > 0).mean() > 0.5


def test_a_finished_run_and_settings_that_changed(trained, in_folder, run, refused):
    train = "train trained --policy labelled --preset smoke --out run"
    status, _, error = run(train)
    assert status == 0
    assert "labelling 32 channels by water-filling" in error
    assert (in_folder / "run" / "labels.h5").exists()
    settings = json.loads((in_folder / "run" / "run.json").read_text())
    assert (settings["policy"], settings["preset"], settings["seed"]) == ("labelled", "smoke", 0)
    refused(train, "run holds a run already", "--resume")
    status, _, error = run(f"{train} --resume")
    assert status == 0
    assert "finished already" in error
    refused(f"{train} --resume --seed 3", "was started with seed=0, not 3")
    refused(f"{train} --resume --set price_per_w=3", "config")
    refused("train trained --policy labelled --preset smoke --out other --resume", "no run to resume")
    # the same labels for another run; other settings do not fit them
    status, _, error = run(train.replace("run", "again") + " --labels run/labels.h5")
    assert status == 0
    assert "labelling" not in error
    refused(train.replace("run", "third") + " --labels run/labels.h5 --set price_per_w=3", "labels.h5")
    assert not (in_folder / "third").exists()


def test_a_loss_that_is_not_finite_is_one_line_and_gives_the_folder_up(trained, in_folder, run):
    status, out, error = run("train trained --policy endless --preset smoke --out run")
    assert (status, out) == (1, "")
    lines = [line for line in error.splitlines() if line.startswith("wirelax: error")]
    assert len(lines) == 1
    assert "not finite" in lines[0]
    assert "Traceback" not in error
    assert list(in_folder.iterdir()) == []


def test_a_bug_while_labels_are_made_keeps_its_traceback_but_not_the_folder(trained, in_folder):
    with pytest.raises(RuntimeError, match="labels are being made"):
        main(["train", "trained", "--policy", "unlabelled", "--preset", "smoke", "--out", "run"])
    assert list(in_folder.iterdir()) == []


@pytest.mark.parametrize("missing", ["h5py", "orbax.checkpoint"])
def test_a_missing_extra_is_said_before_labels_are_made(trained, in_folder, refused, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    refused(
        "train trained --policy unlabelled --preset smoke --out run", f"needs {missing.split('.')[0]}", "pip install"
    )
    assert list(in_folder.iterdir()) == []


def test_folders_that_are_not_free(trained, in_folder, refused):
    (in_folder / "mine").mkdir()
    (in_folder / "mine" / "thesis.tex").write_text("precious")
    refused("train trained --policy free --preset smoke --out mine", "mine is not empty")
    refused("train trained --policy free --preset smoke --out mine/thesis.tex", "thesis.tex is a file")
    assert [item.name for item in (in_folder / "mine").iterdir()] == ["thesis.tex"]


def test_a_policy_of_another_system(trained, in_folder, run, refused):
    assert run("train trained --policy free --preset smoke --out run")[0] == 0
    refused("solve noma --method policy:run --count 2 --out out.npz", "'free'", "belongs to 'trained'", "not to 'noma'")
    (in_folder / "run" / "policy.msgpack").write_bytes(b"junk")
    refused("solve trained --method policy:run --count 2 --out out.npz", "policy.msgpack")


@pytest.mark.parametrize(
    ("policy", "sizes", "words"),
    [
        ("dnn", "num_micro=16 num_subchannels=4", ["'dnn'", "every assignment"]),
        ("conditioned", "num_micro=6 users_per_bs=4 num_subchannels=4", ["'conditioned'", "every assignment"]),
        ("dnn", "users_per_bs=4", ["users_per_bs is 4", "num_subchannels 2"]),
    ],
)
def test_a_size_that_a_policy_does_not_serve_is_said_before_the_folder(in_folder, refused, policy, sizes, words):
    options = " ".join(f"--set {size}" for size in sizes.split())
    refused(f"train hetnet-ee --policy {policy} --preset smoke {options} --out run", *words)
    assert list(in_folder.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("sizes", ["--set num_micro=4 --set num_subchannels=3", "--set num_subchannels=3"])
def test_the_papers_network_at_other_sizes(in_folder, run, sizes, capsys):
    status, _, error = run(f"train hetnet-ee --policy dnn --preset smoke {sizes} --out run")
    if status == 2:  # more assignments than the network is built for
        assert error.count("\n") == 1
        assert "every assignment" in error
        assert list(in_folder.iterdir()) == []
        return
    assert status == 0
    assert main(shlex.split(error.split("run it with: ")[1])[1:]) in (0, 3)
