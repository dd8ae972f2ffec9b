"""The folder of a training run: whose it is, where its parts lie, and that runs are never mixed up."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wirelax.io.atomic import write_atomic
from wirelax.io.checkpoints import Checkpoints, MetricsLog
from wirelax.io.errors import OutputError, RunFolderError
from wirelax.io.weights import load_policy, save_policy

if TYPE_CHECKING:
    from wirelax.policies import Policy

__all__ = ["LABELS_FILE", "RUN_FILE", "WEIGHTS_FILE", "RunFolder", "claim_run"]

RUN_FILE = "run.json"
WEIGHTS_FILE = "policy.msgpack"
LABELS_FILE = "labels.h5"
METRICS_FILE = "metrics.jsonl"
CHECKPOINTS = "checkpoints"


class RunFolder:
    """The parts of a run: ``run.json``, ``labels.h5``, ``metrics.jsonl``, ``checkpoints/STAGE``, weights."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)

    @property
    def labels(self) -> Path:
        """Where the run keeps its labels unless it is given others."""
        return self.path / LABELS_FILE

    @property
    def weights(self) -> Path:
        """The weights at the end of the run."""
        return self.path / WEIGHTS_FILE

    @property
    def finished(self) -> bool:
        """Whether the run has ended and left its weights."""
        return self.weights.exists()

    def load_policy(self) -> Policy:
        """The weights at the end of the run.

        Raises:
            PolicyFileError: there are none yet.
        """
        return load_policy(self.weights)

    def save_policy(self, policy: Policy, stage: str | None = None) -> Path:
        """Write the weights of the end of the run, or of the end of a stage as ``policy-STAGE.msgpack``."""
        return save_policy(self.path / f"policy-{stage}.msgpack" if stage else self.weights, policy)

    def checkpoints(self, stage: str) -> Checkpoints:
        """The checkpoints of a stage; close them at its end."""
        return Checkpoints(self.path / CHECKPOINTS / stage)

    def metrics(self, stage: str) -> MetricsLog:
        """The log of a stage."""
        return MetricsLog(self.path / METRICS_FILE, stage)

    def worth_keeping(self) -> bool:
        """Whether there is anything to resume or to use: a checkpoint or weights."""
        return any(self.path.glob("*.msgpack")) or any(
            step.name.isdecimal() for step in self.path.glob(f"{CHECKPOINTS}/*/*")
        )

    def release(self) -> None:
        """Give the folder up: what a run writes goes, but for labels, which the next one can use."""
        for name in (RUN_FILE, METRICS_FILE):
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.path / CHECKPOINTS, ignore_errors=True)
        if not any(self.path.iterdir()):
            self.path.rmdir()


@contextmanager
def claim_run(path: str | os.PathLike[str], settings: Mapping[str, Any], resume: bool = False) -> Generator[RunFolder]:
    """Make `path` the folder of this run for the block, or raise if it is another's.

    A new run that fails before its first checkpoint gives the folder up again, so that the command can be
    repeated as it stands; one that is killed or interrupted can be resumed.

    Args:
        path: the folder. A new run wants one that is missing, empty or holds only labels.
        settings: plain data that the run depends on, kept in ``run.json``.
        resume: continue the run that is there.

    Raises:
        RunFolderError: the folder holds a run and `resume` is off, there is nothing to resume, it holds other
            files, its ``run.json`` is broken, or what is there was started with other settings.
        OutputError: it cannot be made.
    """
    folder = RunFolder(path)
    if (folder.path / RUN_FILE).exists():
        _check_resumable(folder, settings, resume)
    else:
        _claim_new(folder, settings, resume)
    try:
        yield folder
    except Exception:
        if not resume and not folder.worth_keeping():
            folder.release()
        raise


def _claim_new(folder: RunFolder, settings: Mapping[str, Any], resume: bool) -> None:
    path = folder.path
    if resume:
        raise RunFolderError(f"{path} holds no run to resume; start it without --resume")
    if path.exists() and not path.is_dir():
        raise RunFolderError(f"{path} is a file; choose a folder for the run")
    if path.exists() and any(item.name != LABELS_FILE for item in path.iterdir()):
        raise RunFolderError(f"{path} is not empty; choose a new folder for the run")
    try:
        write_atomic(path / RUN_FILE, json.dumps(settings, indent=1) + "\n", overwrite=False)
    except OutputError as error:
        if (path / RUN_FILE).exists():  # another process came first
            raise _taken(path) from error
        raise


def _check_resumable(folder: RunFolder, settings: Mapping[str, Any], resume: bool) -> None:
    path = folder.path
    if not resume:
        raise _taken(path)
    try:
        found = dict(json.loads((path / RUN_FILE).read_text()))
    except ValueError as error:
        raise RunFolderError(f"{path / RUN_FILE} is broken; start a new run in another folder") from error
    wanted = json.loads(json.dumps(settings))
    for name in wanted:
        if found.get(name) != wanted[name]:
            raise RunFolderError(
                f"{path} was started with {name}={found.get(name)!r}, not {wanted[name]!r}; "
                "resume it with the same settings or choose another folder"
            )


def _taken(path: Path) -> RunFolderError:
    return RunFolderError(f"{path} holds a run already; add --resume to continue it or choose another folder")
