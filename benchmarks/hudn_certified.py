"""Small ultra-dense downlinks with a proven optimum: ``python -m benchmarks.hudn_certified --out FILE.json``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from wirelax.systems import get
from wirelax.systems.run import sample_channels

from .hudn_exact import GAP, Downlink, certify

__all__ = ["CASES", "KINDS", "SEED", "downlink_of", "draw_case", "main"]

SEED = 20250614
DIGITS = 6
"""Significant digits of every gain, rounded before anything is solved."""
KINDS: dict[str, tuple[dict[str, Any], bool]] = {
    "200 m": ({"num_buildings": 15}, False),
    "60 m": ({"num_buildings": 2, "side_m": 60.0, "points_per_side": 12}, False),
    "equal powers": ({"num_buildings": 15, "max_power_macro_dbm": 20.0}, False),
    "links 30 dB above the noise": ({"num_buildings": 15}, True),
}
"""Configurations of the system ``hudn``, and whether weaker links than 30 dB above the noise are out of reach."""
CASES = {
    "sum-rate": {"200 m": 16, "60 m": 8, "equal powers": 8, "links 30 dB above the noise": 8},
    "proportional-fair": {"200 m": 4, "60 m": 4, "equal powers": 4, "links 30 dB above the noise": 4},
}
"""How many of each kind a file holds, by objective."""


def draw_case(kind: str, index: int) -> dict[str, Any]:
    """Gains [ue, bs] of one event of `KINDS`, and the constants that they come with."""
    options, strong_only = KINDS[kind]
    system = get("hudn", num_ues=6, num_bss=4, num_macro=1, **options)
    with jax.enable_x64(True):  # so that the digits that are kept do not depend on how it was compiled
        gain = sample_channels(system, index + 1, SEED + list(KINDS).index(kind))["gain"][index]
        budget, noise_w = np.asarray(system.max_power_w(), float), 10 ** (system.config.noise_dbm / 10 - 3)
    if strong_only:
        gain = np.where(gain * budget > 1e3 * noise_w, gain, 0.0)
    return {
        "kind": kind,
        "index": index,
        "gain": [[_rounded(g) for g in row] for row in gain],
        "max_power_w": [_rounded(p) for p in budget],
        "noise_w": _rounded(noise_w),
    }


def _rounded(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")


def downlink_of(case: dict[str, Any], objective: str) -> tuple[Downlink, np.ndarray]:
    """What `certify` takes, and which UEs are in it: those within reach of some BS."""
    snr = np.array(case["gain"]) / case["noise_w"] * case["max_power_w"]
    held = snr.max(1) > 0
    return Downlink(snr[held], objective), held


def _proven(kind: str, index: int, objective: str) -> dict[str, Any]:
    case = draw_case(kind, index)
    link, held = downlink_of(case, objective)
    found = certify(link)
    association = np.full(len(held), -1)
    association[held] = found.association
    return {
        **case,
        "objective": objective,
        "optimum": found.value,
        "upper_bound": found.bound,
        "association": association.tolist(),
        "power": found.power.tolist(),
        "boxes": found.boxes,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Write downlinks with proven optima."""
    parser = argparse.ArgumentParser(description="Write small ultra-dense downlinks with a proven optimum.")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.json")
    parser.add_argument("--most", type=int, default=100, help="of a kind and an objective; default 100")
    options = parser.parse_args(arguments)
    wanted = [
        (kind, index, objective)
        for objective, kinds in CASES.items()
        for kind, count in kinds.items()
        for index in range(min(count, options.most))
    ]
    head: dict[str, Any] = {
        "about": "Small ultra-dense downlinks with the best sum of rates (bit/s/Hz) or of ln(rate + rate_floor) over "
        "all associations (-1: out of reach of every BS) and powers (shares of the budgets), and a bound that nothing "
        "exceeds.",
        "command": "python -m benchmarks.hudn_certified --out FILE.json",
        "versions": {"numpy": np.__version__, "jax": jax.__version__},
        "seed": SEED,
        "gap": GAP,
        "rate_floor": Downlink._field_defaults["rate_floor"],
    }
    lines = ",\n".join(json.dumps(_proven(*case)) for case in wanted)
    options.out.write_text(json.dumps(head, indent=1)[:-2] + f',\n "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
