"""Where batches come from."""

import jax
import jax.numpy as jnp
import numpy as np

from wirelax.training import event, fresh, held_out_rows, mapped, rows, together


def test_rows_come_from_the_data():
    x = np.arange(64.0)
    batch = jax.device_get(jax.jit(rows(7).draw)({"x": x, "y": 3 * x}, jax.random.key(0)))
    assert batch["x"].shape == (7,)
    assert np.isin(batch["x"], x).all()
    np.testing.assert_array_equal(batch["y"], 3 * batch["x"])


def test_held_out_rows_are_never_trained_on():
    data = {"row": jnp.arange(40)}
    batch = jax.jit(rows(300, held_out=0.25).draw)(data, jax.random.key(0))
    assert set(np.asarray(batch["row"])) == set(range(30))
    assert set(np.asarray(held_out_rows(data, 0.25)["row"])) == set(range(30, 40))


def test_fresh_samples_differ_and_see_their_data():
    draw = jax.jit(fresh(lambda data, key: {"x": data + jax.random.uniform(key, (3,))}, 5).draw)
    one, two = (draw(100.0, jax.random.key(i)) for i in (1, 2))
    assert one["x"].shape == (5, 3)
    assert len(np.unique([one["x"], two["x"]])) == 30
    assert (one["x"] >= 100).all()


def test_an_event_is_a_batch_of_one_whatever_the_key():
    data = {"x": jnp.arange(3.0), "n": 4}
    one, two = (event().draw(data, jax.random.key(i)) for i in (1, 2))
    np.testing.assert_array_equal(one["x"], [[0.0, 1.0, 2.0]])
    np.testing.assert_array_equal(one["n"], [4])
    jax.tree.map(np.testing.assert_array_equal, one, two)


def test_mapped_changes_every_instance_with_a_key_of_its_own():
    source = mapped(rows(6), lambda row, key: (row, row + jax.random.uniform(key)))
    row, changed = jax.jit(source.draw)(jnp.arange(20.0), jax.random.key(0))
    shift = np.asarray(changed - row)
    assert ((shift >= 0) & (shift <= 1)).all()
    assert len(np.unique(shift)) == 6


def test_together_gives_every_source_its_data():
    source = together(old=rows(4), new=fresh(lambda data, key: data * jax.random.uniform(key, minval=1.0), 2))
    batch = jax.jit(source.draw)({"old": jnp.arange(3.0), "new": 1000.0}, jax.random.key(0))
    assert batch["old"].shape == (4,)
    assert batch["old"].max() < 3
    assert batch["new"].shape == (2,)
    assert batch["new"].min() >= 1000
