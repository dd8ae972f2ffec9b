"""Differentiable surrogates of discrete functions."""

from wirelax.smoothing.indicators import adaptive_indicator_sharpness, indicator, smooth_indicator
from wirelax.smoothing.pair_sharpness import adaptive_piecewise_max_sharpness
from wirelax.smoothing.penalty import violation_penalty
from wirelax.smoothing.piecewise import piecewise_max, smooth_piecewise_max
from wirelax.smoothing.softmax import tempered_softmax
from wirelax.smoothing.straight_through import straight_through, straight_through_argmax

__all__ = [
    "adaptive_indicator_sharpness",
    "adaptive_piecewise_max_sharpness",
    "indicator",
    "piecewise_max",
    "smooth_indicator",
    "smooth_piecewise_max",
    "straight_through",
    "straight_through_argmax",
    "tempered_softmax",
    "violation_penalty",
]
