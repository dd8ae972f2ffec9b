from importlib import resources

import jax
import jax.numpy as jnp
import jraph
import numpy as np
import pytest
from flax import serialization

from wirelax.io import PolicyFileError, load_policy, load_shipped, save_policy
from wirelax.policies import Policy, Standardiser

PARAMS = {"params": {"a": jnp.arange(6.0).reshape(2, 3), "b": {"kernel": jnp.ones(4, jnp.bfloat16)}}}
SHIPPED = sorted(item.name for item in (resources.files("wirelax.data") / "weights").iterdir())


def policy(mean=None, std=None, params=PARAMS):
    standardise = Standardiser(mean=jnp.ones(2) if mean is None else mean, std=jnp.ones(2) if std is None else std)
    return Policy(name="dnn", params=params, standardise=standardise, meta={"seed": 3, "config": {"x_db": 1.5}})


def graph(value):
    return jraph.GraphsTuple(
        nodes=jnp.full((1, 2), value),
        edges={"gain": jnp.full(3, value)},
        senders=jnp.zeros(()),
        receivers=jnp.zeros(()),
        n_node=jnp.zeros(()),
        n_edge=jnp.zeros(()),
        globals=None,
    )


@pytest.mark.parametrize(
    "statistics",
    [
        lambda value: jnp.full(3, value),
        lambda value: jnp.asarray(value),
        lambda value: {"node": jnp.full((2, 1), value), "edge": {"gain": jnp.asarray(value)}},
        lambda value: (jnp.full(3, value), [jnp.full(2, value), {}]),
        graph,
    ],
    ids=["array", "scalar", "dict", "tuple", "graph"],
)
def test_what_is_saved_is_loaded(tmp_path, statistics):
    saved = policy(statistics(0.5), statistics(2.0))
    found = load_policy(save_policy(tmp_path / "p.msgpack", saved))
    assert (found.name, dict(found.meta)) == (saved.name, saved.meta)
    for got, wanted in ((found.params, saved.params), (found.standardise, saved.standardise)):
        assert jax.tree.structure(got) == jax.tree.structure(wanted)
        jax.tree.map(np.testing.assert_array_equal, got, wanted)
        assert [leaf.dtype for leaf in jax.tree.leaves(got)] == [leaf.dtype for leaf in jax.tree.leaves(wanted)]
    assert [item.name for item in tmp_path.iterdir()] == ["p.msgpack"]


def test_parts_of_other_types_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(TypeError, match=r"mean\.node is a set"):
        save_policy(tmp_path / "p.msgpack", policy(mean={"node": {1, 2}}))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_load(name):
    system = next(system for system in ("hetnet-ee", "noma", "uplink-qos", "hudn") if name.startswith(system))
    found = load_shipped(system, name.removeprefix(system + "-").removesuffix(".msgpack"))
    assert found.meta["system"] == system
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((found.params, found.standardise)))
    assert all((np.asarray(leaf) > 0).all() for leaf in jax.tree.leaves(found.standardise.std))


def test_weights_that_do_not_come_with_the_package():
    with pytest.raises(PolicyFileError, match="no weights come with wirelax for policy 'gnn' of 'noma'"):
        load_shipped("noma", "gnn")


@pytest.mark.parametrize(
    "content",
    [None, b"", b"nonsense", serialization.msgpack_serialize({"format": "wirelax-policy-0"}), b"\x01"],
)
def test_files_that_are_no_weights(tmp_path, content):
    path = tmp_path / "p.msgpack"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PolicyFileError, match=r"p\.msgpack"):
        load_policy(path)


def test_an_incomplete_file_is_told_so(tmp_path):
    path = save_policy(tmp_path / "p.msgpack", policy())
    content = serialization.msgpack_restore(path.read_bytes())
    del content["std"]
    path.write_bytes(serialization.msgpack_serialize(content))
    with pytest.raises(PolicyFileError, match="incomplete"):
        load_policy(path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(PolicyFileError, match="train it again"):
        load_policy(path)
