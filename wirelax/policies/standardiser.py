"""Shift and scale of features, whatever their structure: an array, a dict of arrays, a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from wirelax.errors import InputError

__all__ = ["Shared", "Standardiser"]

Shared = bool | Literal["nodes", "none"]
"""Which entries of a leaf share a mean and a deviation: none (False), all (True), or all along every axis but the
last ("nodes": one for each feature of a graph's nodes or edges, any number of them). "none": features are left as they
are."""


def _statistics(leaf: ArrayLike, shared: Shared) -> tuple[jax.Array, jax.Array]:
    values = np.asarray(leaf)
    if shared == "none" or not np.issubdtype(values.dtype, np.inexact) or values.size == 0:
        return jnp.zeros((), jnp.float32), jnp.ones((), jnp.float32)
    values = values.astype(np.float64)
    axes = {False: 0, True: None, "nodes": tuple(range(max(values.ndim - 1, 1)))}[shared]
    mean, std = values.mean(axis=axes), values.std(axis=axes)
    return jnp.asarray(mean, jnp.float32), jnp.asarray(np.where(std > 0, std, 1.0), jnp.float32)


def _scale(leaf: Any, mean: jax.Array, std: jax.Array) -> Any:
    if not jnp.issubdtype(jnp.result_type(leaf), jnp.inexact):
        return leaf
    if jnp.shape(leaf)[jnp.ndim(leaf) - jnp.ndim(mean) :] != jnp.shape(mean):
        raise InputError(
            f"features of shape {jnp.shape(leaf)} do not fit the statistics of the training, {jnp.shape(mean)}; run "
            "the policy at the sizes that it was trained for, or train it with PolicySpec(shared_statistics=True)"
        )
    return (leaf - mean) / std


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Standardiser:
    """Shift and scale of features, from the statistics of a training set; travels with the weights.

    Attributes:
        mean: pytree of the structure of the features.
        std: the same; 1 where a feature never changes.
    """

    mean: Any
    std: Any

    @classmethod
    def fit(cls, features: Any, *, shared: Shared = False) -> Standardiser:
        """Statistics over a batch.

        Args:
            features: pytree whose leaves have a common leading batch axis. Leaves of integers and booleans (the ends
                of edges, counts, masks) get a mean of 0 and a deviation of 1 and are never touched.
            shared: which entries of a leaf have one mean and deviation together, see `Shared`.
        """
        leaves, structure = jax.tree.flatten(features)
        found = [_statistics(leaf, shared) for leaf in leaves]
        mean, std = (jax.tree.unflatten(structure, [pair[i] for pair in found]) for i in range(2))
        return cls(mean=mean, std=std)

    def __call__(self, features: Any) -> Any:
        """Features with zero mean and unit variance over the training set; integers and booleans as they are."""
        return jax.tree.map(_scale, features, self.mean, self.std)
