"""Checkpoints of a training state through Orbax, and the log of metrics that goes with them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wirelax.io.atomic import write_atomic
from wirelax.io.errors import RunFolderError, first_line, import_extra

__all__ = ["Checkpoints", "MetricsLog"]


class Checkpoints:
    """The last states of one stage of training, written atomically; a kill at any moment leaves a whole one."""

    def __init__(self, directory: str | os.PathLike[str], keep: int = 2):
        self._ocp = import_extra("orbax.checkpoint", "a training run writes checkpoints, which", "train")
        self._directory = Path(directory).absolute()
        self._manager = self._ocp.CheckpointManager(
            self._directory, options=self._ocp.CheckpointManagerOptions(max_to_keep=keep, create=True)
        )

    def save(self, step: int, state: Any) -> None:
        """Write `state` and wait until it is on disk (the loop reuses its buffers)."""
        import jax

        self._manager.save(step, args=self._ocp.args.StandardSave(jax.device_get(state)))
        self._manager.wait_until_finished()

    def restore(self, like: Any) -> Any:
        """The newest state, shaped like `like`; `like` itself where there is none.

        Raises:
            RunFolderError: the checkpoint is broken, or of a state of another shape.
        """
        step = self._manager.latest_step()
        if step is None:
            return like
        try:
            return self._manager.restore(step, args=self._ocp.args.StandardRestore(like))
        except Exception as error:  # Orbax raises almost anything
            raise RunFolderError(
                f"{self._directory / str(step)} cannot be restored ({first_line(error)}); start a new run"
            ) from error

    def close(self) -> None:
        """Release the folder."""
        self._manager.close()

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MetricsLog:
    """Lines of JSON, one a chunk of steps of one stage; numbers that are not finite are written as null.

    The first line written in a resumed run replaces those of its stage from that step on, and a half-written one.
    """

    def __init__(self, path: str | os.PathLike[str], stage: str):
        self.path, self.stage = Path(path), stage
        self._rewound = False

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Add the line of a chunk that ended at `step`."""
        if not self._rewound:
            self._rewind(step)
        plain = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        with self.path.open("a") as file:
            file.write(json.dumps({"stage": self.stage, "step": step, **plain}) + "\n")

    def _rewind(self, step: int) -> None:
        self._rewound = True
        if not self.path.exists():
            return
        lines = [json.loads(line) for line in self.path.read_text().splitlines() if line.endswith("}")]
        kept = [line for line in lines if line["stage"] != self.stage or line["step"] < step]
        write_atomic(self.path, "".join(json.dumps(line) + "\n" for line in kept))
