"""The random city: places of buildings, BSs and users, and gains against a slow ray test in plain Python."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.channels import (
    PICO_LOS,
    PICO_NLOS,
    PUBLISHED_LOS,
    PUBLISHED_NLOS,
    city_gain,
    macro_sites,
    outdoor_users,
    path_gain,
    sample_city,
)

SIDE_M, MACROS, SMALL, BUILDINGS, USERS, POINTS = 200.0, 5, 100, 20, 120, 40
LAYOUTS = 24


def draw(key):
    """One city of Zhang et al. (HBGNN), section IV, its users and its gains, also with the published path loss."""
    layout_key, ue_key = jax.random.split(key)
    layout = sample_city(MACROS, SMALL, BUILDINGS, key=layout_key)
    users = outdoor_users(layout, USERS, POINTS, key=ue_key)
    gains = city_gain(layout, users, PICO_LOS, PICO_NLOS), city_gain(layout, users, PUBLISHED_LOS, PUBLISHED_NLOS)
    return layout, users, gains


@functools.cache
def cities():
    """Many of them, as NumPy arrays with a leading axis."""
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(1), LAYOUTS)))


def city(which):
    return jax.tree.map(lambda x: x[which], cities())


def under_a_roof(place, layout):
    """Indices of the buildings whose ground plan holds a place."""
    low, high = layout.box_min[:, :2], layout.box_max[:, :2]
    return [b for b in range(len(low)) if all(low[b, a] <= place[a] <= high[b, a] for a in (0, 1))]


@pytest.mark.parametrize("count", [1, 5])
def test_macros_stand_in_the_middle_and_in_the_middles_of_the_quarters(count):
    wanted = [(100, 100), (50, 50), (50, 150), (150, 50), (150, 150)][:count]
    np.testing.assert_allclose(macro_sites(count, 200.0), wanted)


@pytest.mark.parametrize("count", [2, 3, 4, 9])
def test_any_other_number_of_macros_stands_evenly_on_a_circle(count):
    sites = np.asarray(macro_sites(count, 80.0), float) - 40
    np.testing.assert_allclose(np.hypot(*sites.T), 24.0, rtol=1e-5)
    step = np.diff(np.degrees(np.arctan2(sites[:, 1], sites[:, 0]))) % 360
    np.testing.assert_allclose(step, 360 / count, rtol=1e-4)


def test_no_macros():
    assert macro_sites(0, 200.0).shape == (0, 2)


def test_buildings_stand_apart_within_the_city():
    layouts, _, _ = cities()
    assert layouts.box_min.shape == layouts.box_max.shape == (LAYOUTS, BUILDINGS, 3)
    sizes = (layouts.box_max - layouts.box_min).reshape(-1, 3)
    np.testing.assert_allclose(sizes, np.broadcast_to([20, 20, 30], sizes.shape), rtol=1e-5)
    np.testing.assert_array_equal(layouts.box_min[..., 2], 0)
    assert layouts.box_min.min() >= 0
    assert layouts.box_max.max() <= SIDE_M + 1e-4
    for corners in layouts.box_min[..., :2]:
        for one, other in itertools.combinations(corners, 2):
            assert max(abs(one - other)) >= 20
    # Anywhere: the middle of the four quarters of what corners may be takes a fourth each.
    counts, _, _ = np.histogram2d(*layouts.box_min[..., :2].reshape(-1, 2).T, bins=2, range=[[0, 180], [0, 180]])
    np.testing.assert_allclose(counts / counts.sum(), 0.25, atol=0.06)


def test_small_cities_with_room_for_all_buildings_just_so():
    """Nine buildings of 20 m where 16 would fit side by side: chance alone would hardly ever place them apart."""
    layout = jax.jit(lambda key: sample_city(1, 3, 9, side_m=110.0, key=key))(jax.random.key(0))
    corners = np.asarray(layout.box_min)[:, :2]
    assert all(max(abs(one - other)) >= 20 for one, other in itertools.combinations(corners, 2))
    crowded = jax.jit(lambda key: sample_city(1, 3, 9, side_m=30.0, key=key))(jax.random.key(0))
    assert np.isfinite(np.asarray(crowded.box_min)).all()  # they overlap: there is no room
    assert np.asarray(crowded.box_max).max() <= 30 + 1e-4


def test_bss_stand_on_the_ground_or_on_the_roof_of_their_building():
    layouts, _, _ = cities()
    roofs = 0
    for which in range(LAYOUTS):
        layout = city(which)[0]
        np.testing.assert_allclose(layout.bs_position_m[:MACROS, :2], macro_sites(MACROS, SIDE_M))
        for bs, (place, on_roof) in enumerate(zip(layout.bs_position_m, layout.on_roof, strict=True)):
            below = under_a_roof(place, layout)
            np.testing.assert_array_equal(np.flatnonzero(on_roof), below)
            street_m = 25.0 if bs < MACROS else 10.0
            assert place[2] == (32.0 if below else street_m)
            roofs += bool(below)
    small = layouts.bs_position_m[:, MACROS:, :2].reshape(-1, 2)
    assert small.min() >= 0
    assert small.max() <= SIDE_M
    np.testing.assert_allclose(small.mean(0), 100.0, atol=4 * 200 / np.sqrt(12 * len(small)))
    np.testing.assert_allclose(roofs / layouts.on_roof[..., 0].size, BUILDINGS * 0.01, atol=0.03)  # of the ground


def test_users_stand_on_different_outdoor_points_in_the_order_of_the_grid():
    seen = np.zeros(POINTS**2)
    for which in range(LAYOUTS):
        layout, users, _ = city(which)
        assert users.shape == (USERS, 3)
        np.testing.assert_array_equal(users[:, 2], np.float32(1.5))
        step = SIDE_M / POINTS
        column = users[:, :2] / step - 0.5
        np.testing.assert_allclose(column, column.round(), atol=1e-4)
        index = (column.round() @ [POINTS, 1]).astype(int)
        assert (np.diff(index) > 0).all()
        assert not any(under_a_roof(place, layout) for place in users)
        seen[index] += 1
    assert (seen.reshape(2, POINTS // 2, POINTS).sum((1, 2)) / (LAYOUTS * USERS) > 0.45).all()


@pytest.mark.parametrize("users", [9, 16])
def test_users_are_outdoors_as_far_as_there_is_room(users):
    """A building on the lower left four of sixteen points, the last of them on its walls."""
    layout = city(0)[0]
    box = jnp.array([[0.0, 0.0, 0.0]]), jnp.array([[15.0, 15.0, 30.0]])
    layout = type(layout)(
        box_min=box[0], box_max=box[1], bs_position_m=jnp.zeros((1, 3)), on_roof=jnp.zeros((1, 1)) > 0
    )
    keys = jax.random.split(jax.random.key(0), 400)
    places = np.asarray(
        jax.jit(jax.vmap(lambda key: outdoor_users(layout, users, 4, side_m=40.0, key=key)))(keys), float
    )
    indoors = (places[..., :2] <= 15).all(-1)
    np.testing.assert_array_equal(indoors.sum(1), max(users - 12, 0))
    if users == 9:  # each of the twelve points is drawn as often
        index = ((places[..., :2] / 10 - 0.5).round() @ [4, 1]).astype(int)
        share = np.bincount(index.ravel(), minlength=16)[np.bincount(index.ravel(), minlength=16) > 0] / 400
        assert len(share) == 12
        np.testing.assert_allclose(share, 0.75, atol=0.09)


@pytest.mark.parametrize("users", [0, 17])
def test_more_users_than_points_are_refused(users):
    layout = sample_city(1, 0, 0, key=jax.random.key(0))
    with pytest.raises(ValueError, match=f"num_ues is {users}; wanted 1 to 16, the points of the grid"):
        outdoor_users(layout, users, 4, key=jax.random.key(0))


def blocked(ue, bs, low, high):
    """Whether the way between two points meets the inside of a box: the part of it between each pair of walls."""
    first, last = 0.0, 1.0
    for start, end, near, far in zip(ue, bs, low, high, strict=True):
        if start == end:
            if not near < start < far:
                return False
            continue
        ways = sorted(((near - start) / (end - start), (far - start) / (end - start)))
        first, last = max(first, ways[0]), min(last, ways[1])
    return last - first > 1e-6


def test_gains_equal_a_slow_ray_test_and_the_printed_path_loss():
    """All links of one city but the few that touch a wall, in double precision; a BS's own building is no obstacle."""
    layout, users, (gain, published) = jax.tree.map(lambda x: x.astype(float), city(0))
    clear = np.zeros(gain.shape, bool)
    for i, j in np.ndindex(*gain.shape):
        ue, bs = users[i], layout.bs_position_m[j]
        boxes = [b for b in range(BUILDINGS) if not layout.on_roof[j, b]]
        clear[i, j] = not any(blocked(ue, bs, layout.box_min[b], layout.box_max[b]) for b in boxes)
    km = np.sqrt(((users[:, None] - layout.bs_position_m) ** 2).sum(-1)) / 1000
    decades = np.log10(km)
    for found, los, nlos in (
        (gain, 103.8 + 20.9 * decades, 145.4 + 37.5 * decades),
        (published, 10.38 + 20 * 2.09 * (decades + 3), 14.54 + 20 * 3.75 * (decades + 3)),
    ):
        wanted = 10 ** (-np.where(clear, los, nlos) / 10)
        equal = np.isclose(found, wanted, rtol=1e-4)
        assert equal.mean() > 0.9995
        either = np.isclose(found, 10 ** (-los / 10), rtol=1e-4) | np.isclose(found, 10 ** (-nlos / 10), rtol=1e-4)
        assert either.all()
    assert 0.2 < clear.mean() < 0.8


