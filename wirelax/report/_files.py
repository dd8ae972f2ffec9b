"""Writing files so that a reader sees the old one or the new one, never half of it."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

__all__ = ["write_atomic"]


def write_atomic(path: str | os.PathLike[str], data: str | bytes) -> Path:
    """Write text (UTF-8) or bytes to `path` in one step, making the folder if it is missing.

    Args:
        path: the file to write; an existing one is replaced only when the new one is complete.
        data: its content.

    Returns:
        The path written.
    """
    target = Path(path)
    content = data.encode() if isinstance(data, str) else data
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, as os.replace is atomic only within one file system.
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return target
