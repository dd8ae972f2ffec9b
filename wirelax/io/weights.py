"""Files of weights: one msgpack file with a policy's parameters, feature statistics and what they belong to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wirelax.io.atomic import write_atomic
from wirelax.io.errors import PolicyFileError, first_line

if TYPE_CHECKING:
    from wirelax.policies import Policy

__all__ = ["load_policy", "load_shipped", "save_policy"]

FORMAT = "wirelax-policy-1"
_TUPLE, _GRAPH = "__tuple__", "__graph__"


def save_policy(path: str | os.PathLike[str], policy: Policy) -> Path:
    """Write a policy to one file, atomically, over one that is there.

    Args:
        path: the file, ``.msgpack``.
        policy: its parameters, means and deviations are nested dicts, lists, tuples and graphs
            (``jraph.GraphsTuple``) of arrays.

    Returns:
        The path written.

    Raises:
        OutputError: it cannot be written there.
        TypeError: a part is of another type.
    """
    from flax import serialization

    content = {
        "format": FORMAT,
        "name": policy.name,
        "meta": json.dumps(policy.meta, sort_keys=True),
        "mean": _packed(policy.standardise.mean, "mean"),
        "std": _packed(policy.standardise.std, "std"),
        "params": _packed(policy.params, "params"),
    }
    return write_atomic(path, serialization.msgpack_serialize(content))


def load_policy(path: str | os.PathLike[str]) -> Policy:
    """Read a policy written by `save_policy`.

    Raises:
        PolicyFileError: the file is missing, broken, or not a policy of this format.
    """
    from flax import serialization

    from wirelax.policies import Policy, Standardiser

    path = Path(path)
    try:
        content = serialization.msgpack_restore(path.read_bytes())
    except FileNotFoundError:
        raise PolicyFileError(f"{path} does not exist; name the directory of a finished training run") from None
    except OSError as error:
        raise PolicyFileError(f"{path} cannot be read ({first_line(error)})") from error
    except Exception as error:  # msgpack raises almost anything
        raise PolicyFileError(f"{path} is not a policy file ({type(error).__name__}); train it again") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise PolicyFileError(f"{path} is not a policy of format {FORMAT}; train it again with this version")
    try:
        return Policy(
            name=content["name"],
            params=_unpacked(content["params"]),
            standardise=Standardiser(mean=_unpacked(content["mean"]), std=_unpacked(content["std"])),
            meta=json.loads(content["meta"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise PolicyFileError(
            f"{path} is an incomplete policy file ({type(error).__name__}); train it again"
        ) from error


@lru_cache(maxsize=32)
def load_shipped(system: str, name: str) -> Policy:
    """A policy whose weights come with the package.

    Raises:
        PolicyFileError: there are none of this name.
    """
    file = resources.files("wirelax.data") / "weights" / f"{system}-{name}.msgpack"
    if not file.is_file():
        raise PolicyFileError(f"no weights come with wirelax for policy {name!r} of {system!r}; train it")
    return load_policy(str(file))


def _packed(tree: Any, where: str) -> Any:
    """Nested dicts, lists, tuples and graphs of arrays as what msgpack keeps: it would turn tuples into lists."""
    if isinstance(tree, Mapping):
        return {str(key): _packed(value, f"{where}.{key}") for key, value in tree.items()}
    if type(tree) in (list, tuple):
        items = [_packed(value, f"{where}[{i}]") for i, value in enumerate(tree)]
        return items if isinstance(tree, list) else {_TUPLE: items}
    if type(tree).__name__ == "GraphsTuple":
        return {_GRAPH: _packed(tree._asdict(), where)}
    if tree is None or hasattr(tree, "dtype") or isinstance(tree, int | float):
        return None if tree is None else np.asarray(tree)
    raise TypeError(f"{where} is a {type(tree).__name__}; weights files hold dicts, lists, tuples, graphs of arrays")


def _unpacked(tree: Any) -> Any:
    import jax.numpy as jnp

    if isinstance(tree, dict):
        values = {key: _unpacked(value) for key, value in tree.items()}
        if set(values) == {_TUPLE}:
            return tuple(values[_TUPLE])
        if set(values) == {_GRAPH}:
            from jraph import GraphsTuple

            return GraphsTuple(**values[_GRAPH])
        return values
    if isinstance(tree, list):
        return [_unpacked(value) for value in tree]
    return None if tree is None else jnp.asarray(tree)
