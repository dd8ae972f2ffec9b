"""Learning rates of the uplink recipes on the small case, the same few for each, judged on validation channels.

``python -m benchmarks.uplink_tuning`` trains every recipe of Yin et al.'s (2025) Table I at every rate with one seed
and prints the one that is chosen, by occupied RBs plus `MISSED` times the shares of users that miss a target.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wirelax.console import say
from wirelax.execution import use_compilation_cache
from wirelax.report.machine import machine_summary
from wirelax.report.rows import comparison_rows
from wirelax.systems import get, sample_channels, solve_batch
from wirelax.systems.policies import trained_method
from wirelax.systems.train import train_policy
from wirelax.systems.uplink_qos.paper import SMALL
from wirelax.systems.uplink_qos.recipes import PLANS, planned

RATES = (2e-3, 4e-3, 8e-3)
MISSED = 20.0
"""RBs that a share of 1 of the users below a target stands for."""
VALIDATION_SEED, VALIDATION_COUNT = 1001, 4000


def score(row: dict[str, Any]) -> float:
    """Occupied RBs, and `MISSED` times the shares of users below each target."""
    return row["occupied_mean"] + MISSED * (row["violation_long"] + row["violation_short"])


def trial(system: Any, name: str, rate: float, channels: Any) -> dict[str, Any]:
    """One training, judged."""
    plan = replace(PLANS[name], learning_rate=rate, multiplier_rate=rate)
    recipe = planned(system, name, plan)
    with tempfile.TemporaryDirectory() as folder:
        policy = train_policy(system, recipe, directory=Path(folder) / "run", preset="quick", seed=100)
    result = solve_batch(system, trained_method(system, policy), channels)
    row = comparison_rows(system, {name: result})[0]
    kept = {key: row[key] for key in ("method", "occupied_mean", "violation_long", "violation_short")}
    return {**kept, "learning_rate": rate, "score": score(row)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Try all, print each and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipes", nargs="*", default=list(PLANS))
    options = parser.parse_args(arguments)
    use_compilation_cache()
    system = get("uplink-qos", **SMALL)
    channels = sample_channels(system, VALIDATION_COUNT, seed=VALIDATION_SEED)
    rows = []
    for name in options.recipes:
        for rate in RATES:
            rows.append(trial(system, name, rate, channels))
            say(json.dumps(rows[-1]))
    chosen = {}
    for name in options.recipes:
        chosen[name] = min((row for row in rows if row["method"] == name), key=lambda row: row["score"])[
            "learning_rate"
        ]
    say(json.dumps(chosen))
    options.out.write_text(
        json.dumps({"machine": machine_summary(), "trials": rows, "chosen": chosen}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
