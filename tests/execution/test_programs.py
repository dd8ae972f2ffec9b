"""Batches in chunks and over cores give what ``vmap`` gives, by programs that are compiled once."""

from collections import Counter
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.execution import (
    batch_length,
    clear_programs,
    compiled,
    map_chunks,
    parts_by_default,
    timed_warm,
    usable_cores,
)
from wirelax.execution import programs as module

TRACES = Counter()


def newton_root(pair):
    """A loop whose length differs between instances, as solvers have it."""
    a, key = pair
    start = a + jax.random.uniform(key)
    root = jax.lax.while_loop(lambda x: jnp.abs(x * x - a) > 1e-3 * a, lambda x: 0.5 * (x + a / x), start)
    return {"root": root, "pair": jnp.stack([root, a])}


def shifted_roots(batch, shift):
    return jax.vmap(lambda pair: jax.tree.map(lambda v: v + shift, newton_root(pair)))(batch)


@dataclass(frozen=True)
class Scaled:
    """Counts its traces; equal to others of the same factor."""

    factor: float

    def __call__(self, batch, shift):
        TRACES[self.factor] += 1
        return self.factor * batch + shift


@pytest.fixture
def batch(key):
    return jnp.arange(1.0, 12.0), jax.random.split(key, 11)


@pytest.fixture
def no_programs():
    clear_programs()
    TRACES.clear()
    yield
    clear_programs()


def same(got, wanted):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), got, wanted)


@pytest.mark.parametrize("size", [1, 4, 5, 11, 64])
def test_chunks_equal_vmap(batch, size):
    same(jax.jit(lambda b: map_chunks(newton_root, b, size))(batch), jax.vmap(newton_root)(batch))
    assert batch_length(batch) == 11


def test_chunks_compile_the_function_once(batch):
    """`jax.lax.map` compiles it twice where the chunks leave something over."""
    text = jax.jit(lambda b: map_chunks(newton_root, b, 4)).lower(batch).as_text()
    twice = jax.jit(lambda b: jax.lax.map(newton_root, b, batch_size=4)).lower(batch).as_text()
    assert text.count("stablehlo.divide") < twice.count("stablehlo.divide")


@pytest.mark.parametrize("parts", [None, 1, 2, 3, 11, 64])
def test_parts_equal_vmap(batch, parts):
    run, _ = compiled(shifted_roots, batch, jnp.float32(2.0), parts=parts)
    same(run(batch, jnp.float32(2.0)), shifted_roots(batch, 2.0))
    assert run.size == -(-11 // min(parts or parts_by_default(), 11))


def test_a_program_is_compiled_once_for_equal_functions_and_shapes(no_programs):
    first, seconds = compiled(Scaled(2.0), np.ones(4, np.float32), jnp.float32(1), parts=1)
    again, none = compiled(Scaled(2.0), np.zeros(4, np.float32), jnp.float32(3), parts=1)
    assert again is first
    assert (seconds > 0, none) == (True, 0.0)
    np.testing.assert_array_equal(again(np.zeros(4, np.float32), jnp.float32(3)), 3.0)
    compiled(Scaled(2.0), np.ones(8, np.float32), jnp.float32(1), parts=2)  # parts of the same size
    assert TRACES[2.0] == 1
    compiled(Scaled(2.0), np.ones(5, np.float32), jnp.float32(1), parts=1)
    compiled(Scaled(2.0), np.ones((4, 2), np.float32), jnp.float32(1), parts=1)
    assert TRACES[2.0] == 3
    compiled(Scaled(3.0), np.ones(4, np.float32), jnp.float32(1), parts=1)
    assert TRACES[3.0] == 1


def test_precision_is_part_of_what_a_program_is_for(no_programs):
    batch = np.arange(5.0)
    single, _ = compiled(Scaled(2.0), batch, jnp.float32(0), parts=2)
    with jax.enable_x64(True):
        double, seconds = compiled(Scaled(2.0), batch, jnp.float64(0), parts=2)
        assert seconds > 0
        assert double(jnp.asarray(batch), jnp.float64(0)).dtype == np.float64
    assert np.asarray(single(jnp.asarray(batch), jnp.float32(0))).dtype == np.float32


def test_the_oldest_program_goes_first(no_programs, monkeypatch):
    monkeypatch.setattr(module, "MAX_PROGRAMS", 2)
    batch = np.ones(1, np.float32)
    for factor in (1.0, 2.0, 1.0, 3.0, 1.0, 2.0):
        compiled(Scaled(factor), batch, jnp.float32(0), parts=1)
    assert TRACES == {1.0: 1, 2.0: 2, 3.0: 1}


def test_an_error_in_a_part_is_raised(batch):
    run, _ = compiled(shifted_roots, batch, jnp.float32(0), parts=2)
    with pytest.raises((TypeError, ValueError)):
        run((batch[0].astype(jnp.int32), batch[1]), jnp.float32(0))


def test_an_accelerator_takes_the_batch_whole(monkeypatch):
    assert parts_by_default() == usable_cores() >= 1
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert parts_by_default() == 1


def test_short_runs_are_timed_several_times():
    calls = []
    found, seconds = timed_warm(lambda x: calls.append(x) or jnp.asarray(x), 3)
    assert found == 3
    assert 0 < seconds < 1
    assert len(calls) > 1
