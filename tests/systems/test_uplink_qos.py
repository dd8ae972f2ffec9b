"""The uplink QoS system: channels, feasible outputs, policies of any size, users without service, any scale."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import wirelax
from wirelax import systems
from wirelax.channels import load_munich_wideband, munich_uplink_candidates, sample_munich_uplink
from wirelax.errors import InputError
from wirelax.systems import make_problems, sample_channels, solve_batch
from wirelax.types import Status

SMALL = {"num_users": 2, "num_rbs": 7}
POWER_W, LONG, SHORT, USES = 0.19952623149688797, 3e6 / 360e3, 512e3 / 360e3, 180.0
Q_1E5 = 4.26489079392
FAST = ("numerical", "learned", "learned+repair")
OTHERS = ("search", "exhaustive")
ONE_USER = ("optimal",)
OF_ONE_SIZE = ("prop-learn", "prop-learn+repair")


@pytest.fixture(scope="module")
def small():
    return systems.get("uplink-qos", **SMALL)


@pytest.fixture(scope="module")
def channels(small):
    return sample_channels(small, 12, seed=3)


def shortfalls(gain, service, power_w, long=LONG, short=SHORT):
    """Yin et al.'s (2025) eqs. (1), (2b), (2c), user by user, float64."""
    found = np.zeros((len(gain), 2))
    for k, (g, kind, power) in enumerate(zip(gain.astype(float), service, power_w.astype(float), strict=True)):
        nats = [math.log(1 + g[f] * power[f]) for f in range(len(g))]
        rate_long = sum(nats[f] for f in range(len(g)) if kind[f] == 1) / math.log(2)
        used = [f for f in range(len(g)) if kind[f] == 2]
        rate_short = (sum(nats[f] for f in used) - Q_1E5 * math.sqrt(len(used) / USES)) / math.log(2)
        found[k] = 1 - rate_long / long, 1 - rate_short / short
    return found


def test_samples_have_the_level_of_their_link_budget():
    gain = sample_channels(systems.get("uplink-qos"), 300, seed=0)["gain"]
    assert gain.shape == (300, 4, 24)
    loss_db = 35.3 + 37.6 * 2 + 20
    noise_dbm = -174 + 10 * math.log10(360e3) + 5 + 3
    mean = 32 * 10 ** ((-loss_db - noise_dbm + 30) / 10)  # per watt; E|h|^2 is 1 at each antenna
    assert abs(gain.mean() / mean - 1) < 0.05
    assert abs(10 * np.log10(np.median(gain) * POWER_W) - 17.8) < 0.4
    near = np.abs(np.log(gain[:, :, 1:] / gain[:, :, :-1])).mean()
    far = np.abs(np.log(gain[:, :, 12:] / gain[:, :, :-12])).mean()
    assert near < 0.7 * far  # delays of 1 us: neighbouring RBs are alike


def test_munich_gains_are_cuts_of_the_map():
    system = systems.get("uplink-qos", scenario="munich", num_users=3, num_rbs=10)
    noise_w = 10 ** ((-174 + 10 * math.log10(360e3) + 5 + 3 - 30) / 10)
    everywhere = load_munich_wideband().uplink_mrc_gain.astype(float)
    for gain in sample_channels(system, 4, seed=1)["gain"].astype(float) * noise_w:
        cuts = np.stack([everywhere[:, first : first + 10] for first in range(39)])
        error = np.stack([np.abs(cuts / user - 1).max(-1) for user in gain])  # [user, first, row]
        first = int(error.min(-1).max(0).argmin())
        assert error[:, first].min(-1).max() < 1e-5  # one block of adjacent RBs
        assert len(set(error[:, first].argmin(-1).tolist())) == 3


def test_munich_has_so_many_rbs():
    with pytest.raises(InputError, match="num_rbs is 49; the map of Munich has 48"):
        systems.get("uplink-qos", scenario="munich", num_rbs=49)


def test_the_map_of_munich_refuses_more_than_it_has():
    gain = munich_uplink_candidates()
    assert gain.shape == (549, 48)
    for users, rbs in ((0, 4), (550, 4), (4, 49), (4, 0)):
        with pytest.raises(ValueError, match=r"must be between 1 and (549|48) on this map"):
            sample_munich_uplink(gain, users, rbs, key=jax.random.key(0))


