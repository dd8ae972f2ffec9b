import dataclasses
from importlib import resources

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.channels import (
    load_munich_radiomap,
    load_munich_wideband,
    munich_hetnet_candidates,
    munich_positions,
    munich_stations,
    sample_munich_hetnet,
    sample_munich_radiomap,
)

hetnet = jax.jit(jax.vmap(lambda key, candidates: sample_munich_hetnet(candidates, 2, 4, key=key), (0, None)))


@pytest.fixture(scope="module")
def candidates():
    return munich_hetnet_candidates()


@pytest.fixture(scope="module")
def draws(candidates):
    return np.asarray(hetnet(jax.random.split(jax.random.key(0), 4000), candidates))


def raw(name):
    with np.load(str(resources.files("wirelax") / "data" / name), allow_pickle=False) as stored:
        return dict(stored)


def test_loaders_turn_levels_into_linear_gains_with_receiver_before_transmitter():
    radiomap, wideband = load_munich_radiomap(), load_munich_wideband()
    level_db = raw("munich_radiomap.npz")["path_gain_db"].astype(np.float64)
    np.testing.assert_allclose(radiomap.gain, 10 ** (level_db.T / 10), rtol=1e-5)
    stored = raw("munich_wideband.npz")
    downlink = 10 ** (stored["downlink_gain_db"].astype(np.float64) / 10)
    np.testing.assert_allclose(wideband.downlink_gain, downlink.transpose(2, 1, 0), rtol=1e-5)
    uplink = 10 ** (stored["uplink_mrc_gain_db"].astype(np.float64) / 10)
    np.testing.assert_allclose(wideband.uplink_mrc_gain, uplink, rtol=1e-5)
    np.testing.assert_array_equal(radiomap.gain == 0, np.isneginf(level_db.T))
    assert {radiomap.gain.dtype, wideband.downlink_gain.dtype, wideband.uplink_mrc_gain.dtype} == {np.dtype(np.float32)}


def test_maps_are_what_their_licence_page_says():
    radiomap, wideband = load_munich_radiomap(), load_munich_wideband()
    assert radiomap.gain.shape == (2988, 105)
    np.testing.assert_array_equal(radiomap.is_macro, np.arange(105) < 5)
    assert 0.69 < np.mean(radiomap.gain == 0) < 0.71
    assert np.sum(radiomap.gain > 0, axis=1).min() > 0  # some BS reaches every position
    assert wideband.downlink_gain.shape == (48, 600, 3)
    np.testing.assert_allclose(np.diff(wideband.rb_offset_hz), wideband.rb_bandwidth_hz)
    text = (resources.files("wirelax") / "data" / "LICENSE-munich.md").read_text(encoding="utf-8")
    assert "OpenStreetMap contributors" in text
    assert "Sionna RT" in text


def test_loaded_maps_are_kept_and_cannot_be_changed():
    radiomap = load_munich_radiomap()
    assert load_munich_radiomap() is radiomap
    assert load_munich_wideband() is load_munich_wideband()
    with pytest.raises(ValueError, match="read-only"):
        radiomap.gain[0, 0] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        radiomap.gain = None


def test_loading_first_inside_a_traced_function_is_harmless():
    load_munich_radiomap.cache_clear()
    traced = jax.jit(lambda: jnp.max(load_munich_radiomap().gain))()
    assert isinstance(load_munich_radiomap().gain, np.ndarray)
    np.testing.assert_array_equal(traced, load_munich_radiomap().gain.max())


def test_candidates_are_the_users_of_their_strongest_bs(candidates):
    gain = load_munich_wideband().downlink_gain.astype(np.float64)
    strongest = [max(range(3), key=lambda bs: gain[:, ue, bs].mean()) for ue in range(600)]
    reached = [gain[:, ue].max() > 0 for ue in range(600)]
    for bs in range(3):
        wanted = [ue for ue in range(600) if reached[ue] and strongest[ue] == bs]
        row = np.asarray(candidates.user_index[bs])
        assert candidates.user_count[bs] == len(wanted)
        np.testing.assert_array_equal(row[: len(wanted)], wanted)
        assert (row[len(wanted) :] == -1).all()
    assert sum(candidates.user_count) == sum(reached) == 591


