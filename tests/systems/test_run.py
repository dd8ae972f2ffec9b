"""Running methods over batches: programs that are kept, any batch, whatever may stand for a method."""

import dataclasses
from collections import Counter
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import wirelax
from wirelax import systems
from wirelax.errors import InputError
from wirelax.execution import clear_programs
from wirelax.policies import Policy, PolicySolve
from wirelax.problems import evaluate
from wirelax.systems import make_problems, sample_channels, solve_batch
from wirelax.systems.config import float_fields
from wirelax.types import Method, Status

from ..toy_system import SPEC, PricedLink, water_filling

TRACES = Counter()


@dataclass(frozen=True)
class Counted:
    """A method that counts how often it is traced."""

    label: str

    def __call__(self, state, problem, key):
        TRACES[self.label] += 1
        return evaluate(problem, water_filling(problem))


def random_power(problem, key):
    """Any power up to the largest."""
    return {"power_w": problem.max_power_w * jax.random.uniform(key, problem.snr.shape)}


@pytest.fixture(scope="module")
def toy():
    return PricedLink()


@pytest.fixture(scope="module")
def channels(toy):
    return sample_channels(toy, 7, seed=4)


def test_channels_are_a_prefix_of_more_channels(toy, channels):
    few = sample_channels(toy, 3, seed=4)["gain"]
    np.testing.assert_array_equal(few, channels["gain"][:3])
    assert not np.array_equal(few, sample_channels(toy, 3, seed=5)["gain"])
    with pytest.raises(InputError, match="count is 0"):
        sample_channels(toy, 0, seed=0)


def test_a_second_call_compiles_and_traces_nothing(toy, channels):
    first = solve_batch(toy, Method("counted", "", Counted("twice")), channels)
    assert first.compile_seconds > 0
    # A method and a system of their own, equal to the first ones by value.
    second = solve_batch(PricedLink(), Method("another name", "", Counted("twice")), channels)
    assert second.compile_seconds == 0
    assert TRACES["twice"] == 1
    np.testing.assert_array_equal(second.utility, first.utility)
    clear_programs()
    anew = solve_batch(toy, Method("counted", "", Counted("twice")), channels)
    assert TRACES["twice"] == 2
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(anew.arrays[name], array)


def test_other_shapes_and_sizes_compile_anew(toy, channels):
    method = Method("counted", "", Counted("shapes"))
    wider = PricedLink(num_subchannels=5)
    for system, given in (
        (toy, channels),
        (wider, sample_channels(wider, 7, 0)),
        (toy, {"gain": channels["gain"][:4]}),
    ):
        assert solve_batch(system, method, given).compile_seconds > 0
    assert TRACES["shapes"] == 3


def test_instances_with_something_of_their_own_share_no_program(channels):
    class Shifted(PricedLink):
        shift = 0.0

        def problem(self, channel):
            return super().problem({"gain": channel["gain"] * 10**self.shift})

    found = []
    for shift in (0.0, 1.0):
        system = Shifted()
        system.shift = shift
        found.append(solve_batch(system, "water-filling", channels).utility.mean())
    assert found[1] > found[0]


@pytest.mark.parametrize("name", ["hetnet-ee", "noma"])
def test_a_sweep_over_any_number_compiles_once(name, monkeypatch):
    """Problem and method are traced once, whatever field of the configuration changes."""
    sizes = {"num_subchannels": 2, **({"num_users": 3} if name == "noma" else {"num_micro": 1})}
    system = systems.get(name, **sizes)
    channels = sample_channels(system, 3, seed=0)
    traces, build, method = Counter(), type(system).problem, system.methods["max-power"]

    @dataclass(frozen=True)
    class Seen:
        solve: object

        def __call__(self, *arguments):
            traces["solve"] += 1
            return self.solve(*arguments)

    def problem(self, channel):
        traces["problem"] += 1
        return build(self, channel)

    clear_programs()
    monkeypatch.setattr(type(system), "problem", problem)
    seen, utility = replace(method, solve=Seen(method.solve)), {}
    for field in float_fields(system.config):
        changed = systems.get(name, **sizes, **{field: 0.9 * getattr(system.config, field)})
        utility[field] = solve_batch(changed, seen, channels).utility
    assert traces == {"solve": 1, "problem": 1}
    assert len(utility) > 4
    noise, other = {"hetnet-ee": ("noise_dbm", "level_range_db"), "noma": ("noise_power_w", "noise_figure_db")}[name]
    assert (utility[noise] != utility[other]).all()  # the numbers do arrive
    clear_programs()  # they hold the counting functions


