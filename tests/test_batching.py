"""Batches in chunks and over cores give what ``vmap`` gives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.batching import OverCores, map_chunks, usable_cores


def newton_root(pair):
    """A loop whose length differs between instances, as solvers have it."""
    a, key = pair
    start = a + jax.random.uniform(key)
    root = jax.lax.while_loop(lambda x: jnp.abs(x * x - a) > 1e-3 * a, lambda x: 0.5 * (x + a / x), start)
    return {"root": root, "pair": jnp.stack([root, a])}


@pytest.fixture
def batch(key):
    return jnp.arange(1.0, 12.0), jax.random.split(key, 11)


def same(got, wanted):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), got, wanted)


@pytest.mark.parametrize("size", [1, 4, 5, 11, 64])
def test_chunks_equal_vmap(batch, size):
    same(jax.jit(lambda b: map_chunks(newton_root, b, size))(batch), jax.vmap(newton_root)(batch))


def test_chunks_compile_the_function_once(batch):
    """`jax.lax.map` compiles it twice where the chunks leave something over."""
    text = jax.jit(lambda b: map_chunks(newton_root, b, 4)).lower(batch).as_text()
    twice = jax.jit(lambda b: jax.lax.map(newton_root, b, batch_size=4)).lower(batch).as_text()
    assert text.count("stablehlo.divide") < twice.count("stablehlo.divide")


@pytest.mark.parametrize("parts", [None, 1, 2, 3, 11, 64])
def test_parts_equal_vmap(batch, parts):
    shifted = lambda b, shift: jax.vmap(lambda pair: jax.tree.map(lambda v: v + shift, newton_root(pair)))(b)  # noqa: E731
    compiled = OverCores.compile(shifted, batch, 2.0, parts=parts)
    same(compiled(batch, 2.0), shifted(batch, 2.0))
    assert compiled.compile_seconds > 0


def test_threads_keep_the_precision(x64):
    batch = jnp.arange(5.0)
    assert batch.dtype == jnp.float64
    compiled = OverCores.compile(lambda b: jnp.sqrt(b), batch, parts=2)
    np.testing.assert_array_equal(compiled(batch), np.sqrt(np.arange(5.0)))


def test_an_error_in_a_part_is_raised(batch):
    compiled = OverCores.compile(jax.vmap(newton_root), batch, parts=2)
    with pytest.raises((TypeError, ValueError)):
        compiled((batch[0].astype(jnp.int32), batch[1]))


def test_an_accelerator_takes_the_batch_whole(monkeypatch):
    assert usable_cores() >= 1
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert usable_cores() == 1
