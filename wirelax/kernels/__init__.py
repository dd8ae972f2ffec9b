"""Differentiable physics of one network: SINR, rates, energy, finite blocklength, utilities.

Pure, un-jitted functions of one instance. Batch with ``jax.vmap``, speed with ``jax.jit``, gradients with
``jax.grad``; everything is right in float32 and in float64.
"""

from wirelax.kernels.association import (
    activity,
    associated_rates,
    associated_sinr,
    association_load,
    association_mask,
    jain_index,
    relaxed_association_rates,
)
from wirelax.kernels.blocklength import (
    channel_dispersion,
    decoding_error_probability,
    finite_blocklength_rate,
    inverse_q,
    parallel_blocklength_rate,
)
from wirelax.kernels.edges import edge_activity, edge_interference, edge_sinr, relaxed_edge_rates
from wirelax.kernels.energy import energy_efficiency, total_power_w
from wirelax.kernels.noma import InterferenceGain, ordered_sic_sinr, sic_order, sic_sinr
from wirelax.kernels.ofdma import assigned_link_gain, assigned_sinr
from wirelax.kernels.rate import rate, spectral_efficiency
from wirelax.kernels.sinr import all_pairs_sinr, interference, link_powers, link_sinr
from wirelax.kernels.utility import log_utility, sum_utility, weighted_sum_utility

__all__ = [
    "InterferenceGain",
    "activity",
    "all_pairs_sinr",
    "assigned_link_gain",
    "assigned_sinr",
    "associated_rates",
    "associated_sinr",
    "association_load",
    "association_mask",
    "channel_dispersion",
    "decoding_error_probability",
    "edge_activity",
    "edge_interference",
    "edge_sinr",
    "energy_efficiency",
    "finite_blocklength_rate",
    "interference",
    "inverse_q",
    "jain_index",
    "link_powers",
    "link_sinr",
    "log_utility",
    "ordered_sic_sinr",
    "parallel_blocklength_rate",
    "rate",
    "relaxed_association_rates",
    "relaxed_edge_rates",
    "sic_order",
    "sic_sinr",
    "spectral_efficiency",
    "sum_utility",
    "total_power_w",
    "weighted_sum_utility",
]
