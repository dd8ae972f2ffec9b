"""What must stand beside every measured number: the machine and the versions it came from."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from pathlib import Path

__all__ = ["machine_summary"]

_CGROUP = Path("/sys/fs/cgroup")


def machine_summary() -> dict[str, str | int | float]:
    """Describe this machine without naming it: no host name, user name or path.

    Returns:
        ``cpu`` (model), ``cores`` (that this process may use), ``memory_gib`` (likewise; 0 if unknown),
        ``platform``, ``python``, ``jax``, ``jaxlib``, ``numpy`` and ``wirelax`` (versions), ``device``
        (kind of the first JAX device), ``device_count`` and ``precision`` (``float32`` or ``float64``).
    """
    import jax
    import numpy as np

    from wirelax import __version__
    from wirelax.execution.cores import usable_cores

    devices = jax.devices()
    kernel = re.match(r"\d+(\.\d+)?", platform.release())
    return {
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "memory_gib": _memory_gib(),
        "platform": " ".join(filter(None, (platform.system(), kernel and kernel[0], platform.machine()))),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "jaxlib": importlib.metadata.version("jaxlib"),
        "numpy": np.__version__,
        "wirelax": __version__,
        "device": devices[0].device_kind,
        "device_count": len(devices),
        "precision": "float64" if jax.config.jax_enable_x64 else "float32",
    }


def _cpu_model() -> str:
    match = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", _read(Path("/proc/cpuinfo")), re.M)
    return " ".join(match[1].split()) if match else platform.processor() or platform.machine() or "unknown"


def _memory_gib() -> float:
    """Memory this process may use, in GiB."""
    total = re.search(r"^MemTotal:\s*(\d+) kB", _read(Path("/proc/meminfo")), re.M)
    limits = (re.match(r"\d+", _read(_CGROUP / name)) for name in ("memory.max", "memory/memory.limit_in_bytes"))
    sizes = [int(total[1]) * 1024] if total else []
    sizes += [int(limit[0]) for limit in limits if limit]
    return round(min(sizes, default=0) / 2**30, 1)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
