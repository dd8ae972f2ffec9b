"""Progress on a terminal as a bar, elsewhere as plain lines; always on stderr, so that results stay clean."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

__all__ = ["Progress", "say"]

PLAIN_INTERVAL_S = 10.0


def say(line: str) -> None:
    """One line for the person at the terminal."""
    print(line, file=sys.stderr, flush=True)


class Progress:
    """A bar through Rich on a terminal; otherwise a plain line every few seconds."""

    def __init__(self, title: str):
        self.title, self._bar, self._last = title, None, time.monotonic()

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            try:
                from rich.console import Console
                from rich.progress import Progress as Bar
            except ImportError:
                return self
            self._bar = Bar(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=None)
        return self

    def __exit__(self, *exception) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, done: int, total: int, note: str = "") -> None:
        """`done` of `total` are finished."""
        if self._bar:
            self._bar.update(self._task, completed=done, total=total, description=f"{self.title} {note}".strip())
        elif time.monotonic() - self._last > PLAIN_INTERVAL_S:
            self._last = time.monotonic()
            say(f"{self.title}: {done} of {total} {note}".rstrip())

    def training(self, stage: str, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """A chunk of training is finished."""
        self.update(step, steps, f"{stage}, loss {metrics['loss']:.4g}")