@pytest.mark.parametrize("method", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_results_are_those_of_the_equations(small, channels, method):
    result = solve_batch(small, method, channels)
    assert (result.status == Status.CONVERGED).all()
    for i, gain in enumerate(channels["gain"]):
        service, power_w = result.arrays["service"][i], result.arrays["power_w"][i]
        found = shortfalls(gain, service, power_w)
        np.testing.assert_allclose(result.arrays["shortfall_long"][i], found[:, 0], atol=2e-5)
        np.testing.assert_allclose(result.arrays["shortfall_short"][i], found[:, 1], atol=2e-5)
        assert result.arrays["occupied"][i] == (service > 0).sum()
        assert result.utility[i] == 7 - (service > 0).sum()
        assert ((service > 0).sum(0) <= 1).all()
        assert (power_w >= 0).all()
        assert (power_w.sum(1) <= POWER_W * (1 + 1e-5)).all()
        assert result.feasible[i] == (found.max() <= 1e-5)
    if method != "learned":
        assert result.feasible.all()


def test_repair_serves_whoever_numerical_serves(channels):
    """At a load where the network errs, and beyond the capacity of some channels."""
    system = systems.get("uplink-qos", rate_long_bps=5e6, **SMALL)
    numerical, raw, repaired = (solve_batch(system, name, channels) for name in FAST)
    assert not numerical.feasible.all()
    np.testing.assert_array_equal(repaired.feasible, numerical.feasible)
    assert (repaired.status[~repaired.feasible] == Status.INFEASIBLE).all()
    assert raw.utility.mean() <= numerical.utility.mean() + 0.5


def test_one_user_is_solved_exactly():
    system = systems.get("uplink-qos", num_users=1, num_rbs=6, num_antennas=8, distance_m=50.0, rate_long_bps=6e6)
    drawn = sample_channels(system, 12, seed=0)
    optimal, all_sets = (solve_batch(system, name, drawn) for name in ("optimal", "exhaustive"))
    np.testing.assert_array_equal(optimal.arrays["occupied"], all_sets.arrays["occupied"])
    assert optimal.proven.all()
    assert all_sets.proven.all()


def test_methods_that_do_not_take_the_size_say_so(channels):
    with pytest.raises(InputError, match="'optimal' is for one user, the channels have 2"):
        wirelax.solve("uplink-qos", "optimal", channels)
    with pytest.raises(InputError, match="'exhaustive' takes up to 10 RBs, the channels have 11"):
        wirelax.solve("uplink-qos", "exhaustive", {"gain": np.ones((1, 2, 11))})
    with pytest.raises(InputError, match=r"was trained for num_users=4, num_rbs=24.*--policy prop-learn"):
        wirelax.solve("uplink-qos", "prop-learn", channels)


@pytest.mark.parametrize("method", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_users_without_a_channel_are_reported(small, channels, method):
    gain = channels["gain"].copy()
    gain[::2, 1] = 0.0
    result = solve_batch(small, method, {"gain": gain})
    assert (result.status[::2] == Status.INFEASIBLE).all()
    assert not result.feasible[::2].any()
    assert (result.status[1::2] == Status.CONVERGED).all()
    assert (result.arrays["shortfall_long"][::2, 1] == 1).all()
    assert (result.arrays["decoding_error"][::2, 1] == 1).all()
    assert all(np.isfinite(array).all() for array in result.arrays.values())


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (5, 3)], ids=str)
def test_few_rbs(shape):
    """One RB cannot carry two services; two can; five users do not fit on three."""
    gain = np.full((1, *shape), 1e6)
    result = wirelax.solve("uplink-qos", "numerical", {"gain": gain})
    assert result.feasible.all() == (shape == (1, 2))
    assert (result.status == Status.INFEASIBLE).all() == (shape != (1, 2))
    assert ((result.arrays["service"] > 0).sum(1) <= 1).all()


@pytest.mark.parametrize(("field", "occupied"), [("rate_long_bps", 2), ("rate_short_bps", 4)])
def test_a_service_without_a_target_needs_no_rb(small, channels, field, occupied):
    result = solve_batch(systems.get("uplink-qos", **{field: 0.0}, **SMALL), "numerical", channels)
    assert result.feasible.all()
    assert not (result.arrays["service"] == {"rate_long_bps": 1, "rate_short_bps": 2}[field]).any()
    assert np.median(result.arrays["occupied"]) == occupied


@pytest.mark.parametrize(
    ("field", "value"),
    [("error_probability", 0.0), ("error_probability", 0.5), ("rate_long_bps", -1.0), ("max_power_w", 0.0)],
)
def test_constants_out_of_their_range(field, value):
    with pytest.raises(InputError, match=f"{field} is {value}; allowed: "):
        systems.get("uplink-qos", **{field: value})


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (-np.ones((2, 2, 4)), "negative"),
        (np.full((2, 2, 4), np.nan), "not finite"),
        (1j * np.ones((2, 2, 4)), "complex"),
        (np.ones(4), "axes|shape|dimension"),
    ],
)
def test_gains_that_are_none(gain, words):
    with pytest.raises(InputError, match=words):
        wirelax.solve("uplink-qos", "numerical", {"gain": gain})