def test_a_roof_bs_looks_through_its_own_building_but_not_through_others():
    box_min = jnp.array([[0.0, 0.0, 0.0], [40.0, 0.0, 0.0]])
    box_max = box_min + jnp.array([20.0, 20.0, 30.0])
    bs = jnp.array([[10.0, 10.0, 32.0]])
    layout = type(city(0)[0])(box_min=box_min, box_max=box_max, bs_position_m=bs, on_roof=jnp.array([[True, False]]))
    users = jnp.array([[25.0, 10.0, 1.5], [70.0, 10.0, 1.5]])
    km = np.sqrt(((np.asarray(users) - np.asarray(bs)) ** 2).sum(-1)) / 1000
    wanted = [10 ** (-(103.8 + 20.9 * np.log10(km[0])) / 10), 10 ** (-(145.4 + 37.5 * np.log10(km[1])) / 10)]
    np.testing.assert_allclose(city_gain(layout, users, PICO_LOS, PICO_NLOS)[:, 0], wanted, rtol=1e-5)


def test_levels_at_100_m():
    """Of the paper's constants, and of the published code, which takes metres for kilometres."""
    for model, loss_db in ((PICO_LOS, 82.9), (PICO_NLOS, 107.9), (PUBLISHED_LOS, 93.98), (PUBLISHED_NLOS, 164.54)):
        np.testing.assert_allclose(10 * math.log10(path_gain(0.1, model)), -loss_db, atol=1e-3)


