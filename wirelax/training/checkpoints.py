"""Checkpoints of a training state through Orbax."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jax

__all__ = ["Checkpoints"]


class Checkpoints:
    """The last two states of a stage, written atomically; a kill at any moment leaves a whole one."""

    def __init__(self, directory: str | os.PathLike[str], keep: int = 2):
        try:
            import orbax.checkpoint as ocp
        except ImportError as error:
            raise ImportError("checkpoints need orbax-checkpoint; install wirelax[train]") from error
        self._ocp = ocp
        self._manager = ocp.CheckpointManager(
            Path(directory).absolute(), options=ocp.CheckpointManagerOptions(max_to_keep=keep, create=True)
        )

    def save(self, step: int, state: Any) -> None:
        """Write `state` and wait until it is on disk (the loop reuses its buffers)."""
        self._manager.save(step, args=self._ocp.args.StandardSave(jax.device_get(state)))
        self._manager.wait_until_finished()

    def restore(self, like: Any) -> Any:
        """The newest state, shaped like `like`; `like` itself where there is none."""
        step = self._manager.latest_step()
        if step is None:
            return like
        return self._manager.restore(step, args=self._ocp.args.StandardRestore(like))

    def close(self) -> None:
        """Release the directory."""
        self._manager.close()