def test_an_instance_is_a_cut_of_the_map_with_distinct_users_of_the_right_bs(candidates, draws):
    gain = load_munich_wideband().downlink_gain
    assert draws.shape == (4000, 4, 6, 3)
    lists = [set(np.asarray(row)[np.asarray(row) >= 0].tolist()) for row in candidates.user_index]
    for draw in draws[:5]:
        equal = (draw[:, :, None, None, :] == gain).all(axis=-1)  # [subchannel, user, RB, UE]
        # One UE matches a user on all subchannels, one RB a subchannel for all users.
        ues = [np.flatnonzero(equal[:, u].any(axis=1).all(axis=0)) for u in range(6)]
        rbs = [np.flatnonzero(equal[k].any(axis=2).all(axis=0)) for k in range(4)]
        assert all(len(found) == 1 for found in [*ues, *rbs])
        assert len({int(found[0]) for found in ues}) == 6
        assert len({int(found[0]) for found in rbs}) == 4
        assert all(int(found[0]) in lists[u // 2] for u, found in enumerate(ues))
        np.testing.assert_array_equal(draw, gain[np.ix_(np.concatenate(rbs), np.concatenate(ues))])


def test_draws_are_uniform_over_users_and_rbs_in_every_place(candidates, draws):
    gain = np.asarray(candidates.gain, dtype=np.float64)
    for user in range(6):
        bs = user // 2
        index = np.asarray(candidates.user_index[bs])[: candidates.user_count[bs]]
        level = np.log(gain[:, index, bs] + 1e-20)
        got = np.log(draws[:, :, user, bs].astype(np.float64) + 1e-20)
        spread = level.mean(axis=0).std() / np.sqrt(len(draws)) + level.std(axis=0).mean() / 50
        np.testing.assert_allclose(got.mean(), level.mean(), atol=4 * spread)


@pytest.mark.slow  # one operation after the other
def test_hetnet_draw_does_not_depend_on_jit_or_vmap(candidates, draws):
    eager = sample_munich_hetnet(candidates, 2, 4, key=jax.random.split(jax.random.key(0), 4000)[1])
    np.testing.assert_array_equal(draws[1], eager)


@pytest.mark.parametrize(("population", "count"), [(10, 4), (5, 5)])
def test_radiomap_draw_is_a_uniform_set_of_rows_in_grid_order(population, count):
    grid = jnp.arange(float(population))[:, None] * jnp.ones((1, 2))
    draw = jax.jit(jax.vmap(lambda key, gain: sample_munich_radiomap(gain, count, key=key), (0, None)))
    got = np.asarray(draw(jax.random.split(jax.random.key(3), 5000), grid))[..., 0].astype(int)
    assert got.shape == (5000, count)
    assert (np.diff(got, axis=1) > 0).all()
    drawn = np.zeros((5000, population))
    np.put_along_axis(drawn, got, 1, axis=1)
    pairs = drawn.T @ drawn / 5000
    np.testing.assert_allclose(np.diag(pairs), count / population, atol=0.03)
    apart = pairs[~np.eye(population, dtype=bool)]
    np.testing.assert_allclose(apart, count * (count - 1) / population / (population - 1), atol=0.03)


def test_positions_are_those_of_the_radiomap_draw():
    grid, key = jnp.arange(30.0)[:, None] * jnp.array([1.0, 100.0]), jax.random.key(5)
    rows = munich_positions(30, 12, key=key)
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(sample_munich_radiomap(grid, 12, key=key), grid[rows])
    np.testing.assert_array_equal(munich_positions(7, 7, key=key), np.arange(7))


def test_stations_are_all_macros_and_a_uniform_draw_of_the_small_ones():
    is_macro = np.arange(9) < 2
    draw = jax.jit(jax.vmap(lambda key: munich_stations(is_macro, 5, key=key)))
    got = np.asarray(draw(jax.random.split(jax.random.key(0), 4000)))
    assert got.shape == (4000, 5)
    np.testing.assert_array_equal(got[:, :2], np.broadcast_to([0, 1], (4000, 2)))
    assert (np.diff(got, axis=1) > 0).all()
    np.testing.assert_allclose(np.bincount(got[:, 2:].ravel(), minlength=9)[2:] / 4000, 3 / 7, atol=0.035)
    for count in (2, 9):  # the macros alone, and everything
        np.testing.assert_array_equal(munich_stations(is_macro, count, key=jax.random.key(1)), np.arange(count))


@pytest.mark.parametrize("count", [1, 10])
def test_stations_beyond_the_map_are_refused(count):
    with pytest.raises(ValueError, match=f"num_bss must be between 2 and 9 on this map, got {count}"):
        munich_stations(np.arange(9) < 2, count, key=jax.random.key(0))


@pytest.mark.parametrize(("users", "subchannels"), [(0, 2), (75, 2), (2, 0), (2, 49)])
def test_sizes_beyond_the_map_are_refused(candidates, users, subchannels):
    with pytest.raises(ValueError, match=r"must be between 1 and (74|48) on this map, got \d+"):
        sample_munich_hetnet(candidates, users, subchannels, key=jax.random.key(0))
    with pytest.raises(ValueError, match="num_ues must be between 1 and 7 on this map, got 8"):
        sample_munich_radiomap(np.ones((7, 2)), 8, key=jax.random.key(0))
