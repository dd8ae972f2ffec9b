"""Where channel gains come from: geometry, path loss, blockage, fading, antenna arrays, shipped maps.

Gains are linear power ratios with the axes (resource, receiver, transmitter); amplitudes are called `h`.
"""

from wirelax.channels.arrays import mrc_gain, saleh_valenzuela, ula_response
from wirelax.channels.blockage import line_of_sight
from wirelax.channels.city import CityLayout, city_gain, macro_sites, outdoor_users, sample_city
from wirelax.channels.fading import complex_normal, rayleigh, rician
from wirelax.channels.hetnet import hetnet_sites, sample_hetnet, vary_path_gain
from wirelax.channels.munich import (
    MunichRadiomap,
    MunichWideband,
    load_munich_radiomap,
    load_munich_wideband,
)
from wirelax.channels.munich_samples import (
    MunichBsCandidates,
    MunichHetnetCandidates,
    munich_bs_candidates,
    munich_hetnet_candidates,
    munich_positions,
    munich_stations,
    munich_uplink_candidates,
    sample_munich_bs,
    sample_munich_hetnet,
    sample_munich_radiomap,
    sample_munich_uplink,
)
from wirelax.channels.path_loss import (
    MACRO_NLOS,
    MICRO,
    PATH_LOSS_MODELS,
    PICO_LOS,
    PICO_NLOS,
    PUBLISHED_LOS,
    PUBLISHED_NLOS,
    URBAN,
    PathLossModel,
    log_distance_path_loss_db,
    path_gain,
)
from wirelax.channels.topology import (
    equilateral_triangle,
    hexagonal_grid,
    pairwise_distance,
    uniform_distance_drop,
    uniform_in_disc,
    uniform_in_square,
    wrap_around_offsets,
    wrapped_distance,
)

__all__ = [
    "MACRO_NLOS",
    "MICRO",
    "PATH_LOSS_MODELS",
    "PICO_LOS",
    "PICO_NLOS",
    "PUBLISHED_LOS",
    "PUBLISHED_NLOS",
    "URBAN",
    "CityLayout",
    "MunichBsCandidates",
    "MunichHetnetCandidates",
    "MunichRadiomap",
    "MunichWideband",
    "PathLossModel",
    "city_gain",
    "complex_normal",
    "equilateral_triangle",
    "hetnet_sites",
    "hexagonal_grid",
    "line_of_sight",
    "load_munich_radiomap",
    "load_munich_wideband",
    "log_distance_path_loss_db",
    "macro_sites",
    "mrc_gain",
    "munich_bs_candidates",
    "munich_hetnet_candidates",
    "munich_positions",
    "munich_stations",
    "munich_uplink_candidates",
    "outdoor_users",
    "pairwise_distance",
    "path_gain",
    "rayleigh",
    "rician",
    "saleh_valenzuela",
    "sample_city",
    "sample_hetnet",
    "sample_munich_bs",
    "sample_munich_hetnet",
    "sample_munich_radiomap",
    "sample_munich_uplink",
    "ula_response",
    "uniform_distance_drop",
    "uniform_in_disc",
    "uniform_in_square",
    "vary_path_gain",
    "wrap_around_offsets",
    "wrapped_distance",
]