def test_modes_compile_anew():
    sizes = {"num_subchannels": 2, "num_users": 3}
    channels = sample_channels(systems.get("noma", **sizes), 3, seed=0)
    found = [
        solve_batch(systems.get("noma", interference_gain=mode, **sizes), "max-power", channels)
        for mode in ("receiver", "paper")
    ]
    assert found[1].compile_seconds > 0
    assert (found[0].utility != found[1].utility).all()


@pytest.mark.parametrize("over", ["vmap", "map", "chunks"])
def test_any_batch_gives_every_instance_the_same(toy, channels, over, monkeypatch):
    """Batches of one, batches that do not divide, and parts for several cores."""
    monkeypatch.setattr("wirelax.execution.programs.usable_cores", lambda: 3)
    method = systems.function_method(random_power)
    method = replace(method, chunk=2) if over == "chunks" else replace(method, over=over)
    whole = solve_batch(toy, method, channels, seed=1)
    for size in (1, 3, 7, 50):
        seen = []
        found = solve_batch(
            toy, method, channels, seed=1, batch_size=size, progress=lambda *done, seen=seen: seen.append(done)
        )
        np.testing.assert_allclose(found.utility, whole.utility, rtol=1e-5)
        np.testing.assert_allclose(found.arrays["power_w"], whole.arrays["power_w"], rtol=1e-6)
        assert seen[-1] == (7, 7)
        assert len(seen) == -(-7 // size)
    one = solve_batch(toy, method, {"gain": channels["gain"][:1]}, seed=1)
    np.testing.assert_allclose(one.utility, whole.utility[:1], rtol=1e-5)
    assert not np.allclose(solve_batch(toy, method, channels, seed=2).utility, whole.utility)


def test_a_method_of_whole_batches(toy, channels):
    def solve(state, problems, keys):
        return jax.vmap(lambda problem: evaluate(problem, water_filling(problem)))(problems)

    found = solve_batch(toy, Method("all at once", "", solve, over="batch"), channels)
    np.testing.assert_allclose(found.utility, solve_batch(toy, "water-filling", channels).utility, rtol=1e-6)


def test_what_may_stand_for_a_method(toy, channels):
    by_name = solve_batch(toy, "water-filling", channels).utility
    for method in (
        water_filling,
        toy.methods["water-filling"],
        lambda problem: evaluate(problem, water_filling(problem)),
    ):
        np.testing.assert_array_equal(solve_batch(toy, method, channels).utility, by_name)
    drawn = solve_batch(toy, random_power, channels, seed=3)
    assert drawn.feasible.all()
    assert (drawn.utility < by_name).all()


def test_a_policy_is_a_method(toy, channels, tmp_path):
    problems = make_problems(toy, channels)
    state = SPEC.init(problems, key=jax.random.key(0))
    policy = Policy(
        name="mlp", params=state.params, standardise=state.standardise, meta={"system": toy.name, "config": {}}
    )
    wanted = jax.vmap(SPEC.allocate, in_axes=(None, 0))(state, problems)["power_w"]
    wirelax.io.save_policy(tmp_path / "policy.msgpack", policy)
    for method in (policy, f"policy:{tmp_path}"):
        np.testing.assert_allclose(solve_batch(toy, method, channels).arrays["power_w"], wanted, rtol=1e-5)
    with pytest.raises(InputError, match="belongs to 'noma', not to 'priced-link'"):
        solve_batch(toy, replace(policy, meta={"system": "noma"}), channels)
    with pytest.raises(InputError, match=r"has no policy 'cnn', only mlp; .*add_recipe"):
        solve_batch(toy, replace(policy, name="cnn"), channels)
    with pytest.raises(InputError, match=r"policy\.msgpack does not exist"):
        solve_batch(toy, "policy:nowhere", channels)


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("water-fill", {}, "unknown method 'water-fill' for priced-link.*water-filling"),
        (7, {}, "not a int"),
        (lambda problem: problem.snr, {}, "wanted is an allocation"),
        ("max-power", {"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_what_cannot_be_run_says_so(toy, channels, method, options, words):
    with pytest.raises(InputError, match=words):
        solve_batch(toy, method, channels, **options)


def test_nothing_to_solve(toy):
    for nothing in ({"gain": np.zeros((0, 4), np.float32)}, {}):
        with pytest.raises(InputError, match=r"no channels|no array|no instance|empty"):
            solve_batch(toy, "max-power", nothing)
        with pytest.raises(InputError, match=r"no channels|no array|no instance|empty"):
            wirelax.solve(toy, "max-power", nothing)


def test_a_broken_constraint_is_counted_whatever_the_method_says(toy, channels):
    result = solve_batch(toy, lambda problem: {"power_w": jnp.full_like(problem.snr, 0.15)}, channels)
    assert not result.feasible.any()
    np.testing.assert_allclose(result.violations["max_power"], 0.5, rtol=1e-5)
    assert (result.status == Status.CONVERGED).all()
    assert not result.arrays["feasible"].any()
    np.testing.assert_allclose(
        result.median_snr_db, 10 * np.log10(np.median(channels["gain"]) / 1e-13 * 0.1), rtol=1e-4
    )


def test_part(toy, channels):
    result = solve_batch(toy, "water-filling", channels)
    part = result.part(slice(2, 5))
    for field in dataclasses.fields(result):
        whole, some = getattr(result, field.name), getattr(part, field.name)
        if isinstance(whole, np.ndarray):
            np.testing.assert_array_equal(some, whole[2:5])
    np.testing.assert_array_equal(part.arrays["power_w"], result.arrays["power_w"][2:5])
    np.testing.assert_array_equal(part.violations["max_power"], result.violations["max_power"][2:5])
    assert part.seconds == pytest.approx(result.seconds * 3 / 7)


def test_double_precision_all_the_way(toy, x64):
    channels = {"gain": np.array([[1e-11, 3e-12, 2e-13, 1e-10]])}
    found = wirelax.solve(toy, "water-filling", channels)
    assert found.utility.dtype == np.float64
    power = np.clip(1 / (30 * np.log(2)) - 1e-13 / channels["gain"], 0, 0.1)
    np.testing.assert_allclose(found.arrays["power_w"], power, rtol=1e-12)


def test_one_liners_of_python_users(toy, tmp_path):
    channels = wirelax.sample(toy, 5, seed=2)
    found = wirelax.solve(toy, "water-filling", {"gain": channels["gain"][0]})  # no batch axis
    assert found.utility.shape == (1,)
    compared = wirelax.compare(toy, {"best": "water-filling", "mine": random_power}, channels)
    assert [row["method"] for row in compared.rows] == ["best", "mine"]
    assert compared.page is None
    np.testing.assert_allclose(compared.results["best"].utility[:1], found.utility, rtol=1e-5)
    by_name = wirelax.compare(toy, ["max-power", "water-filling"], channels)
    np.testing.assert_array_equal(by_name.results["water-filling"].utility, compared.results["best"].utility)
    with pytest.raises(InputError, match="no method to compare"):
        wirelax.compare(toy, [], channels)
    with pytest.raises(InputError, match="no array 'gain', they hold 'h'"):
        wirelax.solve(toy, "max-power", {"h": channels["gain"]})
    with pytest.raises(InputError, match="unknown system 'nothing'"):
        wirelax.sample("nothing", 1)


def test_a_policy_whose_features_do_not_fit_says_so(toy, channels):
    """A network that serves any size, with statistics of one."""
    spec = replace(SPEC, shared_statistics=False)
    state = spec.init(make_problems(toy, channels), key=jax.random.key(0))
    method = Method("mine", "", PolicySolve(spec), load=lambda: state)
    wider = PricedLink(num_subchannels=5)
    with pytest.raises(InputError, match=r"features of shape \(5, 1\).* \(4, 1\).*shared_statistics=True"):
        solve_batch(wider, method, sample_channels(wider, 2, seed=0))
