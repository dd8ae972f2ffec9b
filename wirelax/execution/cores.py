"""How many cores there are to compute on."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

__all__ = ["usable_cores"]

_CGROUP = Path("/sys/fs/cgroup")


def usable_cores(cgroup: Path = _CGROUP) -> int:
    """Cores that this process may use: its affinity, capped by the CPU quota of its container (cgroup v1 or v2).

    A quota of one and a half cores counts as two, as threads beyond the quota wait and those below leave it unused.

    Args:
        cgroup: where the kernel shows its control groups.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _quota(cgroup) or cores))


def _quota(cgroup: Path) -> int | None:
    """Whole cores of the quota, rounded up; None where there is none."""
    v2 = re.match(r"(\d+) (\d+)", _read(cgroup / "cpu.max"))
    if v2:
        return math.ceil(int(v2[1]) / int(v2[2]))
    quota, period = (_read(cgroup / "cpu" / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    if quota.isdigit() and period.isdigit() and int(period):  # a quota of -1 is none
        return math.ceil(int(quota) / int(period))
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
