"""A trained policy: network, weights, normalisation statistics and the configuration they belong to."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import serialization
from jaxtyping import Array, Float

from wirelax.channels import ChannelFileError

__all__ = ["Policy", "Standardiser", "check_trained_for", "load_policy", "load_shipped", "save_policy"]

FORMAT = "wirelax-policy-1"


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class Standardiser:
    """Shift and scale of features, from the statistics of a training set; travels with the weights."""

    mean: Float[Array, "..."]
    std: Float[Array, "..."]

    @classmethod
    def fit(cls, features: Float[Array, "batch ..."], *, shared: bool = False) -> Standardiser:
        """Statistics over the batch, per feature or (`shared`) over all features together."""
        axes = None if shared else 0
        values = np.asarray(features, dtype=np.float64)
        mean, std = values.mean(axis=axes), values.std(axis=axes)
        as_array = lambda value: jnp.asarray(value, jnp.float32)  # noqa: E731
        return cls(mean=as_array(mean), std=as_array(np.where(std > 0, std, 1.0)))

    def __call__(self, features: Array) -> Array:
        """Features with zero mean and unit variance over the training set."""
        return (features - self.mean) / self.std


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a weights file holds.

    Attributes:
        name: the recipe that the network comes from.
        params: Flax parameters.
        standardise: feature statistics.
        meta: plain data: system, configuration, seed, training history in short, versions.
    """

    name: str
    params: Any
    standardise: Standardiser
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_parameters(self) -> int:
        """Trained numbers."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.params))

    @property
    def state(self) -> dict[str, Any]:
        """The arrays, as a pytree to pass to jitted functions."""
        return {"params": self.params, "standardise": self.standardise}


def outputs_of(apply: Callable[..., Any], state: Mapping[str, Any], features: Array) -> Any:
    """Network outputs for the raw features of one channel."""
    return apply(state["params"], state["standardise"](features))


def save_policy(path: str | os.PathLike[str], policy: Policy) -> None:
    """Write a policy to one msgpack file, atomically."""
    path = Path(path)
    content = {
        "format": FORMAT,
        "name": policy.name,
        "meta": json.dumps(policy.meta, sort_keys=True),
        "mean": np.asarray(policy.standardise.mean),
        "std": np.asarray(policy.standardise.std),
        "params": jax.tree.map(np.asarray, policy.params),
    }
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(serialization.msgpack_serialize(content))
    os.replace(temporary, path)


def load_policy(path: str | os.PathLike[str]) -> Policy:
    """Read a policy written by `save_policy`.

    Raises:
        ChannelFileError: the file is missing, or not a policy of this format.
    """
    path = Path(path)
    try:
        content = serialization.msgpack_restore(path.read_bytes())
    except FileNotFoundError:
        raise ChannelFileError(f"{path} does not exist; name the directory of a finished training run") from None
    except Exception as error:
        raise ChannelFileError(f"{path} is not a policy file ({type(error).__name__}); train it again") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ChannelFileError(f"{path} is not a policy of format {FORMAT}; train it again with this version")
    return Policy(
        name=content["name"],
        params=jax.tree.map(jnp.asarray, content["params"]),
        standardise=Standardiser(mean=jnp.asarray(content["mean"]), std=jnp.asarray(content["std"])),
        meta=json.loads(content["meta"]),
    )


@lru_cache(maxsize=32)
def load_shipped(system: str, name: str) -> Policy:
    """A policy whose weights come with the package."""
    return load_policy(str(resources.files("wirelax.data") / "weights" / f"{system}-{name}.msgpack"))


def check_trained_for(policy: Policy, config: Any, fields: Sequence[str], remedy: str) -> None:
    """Raise ValueError where a policy was trained with other sizes than a configuration has.

    Args:
        policy: its training configuration is in ``meta``.
        config: the configuration wanted.
        fields: of both, that the network's shape depends on.
        remedy: what to do, the end of the message.
    """
    trained = policy.meta.get("config", {})
    if any(trained.get(name) != getattr(config, name) for name in fields):
        listed = lambda value: ", ".join(f"{name}={value(name)}" for name in fields)  # noqa: E731
        raise ValueError(
            f"policy {policy.name!r} was trained for {listed(trained.get)}, the channels have "
            f"{listed(lambda name: getattr(config, name))}; {remedy}"
        )
