"""Differentiable surrogates of discrete functions."""

from wirelax.smoothing.softmax import tempered_softmax
from wirelax.smoothing.straight_through import straight_through, straight_through_argmax

__all__ = ["straight_through", "straight_through_argmax", "tempered_softmax"]