def test_links_above_the_noise_and_macros_as_strongest_bs():
    """At 50 and 20 dBm over -92 dBm two thirds of all links are above the noise; most UEs hear a macro best."""
    _, _, (gain, published) = cities()
    noise_w, power_w = 10 ** (-9.199 - 3), np.where(np.arange(MACROS + SMALL) < MACROS, 100.0, 0.1)
    received = gain * power_w
    assert 0.65 < (received > noise_w).mean() < 0.72
    assert 0.8 < (received.argmax(-1) < MACROS).mean() < 0.95
    # With the published path loss, 70 dB more without a view, only links with one are left.
    assert (published * power_w > noise_w).mean() < 0.5 * (received > noise_w).mean()


def test_draws_depend_on_the_key_alone():
    """Neither on jit nor on vmap, nor the layout on the number of users."""
    layout, users, (gain, _) = city(2)
    alone = jax.jit(draw)(jax.random.split(jax.random.key(1), LAYOUTS)[2])
    np.testing.assert_allclose(alone[0].bs_position_m, layout.bs_position_m, rtol=1e-6)
    np.testing.assert_allclose(alone[0].box_min, layout.box_min, rtol=1e-6)
    np.testing.assert_array_equal(alone[1], users)
    assert np.isclose(alone[2][0], gain, rtol=1e-4).mean() > 0.9995
    assert not np.allclose(city(3)[0].box_min, layout.box_min)
    assert not np.allclose(city(3)[0].bs_position_m[MACROS:], layout.bs_position_m[MACROS:])


def test_a_city_without_small_bss_and_without_buildings(x64):
    layout = sample_city(5, 0, 0, key=jax.random.key(0))
    assert (layout.bs_position_m.shape, layout.box_min.shape, layout.on_roof.shape) == ((5, 3), (0, 3), (5, 0))
    assert layout.bs_position_m.dtype == jnp.float64
    users = outdoor_users(layout, 100, 10, key=jax.random.key(0))  # all points of the grid
    grid = [(10 + 20 * i, 10 + 20 * j, 1.5) for i in range(10) for j in range(10)]
    np.testing.assert_allclose(users, grid, rtol=1e-12)
    km = np.sqrt(((np.array(grid)[:, None] - np.asarray(layout.bs_position_m)) ** 2).sum(-1)) / 1000
    wanted = 10 ** (-(103.8 + 20.9 * np.log10(km)) / 10)
    np.testing.assert_allclose(city_gain(layout, users, PICO_LOS, PICO_NLOS), wanted, rtol=1e-9)


def test_heights_and_widths_are_those_asked_for():
    sizes = dict(building_width_m=8.0, building_height_m=12.0, macro_height_m=40.0, small_height_m=5.0, mast_m=3.0)  # noqa: C408
    layout = jax.jit(lambda key: sample_city(1, 300, 12, side_m=60.0, **sizes, key=key))(jax.random.key(4))
    np.testing.assert_allclose(layout.box_max - layout.box_min, np.broadcast_to([8.0, 8.0, 12.0], (12, 3)), rtol=1e-5)
    assert set(np.asarray(layout.bs_position_m[1:, 2]).tolist()) == {5.0, 15.0}
    assert float(layout.bs_position_m[0, 2]) == (15.0 if layout.on_roof[0].any() else 40.0)
    users = outdoor_users(layout, 5, 30, side_m=60.0, ue_height_m=2.5, key=jax.random.key(0))
    np.testing.assert_array_equal(users[:, 2], 2.5)
    assert float(users[:, :2].max()) < 60