@pytest.mark.parametrize(
    "method", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in (*OTHERS, *ONE_USER, *OF_ONE_SIZE))]
)
def test_a_common_scale_of_gains_and_power_changes_nothing(channels, method):
    if method in OF_ONE_SIZE:
        channels = sample_channels(systems.get("uplink-qos"), 4, seed=0)
    if method in ONE_USER:
        channels = {"gain": channels["gain"][:, :1]}
    found = []
    for scale in (1e-20, 1e-6, 1.0, 1e6):
        system = systems.get("uplink-qos", max_power_w=POWER_W * scale).fit(channels)
        found.append(solve_batch(system, method, {"gain": channels["gain"] / np.float32(scale)}))
    for scale, result in zip((1e-20, 1e-6, 1.0, 1e6), found, strict=True):
        np.testing.assert_array_equal(result.arrays["service"], found[2].arrays["service"])
        np.testing.assert_allclose(result.arrays["power_w"] / scale, found[2].arrays["power_w"], rtol=1e-3, atol=1e-6)
        np.testing.assert_array_equal(result.feasible, found[2].feasible)


def test_the_catalogue_is_whole(small):
    from wirelax.systems.uplink_qos.catalogue import METHODS

    assert {*FAST, *OTHERS, *ONE_USER, *OF_ONE_SIZE} == set(METHODS) == set(small.methods)


def test_columns_of_the_table(small):
    """Users of channels that a method calls infeasible do not count; who misses its short rate counts as lost."""
    arrays = {
        "status": np.array([0, 0, Status.INFEASIBLE]),
        "occupied": np.array([5, 6, 7]),
        "shortfall_long": np.array([[-0.1, 2e-5], [0.0, 0.5], [1.0, 1.0]]),
        "shortfall_short": np.array([[0.0, 0.0], [0.0, 0.1], [1.0, 1.0]]),
        "decoding_error": np.array([[1e-5, 2e-5], [3e-5, 0.4], [1.0, 1.0]]),
    }
    row = small.table_columns(None, None, arrays)
    assert row["occupied_mean"] == 5.5
    assert row["violation_long"] == 0.5
    assert row["violation_short"] == 0.25
    assert row["decoding_error_mean"] == pytest.approx(2e-5)
    assert row["error_total"] == pytest.approx(1 - (1 - 2e-5) * 0.75)
    nobody = small.table_columns(None, None, {**arrays, "status": np.full(3, Status.INFEASIBLE)})
    assert np.isnan(list(nobody.values())).all()


def test_learned_serves_a_size_that_it_never_saw():
    system = systems.get("uplink-qos", num_users=2, num_rbs=12)
    drawn = sample_channels(system, 200, seed=77)
    numerical, learned = (solve_batch(system, name, drawn).arrays for name in FAST[:2])
    assert learned["occupied"].mean() <= 1.02 * numerical["occupied"].mean()
    assert (learned["shortfall_long"] > 1e-5).mean() <= 2e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "config", [{}, {"num_users": 8, "num_rbs": 48}, {"num_users": 2, "num_rbs": 12}, {"scenario": "munich"}], ids=str
)
def test_learned_and_its_repair_at_all_sizes(config):
    system = systems.get("uplink-qos", **config)
    drawn = sample_channels(system, 500, seed=77)
    numerical, learned, repaired = (solve_batch(system, name, drawn) for name in FAST)
    solved = numerical.feasible
    best = numerical.arrays["occupied"][solved].mean()
    assert learned.arrays["occupied"][solved].mean() <= 1.03 * best
    assert (learned.arrays["shortfall_long"][solved] > 1e-5).mean() <= 3e-3
    np.testing.assert_array_equal(repaired.feasible, solved)
    assert repaired.arrays["occupied"][solved].mean() <= 1.015 * best


def test_renumbering_users_or_rbs_keeps_what_learned_occupies(small):
    """With one user the order of RBs; the order of users decides only who picks first."""
    drawn = sample_channels(systems.get("uplink-qos", num_users=1, num_rbs=8, rate_long_bps=6e6), 20, seed=5)["gain"]
    order = np.random.default_rng(0).permutation(8)
    plain, shuffled = (wirelax.solve("uplink-qos", "learned", {"gain": g}).arrays for g in (drawn, drawn[..., order]))
    np.testing.assert_array_equal(plain["service"][..., order], shuffled["service"])
    np.testing.assert_allclose(plain["power_w"][..., order], shuffled["power_w"], rtol=1e-4, atol=1e-9)


def test_derivatives_of_powers_by_the_constants_are_finite(small, channels):
    from wirelax.solvers.uplink_qos import uplink_numerical

    problem = jax.tree.map(lambda leaf: leaf[0], make_problems(small, channels))
    gradient = jax.jit(jax.grad(lambda p: uplink_numerical(p).allocation["power_w"].max(), allow_int=True))(problem)
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(gradient)]
    assert all(np.isfinite(leaf).all() for leaf in leaves)
    assert any(np.abs(leaf).max() > 0 for leaf in leaves)
    assert jnp.ndim(gradient.snr) == 2
