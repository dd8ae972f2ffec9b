"""Ray-traced channels of central Munich, shipped with the package.

Made with Sionna RT on a scene whose geometry is © OpenStreetMap contributors (Open Database License): keep
the attribution in ``wirelax/data/LICENSE-munich.md`` with whatever is derived from them. Gains are linear
power gains in wirelax's axis order (RB, receiver, transmitter); 0 where no path was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import jax
import numpy as np
from jaxtyping import Bool, Float

from wirelax import units

__all__ = ["MunichRadiomap", "MunichWideband", "load_munich_radiomap", "load_munich_wideband"]


@dataclass(frozen=True, kw_only=True)
class MunichRadiomap:
    """Path gains at 2 GHz between 105 BSs and a grid of outdoor positions (read-only arrays).

    Attributes:
        gain: linear power gain [2988 UE positions, 105 BS], float32; 70 % of it is 0.
        is_macro: True for the first five BSs [105].
        bs_position_m: [105, 3], m.
        ue_position_m: [2988, 3], m.
        carrier_hz: carrier frequency, Hz.
    """

    gain: Float[np.ndarray, "ue bs"]
    is_macro: Bool[np.ndarray, "bs"]
    bs_position_m: Float[np.ndarray, "bs 3"]
    ue_position_m: Float[np.ndarray, "ue 3"]
    carrier_hz: float = 2.0e9


@dataclass(frozen=True, kw_only=True)
class MunichWideband:
    """Channels at 3.5 GHz on 48 RBs of 360 kHz between 3 BSs (0 the macro) and 600 UEs (read-only arrays).

    Attributes:
        downlink_gain: linear power gain [48 RB, 600 UE, 3 BS], float32.
        uplink_mrc_gain: linear power gain after maximum ratio combining over the 64 antennas of the macro
            [600 UE, 48 RB], float32.
        rb_offset_hz: RB centres relative to the carrier [48], Hz.
        bs_position_m: [3, 3], m.
        ue_position_m: [600, 3], m.
        carrier_hz: carrier frequency, Hz.
        rb_bandwidth_hz: bandwidth of an RB, Hz.
    """

    downlink_gain: Float[np.ndarray, "rb ue bs"]
    uplink_mrc_gain: Float[np.ndarray, "ue rb"]
    rb_offset_hz: Float[np.ndarray, "rb"]
    bs_position_m: Float[np.ndarray, "bs 3"]
    ue_position_m: Float[np.ndarray, "ue 3"]
    carrier_hz: float = 3.5e9
    rb_bandwidth_hz: float = 360e3


@lru_cache(maxsize=1)
def load_munich_radiomap() -> MunichRadiomap:
    """The map of 2988 positions and 105 BSs, for `hudn`; read once and kept."""
    stored = _load("munich_radiomap.npz")
    return MunichRadiomap(
        gain=_linear(stored["path_gain_db"].T),
        is_macro=_read_only(stored["is_macro"]),
        bs_position_m=_read_only(stored["bs_position_m"]),
        ue_position_m=_read_only(stored["ue_position_m"]),
    )


@lru_cache(maxsize=1)
def load_munich_wideband() -> MunichWideband:
    """The map of 600 UEs on 48 RBs, for `hetnet-ee` and `uplink-qos`; read once and kept."""
    stored = _load("munich_wideband.npz")
    return MunichWideband(
        downlink_gain=_linear(stored["downlink_gain_db"].transpose(2, 1, 0)),
        uplink_mrc_gain=_linear(stored["uplink_mrc_gain_db"]),
        rb_offset_hz=_read_only(stored["rb_offset_hz"]),
        bs_position_m=_read_only(stored["bs_position_m"]),
        ue_position_m=_read_only(stored["ue_position_m"]),
    )


def _load(name: str) -> Mapping[str, np.ndarray]:
    stream = resources.files("wirelax").joinpath("data", name).open("rb")
    with stream as file, np.load(file, allow_pickle=False) as archive:
        return dict(archive)


def _linear(level_db: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    with jax.ensure_compile_time_eval():  # also right when the first load happens while jit traces
        gain = np.asarray(units.db_to_linear(level_db), dtype=np.float32)
    return _read_only(np.ascontiguousarray(gain))


def _read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
