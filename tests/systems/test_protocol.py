"""A system that the package has never heard of, through every room of it: nothing knows a system by name."""

import ast
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import wirelax
from wirelax import systems
from wirelax.cli import main
from wirelax.errors import InputError
from wirelax.io import write_arrays
from wirelax.systems import registry

from ..toy_system import PricedLink

PACKAGE = Path(wirelax.__file__).parent
TESTS = Path(__file__).parents[1]
NAMES_A_SYSTEM = {"demo.py", "systems/registry.py"}
"""Where systems may be named: the demonstration, and the registry."""


@pytest.fixture
def registry_as_it_was(monkeypatch):
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))


@contextlib.contextmanager
def registered():
    systems.register(PricedLink.name, PricedLink)
    try:
        yield PricedLink()
    finally:
        registry._registered.pop(PricedLink.name)


@pytest.fixture
def toy():
    with registered() as system:
        yield system


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Paths of sampled channels and of their optimum, both from the command line."""
    channels, result = (tmp_path_factory.mktemp("toy") / name for name in ("channels.npz", "result.npz"))
    with registered() as toy:
        assert main(["sample", toy.name, "--count", "40", "--seed", "3", "--out", str(channels)]) == 0
        solve = ["solve", toy.name, "--method", "water-filling", "--channels", str(channels)]
        assert main([*solve, "--out", str(result)]) == 0
    return channels, result


def test_the_toy_is_a_whole_system_in_sixty_lines():
    lines = [line for line in (TESTS / "toy_system.py").read_text().splitlines() if line.strip()]
    assert len(lines) <= 60


def test_defaults(toy):
    assert toy.summary == "Power on parallel subchannels at a price per watt."
    assert (toy.objective, dict(toy.constraints), toy.level_fields) == ("", {}, ())
    assert toy.data is None
    assert dict(toy.table_columns(np.ones(2), np.ones(2), {})) == {}
    with pytest.raises(InputError, match="comes from no paper"):
        toy.paper("quick")
    assert toy.axis_lengths({"num_subchannels"}) == {"subchannel": 4}
    assert toy.axis_lengths({"price_per_w"}) == {}
    fitted = toy.fit({"gain": np.ones((2, 3))})
    assert fitted.config.num_subchannels == 3
    assert toy.fit({"gain": np.ones((2, 4))}) is toy


def test_arrays_are_by_default_what_sample_returns():
    class Plain(PricedLink):
        arrays = systems.System.arrays

        def sample(self, key):
            return {**super().sample(key), "blocked": jnp.zeros((), bool)}

    blocked, gain = Plain().arrays
    assert (gain.name, gain.axes, gain.kind) == ("gain", ("axis 0",), "gain")
    assert (blocked.name, blocked.axes, blocked.kind) == ("blocked", (), "flag")
    unfitted = Plain()
    assert unfitted.fit({"gain": np.ones((2, 3))}) is unfitted


def test_shapes_that_do_not_go_together_are_refused():
    class Two(PricedLink):
        arrays = (
            *PricedLink.arrays,
            systems.ArraySpec("cost", ("subchannel",), sizes={"subchannel": "num_subchannels"}),
        )

    with pytest.raises(InputError, match=r"'cost' has 3 along its axis 'subchannel', 'gain' has 4"):
        Two().fit({"gain": np.ones((2, 4)), "cost": np.ones((2, 3))})


FAULTS = {
    "not callable": (lambda: 3, "cannot be called"),
    "no system": (lambda: dict, "dict is no subclass of wirelax.systems.System"),
    "another name": (lambda: PricedLink, "'name' is 'priced-link'; set it to 'faulty'"),
    "no name": (lambda: faulty(name=None), "'name' is None"),
    "no config": (lambda: faulty(config=None, __init__=lambda self: None), "'config' is no dataclass"),
    "no sample": (lambda: faulty(sample=systems.System.sample), "has no 'sample'; add sample"),
    "no problem": (lambda: faulty(problem=systems.System.problem), "has no 'problem'; add problem"),
    "no methods": (lambda: faulty(methods=systems.System.methods), "has no 'methods'; add a property methods"),
    "sample fails": (
        lambda: faulty(sample=lambda self, key: 1 // 0),
        "sample fails on traced arrays: ZeroDivisionError",
    ),
    "sample no mapping": (lambda: faulty(sample=lambda self, key: jnp.zeros(3)), "sample returns"),
    "sample lacks an array": (lambda: faulty(sample=lambda self, key: {"h": jnp.zeros(3)}), "no array 'gain'"),
    "problem fails": (
        lambda: faulty(problem=lambda self, channel: float(channel["gain"][0])),
        "problem fails on traced",
    ),
    "problem without utility": (lambda: faulty(problem=lambda self, channel: channel), r"no utility\(allocation\)"),
    "methods no mapping": (lambda: faulty(methods=[1]), "'methods' is list"),
    "methods empty": (lambda: faulty(methods={}), "one method at least"),
    "method no Method": (lambda: faulty(methods={"mine": max}), "method 'mine' is a builtin_function_or_method"),
}


def faulty(**members):
    """The toy under another name with something wrong."""
    return type("Faulty", (PricedLink,), {"name": "faulty", **members})


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_said_at_register(fault, registry_as_it_was):
    make, words = FAULTS[fault]
    with pytest.raises(InputError, match=words):
        systems.register("faulty", make() if fault != "not callable" else 3)
    assert "faulty" not in systems.names()


def test_nothing_is_wrong_with_the_faulty_system_as_such(registry_as_it_was):
    systems.register("faulty", faulty())
    assert systems.get("faulty", price_per_w=5).config.price_per_w == 5.0


def test_recipes_of_users(toy, monkeypatch, capsys):
    """They are listed, built for the sizes at hand when they are asked for, and may be replaced."""
    monkeypatch.setattr(registry, "_added", {})
    built = []

    def build(system):
        built.append(system.config.num_subchannels)
        return dataclasses.replace(system.recipes["mlp"], name="mine")

    for _ in range(2):
        systems.add_recipe(toy.name, "mine", build, "a policy of my own")
    assert systems.listing(toy.name).policies == {"mlp": "dense layers, no labels", "mine": "a policy of my own"}
    assert built == []
    assert registry.recipes_of(PricedLink(num_subchannels=3))["mine"].name == "mine"
    assert built == [3]
    assert list(registry.recipes_of(toy)) == ["mlp", "mine"]
    systems.add_recipe("noma", "mine", build, "on a shipped system")
    assert main(["systems"]) == 0
    assert "on a shipped system" in capsys.readouterr().out
    with pytest.raises(InputError, match="noma has a policy called 'dnn' already"):
        systems.add_recipe("noma", "dnn", build)
    with pytest.raises(InputError, match="unknown system 'nomad'; did you mean 'noma'"):
        systems.add_recipe("nomad", "mine", build)


def test_registry(toy):
    assert toy.name in systems.names()
    assert isinstance(systems.get(toy.name, price_per_w=5), PricedLink)
    for name in (toy.name, "hetnet-ee"):
        with pytest.raises(InputError, match="exists already"):
            systems.register(name, PricedLink)


def test_unregistered_systems_are_unknown(capsys):
    assert main(["sample", PricedLink.name, "--count", "1", "--out", "never.npz"]) == 2
    assert "unknown system 'priced-link'" in capsys.readouterr().err


def test_systems_lists_it(toy, capsys):
    assert main(["systems", "--json"]) == 0
    found = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}[toy.name]
    assert found["methods"] == [
        {"name": "water-filling", "summary": "The optimum: one water level, set by the price."},
        {"name": "max-power", "summary": "Full power everywhere."},
    ]
    assert found["policies"] == [{"name": "mlp", "summary": "dense layers, no labels"}]
    assert found["summary"] == toy.summary


def test_describe_tells_fields_and_arrays(toy, capsys):
    assert main(["describe", toy.name, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    price = next(field for field in found["fields"] if field["name"] == "price_per_w")
    assert price == {
        "name": "price_per_w",
        "default": 30.0,
        "unit": "bit/s/Hz/W",
        "allowed": "> 0.0",
        "description": "Price of power.",
    }
    assert found["arrays"][0]["axes"] == ["batch", "subchannel"]


def test_solve_writes_the_optimum(toy, files):
    gain, result = np.load(files[0])["gain"], np.load(files[1])
    assert gain.shape == (40, 4)
    assert set(result) >= {"power_w", "net_rate", "feasible", "status", "proven"}
    assert result["feasible"].all()
    config, grid_w = toy.config, np.linspace(0, toy.config.max_power_w, 2001)
    for g, power_w, value in zip(gain.astype(float), result["power_w"].astype(float), result["net_rate"], strict=True):
        reached, best = 0.0, 0.0
        for k in range(4):
            reached += np.log2(1 + g[k] * power_w[k] / config.noise_w) - config.price_per_w * power_w[k]
            best += max(np.log2(1 + g[k] * p / config.noise_w) - config.price_per_w * p for p in grid_w)
        np.testing.assert_allclose(value, reached, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(value, best, rtol=1e-5, atol=2e-5)


def test_solve_fits_the_sizes_of_a_file(toy, tmp_path):
    file, out = tmp_path / "one.npz", tmp_path / "out.npz"
    write_arrays(file, {"gain": np.array([0.0, 1e-10])})  # one instance, no batch axis, one dead subchannel
    arguments = ["solve", toy.name, "--method", "water-filling", "--channels", str(file), "--out", str(out)]
    assert main([*arguments, "--set", "price_per_w=2"]) == 0
    np.testing.assert_allclose(np.load(out)["power_w"], [[0.0, 0.1]])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sample", "priced-link", "--count", "1", "--set", "price=1"], "price_per_w"),
        (["sample", "priced-link", "--count", "1", "--set", "price_per_w=0"], "> 0.0"),
        (["solve", "priced-link", "--count", "1", "--method", "cnn"], "water-filling, max-power"),
        (["train", "priced-link", "--policy", "dnn"], "unknown policy 'dnn'"),
        (["reproduce", "priced-link"], "nothing to reproduce"),
    ],
)
def test_bad_usage(toy, tmp_path, capsys, arguments, words):
    assert main([*arguments, "--out", str(tmp_path / "out.npz")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error
    assert list(tmp_path.iterdir()) == []


PLUGIN = """
from wirelax import systems
from tests.toy_system import PricedLink

