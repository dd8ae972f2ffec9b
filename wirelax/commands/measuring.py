"""``wirelax bench``."""

from __future__ import annotations

import argparse
import json

from wirelax.console import say
from wirelax.io import check_writable, write_atomic

__all__ = ["bench"]


def bench(options: argparse.Namespace) -> int:
    """Measure speed on this machine."""
    from wirelax.bench import PARTS, run

    out = check_writable(options.out, options.overwrite, suffixes=(".json",))
    only = options.only.split(",") if options.only else PARTS
    result = run(quick=options.quick, progress=say, only=only)
    write_atomic(out, json.dumps(result, indent=1) + "\n", overwrite=options.overwrite)
    say(f"written to {out}")
    return 0
