"""Small uplink cells of many kinds, on which the least number of RBs is proven."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import numpy as np

from wirelax.channels import URBAN, path_gain
from wirelax.systems import get
from wirelax.systems.run import sample_channels

__all__ = ["KINDS", "MOST_CASES", "SEED", "draw_case"]

SEED = 20250612
DIGITS = 6
"""Significant digits of every number, rounded before anything is solved."""
MOST_CASES, MOST_USERS, MOST_RBS = 1000, 4, 12


class _Kind(NamedTuple):
    """Ranges and choices that an instance is drawn from.

    `load` is the rate of the long service over what a user of median gain reaches on its part of the RBs but one.
    """

    antennas: tuple[int, ...]
    distance_m: tuple[float, float]
    load: tuple[float, float]
    rate_short_bps: tuple[float, float]
    slot_s: tuple[float, ...] = (0.5e-3,)
    error_probability: tuple[float, ...] = (1e-5,)
    together: bool = False


KINDS = {
    # The multi-user scenario with fewer RBs: everybody at the same distance.
    "alike": _Kind((8, 32), (60, 110), (0.5, 1.0), (512e3, 512e3), together=True),
    # Near and far users behind few antennas.
    "mixed": _Kind((2, 4, 8), (35, 65), (0.4, 0.9), (128e3, 1e6)),
    # A heavy short service, which one RB cannot carry, or only at a cost.
    "short": _Kind((2, 8), (35, 55), (0.1, 0.5), (1e6, 3e6), (0.5e-3, 5e-3), (1e-5, 1e-3)),
    # One antenna: RBs differ much, and users want the same ones.
    "fading": _Kind((1,), (30, 45), (0.5, 0.9), (256e3, 1e6)),
}


@functools.cache
def _gains(antennas: int) -> np.ndarray:
    """Of the Saleh-Valenzuela channel of the system ``uplink-qos`` [case, user, rb], 1/W.

    In double precision, so that the digits that are kept do not depend on how it was compiled.
    """
    system = get("uplink-qos", num_users=MOST_USERS, num_rbs=MOST_RBS, num_antennas=antennas)
    with jax.enable_x64(True):
        return sample_channels(system, MOST_CASES, SEED)["gain"]


def draw_case(index: int) -> dict[str, Any]:
    """Instance `index`, below `MOST_CASES`: kind, gain over the noise of an RB [user, rb] in 1/W, constants by name."""
    rng = np.random.default_rng([SEED, index])
    name = list(KINDS)[index % len(KINDS)]
    kind, config = KINDS[name], get("uplink-qos").config
    users = int(rng.integers(2, MOST_USERS + 1))
    rbs = int(rng.integers(max(6, 2 * users + 1), MOST_RBS + 1))
    distance_m = rng.uniform(*kind.distance_m, 1 if kind.together else users)
    with jax.enable_x64(True):
        nearer = np.asarray(path_gain(distance_m / 1e3, URBAN) / path_gain(config.distance_m / 1e3, URBAN))
    gain = _gains(int(rng.choice(kind.antennas)))[index, :users, :rbs] * nearer[:, None]
    longs = rbs / users - 1
    reached = longs * math.log2(1 + float(np.median(gain)) * config.max_power_w / longs) * config.rb_bandwidth_hz
    constants = {
        "rate_long_bps": rng.uniform(*kind.load) * reached,
        "rate_short_bps": rng.uniform(*kind.rate_short_bps),
        "error_probability": rng.choice(kind.error_probability),
        "max_power_w": config.max_power_w,
        "rb_bandwidth_hz": config.rb_bandwidth_hz,
        "slot_s": rng.choice(kind.slot_s),
    }
    return {
        "index": index,
        "kind": name,
        "gain": [[_rounded(g) for g in row] for row in gain],
        "constants": {name: _rounded(value) for name, value in constants.items()},
    }


def _rounded(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")