systems.register("priced-link", PricedLink)
"""


def run(folder, *arguments):
    """A command in a process of its own, started in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_a_plugin_is_found_in_the_current_folder(tmp_path):
    (tmp_path / "my_systems.py").write_text(PLUGIN)
    arguments = ["solve", "priced-link", "--method", "max-power", "--count", "2", "--out", "out.npz"]
    found = run(tmp_path, "-m", "wirelax", "--plugin", "my_systems", *arguments)
    assert found.returncode == 0, found.stderr
    np.testing.assert_allclose(np.load(tmp_path / "out.npz")["power_w"], 0.1, rtol=1e-6)


def test_a_plugin_that_is_not_there(tmp_path, capsys):
    assert main(["--plugin", "no_such_module_of_mine", "systems"]) == 2
    assert "plugin 'no_such_module_of_mine' does not import" in capsys.readouterr().err


def test_entry_points_of_installed_packages(registry_as_it_was, monkeypatch, capsys):
    point = EntryPoint("priced-link", f"{PricedLink.__module__}:PricedLink", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == "wirelax.systems" else [])
    for _ in range(2):  # the second time it is there already
        assert main(["systems"]) == 0
        assert "priced-link: Power on parallel subchannels" in capsys.readouterr().out


LIGHT = """
import sys
import wirelax
heavy = {"jax", "flax", "optax", "orbax", "matplotlib", "scipy", "h5py"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
from wirelax.cli import main
assert main(["systems"]) == 0
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


def test_import_and_systems_load_nothing_heavy(tmp_path):
    found = run(tmp_path, "-c", LIGHT)
    assert found.returncode == 0, found.stderr
    assert "hetnet-ee: " in found.stdout


def mentions(path):
    """Imports and strings of a module, docstrings and ``__all__`` apart."""
    tree, found, skipped = ast.parse(path.read_text()), [], set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.update(map(id, ast.walk(node.value)))
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets):
            skipped.update(map(id, ast.walk(node.value)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            found.append(node.value)
    return found


def test_mentions_are_found():
    found = mentions(PACKAGE / "demo.py")
    assert "hetnet-ee" in found
    assert "wirelax.systems" in found
    assert any("wirelax.systems.hetnet_ee" in text for text in mentions(PACKAGE / "systems/hetnet_ee/system.py"))


@pytest.mark.parametrize("name", registry._SHIPPED)
def test_only_a_system_knows_its_name(name):
    package = registry._SHIPPED[name][0]
    # A plain word (`noma`) may also be the name of a kernel; one with a hyphen can only be the system.
    forbidden = {package, name} if "-" in name else {package}
    guilty = []
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE)
        own = ".".join(("wirelax", *place.with_suffix("").parts)).startswith(package)
        if not own and place.as_posix() not in NAMES_A_SYSTEM:
            guilty += [(place.as_posix(), text) for text in mentions(path) if any(word in text for word in forbidden)]
    assert guilty == []
