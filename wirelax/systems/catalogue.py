"""What a system offers, by name, each entry built only when it is asked for. Imports nothing heavy."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

__all__ = ["Catalogue", "Entry", "summary_of"]


class Entry(NamedTuple):
    """One line on it, and its builder, called with the system and the name: a function, or ``module:function``."""

    summary: str
    build: str | Callable[[Any, str], Any]


class Catalogue(Mapping[str, Any]):
    """Entries of a system, built and kept when they are first looked up."""

    def __init__(self, entries: Mapping[str, Entry], system: Any):
        self._entries, self._system, self._built = entries, system, {}

    def __getitem__(self, name: str) -> Any:
        entry = self._entries[name]
        if name not in self._built:
            build = entry.build
            if isinstance(build, str):
                module, function = build.split(":")
                build = getattr(importlib.import_module(module), function)
            self._built[name] = build(self._system, name)
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def summary(self, name: str) -> str:
        """The line on an entry, which is not built for it."""
        return self._entries[name].summary


def summary_of(entries: Mapping[str, Any], name: str) -> str:
    """The line on an entry of a catalogue, or of a plain mapping to things that have a ``summary``."""
    return entries.summary(name) if isinstance(entries, Catalogue) else entries[name].summary
