"""How much the methods of the ultra-dense network may leave: the best of many starts, and bounds by matching.

``python -m benchmarks.hudn_bounds --out FILE.json`` goes on where the file ends.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from wirelax.problems import AssociationProblem
from wirelax.solvers.association import association_juapcmwser, association_local_search
from wirelax.systems import get
from wirelax.systems.run import make_problems, sample_channels

from .hudn_matching import efficiencies, matching_bound

__all__ = ["main"]

SEED = 20250615
BLOCK = 25
"""Starts between two looks at the file."""


def _events(scenario: str, count: int) -> AssociationProblem:
    system = get("hudn", scenario=scenario)
    return make_problems(system, sample_channels(system, count, SEED))


def _first(problem: AssociationProblem) -> dict[str, Any]:
    """Of one event before any search."""
    snr = np.asarray(problem.snr, float)
    return {
        "juapcmwser": float(jax.jit(association_juapcmwser)(problem).utility),
        "bound_at_full_power": matching_bound(efficiencies(snr, np.ones(snr.shape[1]))),
        "bound": matching_bound(np.log2(1 + snr)),
        "starts": 0,
        "best": 0.0,
    }


@jax.jit
def _search(problem: AssociationProblem, key: jax.Array) -> jax.Array:
    return association_local_search(problem, key=key, starts=BLOCK).utility


def _say(scenario: str, event: int, row: dict[str, Any]) -> None:
    best, reference = row["best"], row["juapcmwser"]
    print(
        f"{scenario} {event}: {row['starts']} starts, best {best:.2f} = {best / reference:.4f} of JUAPCMWSER, "
        f"bound {row['bound']:.0f}",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Search, and write the file after every block of starts: one block of every event, then the next."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.json")
    parser.add_argument("--events", type=int, default=8, help="of each scenario; default 8")
    parser.add_argument("--starts", type=int, default=1000, help="of each event; default 1000")
    parser.add_argument("--scenarios", nargs="+", default=["city", "munich"])
    options = parser.parse_args(arguments)
    found = json.loads(options.out.read_text()) if options.out.exists() else {"seed": SEED, "events": {}}
    problems = {scenario: _events(scenario, options.events) for scenario in options.scenarios}
    for least in range(BLOCK, options.starts + BLOCK, BLOCK):
        for scenario, batch in problems.items():
            for event in range(options.events):
                problem = jax.tree.map(lambda leaf, event=event: leaf[event], batch)
                name = f"{scenario} {event}"
                row = found["events"].get(name) or _first(problem)
                if row["starts"] < least:
                    key = jax.random.fold_in(jax.random.key(SEED), row["starts"])
                    row["best"] = max(row["best"], float(_search(problem, key)))
                    row["starts"] += BLOCK
                    found["events"][name] = row
                    options.out.write_text(json.dumps(found, indent=1) + "\n")
                    _say(scenario, event, row)


if __name__ == "__main__":
    main()
