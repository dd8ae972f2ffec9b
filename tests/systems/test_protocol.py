"""A system that the package has never heard of, through every room of it: nothing knows a system by name."""

import ast
import contextlib
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import wirelax
from wirelax import systems
from wirelax.channels import write_arrays
from wirelax.cli import main

from ..toy_system import PricedLink

PACKAGE = Path(wirelax.__file__).parent
NAMES_A_SYSTEM = {"demo.py", "bench", "systems/__init__.py"}
"""Where systems may be named: what is about one of them, and the registry."""


@contextlib.contextmanager
def registered():
    systems.register(PricedLink.name, PricedLink)
    try:
        yield PricedLink()
    finally:
        systems._registered.pop(PricedLink.name)


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


def net_rate(gain, power_w, config):
    """The objective in float64 loops."""
    value = 0.0
    for g, p in zip(gain.astype(np.float64), power_w.astype(np.float64), strict=True):
        value += np.log2(1 + g * p / config.noise_w) - config.price_per_w * p
    return value


@pytest.mark.parametrize("make", [PricedLink, lambda: systems.get("hetnet-ee")], ids=["toy", "hetnet-ee"])
def test_systems_follow_the_protocol(make):
    assert isinstance(make(), systems.System)


def test_a_class_that_lacks_a_member_is_no_system():
    class Half(PricedLink):
        decode = None

    assert not isinstance(Half(), systems.System)


def test_registry(toy):
    assert toy.name in systems.names()
    assert isinstance(systems.get(toy.name, price_per_w=5), PricedLink)
    for name in (toy.name, "hetnet-ee"):
        with pytest.raises(ValueError, match="exists already"):
            systems.register(name, PricedLink)


def test_unregistered_systems_are_unknown(capsys):
    assert main(["sample", PricedLink.name, "--count", "1", "--out", "never.npz"]) == 2
    assert "unknown system 'priced-link'" in capsys.readouterr().err


def test_systems_lists_it(toy, capsys):
    assert main(["systems", "--json"]) == 0
    found = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert [method["name"] for method in found[toy.name]["methods"]] == ["water-filling", "max-power"]
    assert found[toy.name]["summary"] == toy.summary
    assert found[toy.name]["policies"] == []


def test_solve_writes_the_optimum(toy, files):
    gain, result = np.load(files[0])["gain"], np.load(files[1])
    assert gain.shape == (40, 4)
    assert set(result) == {"power_w", "net_rate", "sum_rate", "feasible"}
    assert result["feasible"].all()
    grid_w = np.linspace(0, toy.config.max_power_w, 2001)[:, None]
    for g, power_w, value in zip(gain, result["power_w"], result["net_rate"], strict=True):
        np.testing.assert_allclose(value, net_rate(g, power_w, toy.config), rtol=1e-5, atol=1e-6)
        each = np.log2(1 + g.astype(np.float64) * grid_w / toy.config.noise_w) - toy.config.price_per_w * grid_w
        np.testing.assert_allclose(value, each.max(0).sum(), rtol=1e-5, atol=2e-5)


def test_solve_fits_the_sizes_of_a_file(toy, tmp_path):
    file, out = tmp_path / "one.npz", tmp_path / "out.npz"
    write_arrays(file, {"gain": np.array([0.0, 1e-10])})  # one instance, no batch axis, one dead subchannel
    arguments = ["solve", toy.name, "--method", "water-filling", "--channels", str(file), "--out", str(out)]
    assert main([*arguments, "--set", "price_per_w=2"]) == 0
    np.testing.assert_allclose(np.load(out)["power_w"], [[0.0, 0.1]])


def test_compare(toy, files, tmp_path, capsys):
    out = tmp_path / "compare"
    arguments = ["compare", toy.name, "--methods", "max-power,water-filling", "--channels", str(files[0])]
    assert main([*arguments, "--out", str(out)]) == 0
    rows = json.loads((out / "table.json").read_text())
    assert [row["method"] for row in rows] == ["max-power", "water-filling"]
    columns = "count utility_mean utility_median ratio_to_best violation_fraction seconds_per_channel net_rate_p5"
    assert set(columns.split()) <= set(rows[0])
    assert rows[0]["ratio_to_best"] < rows[1]["ratio_to_best"] == 1.0
    assert [row["violation_fraction"] for row in rows] == [0.0, 0.0]
    assert (out / "table.md").read_text() in capsys.readouterr().out
    page = (out / "report.html").read_text()
    assert "net rate" in page
    assert page.count("data:image/png;base64") == 3


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


def test_outputs_of_any_network_are_feasible(toy):
    outputs = jnp.array([-1e4, -1.0, 1.0, 1e4])
    allocation = toy.decode(outputs, {})
    assert float(toy.violations(allocation, {})["max_power"]) <= 1e-6
    assert np.isfinite(toy.features({"gain": jnp.zeros(4)})).all()


def test_gradient_through_the_kernels_vanishes_at_the_optimum(toy, files):
    gain, power_w = np.load(files[0])["gain"], np.load(files[1])["power_w"]
    slope = jax.jit(jax.vmap(jax.grad(lambda p, g: toy.utility({"power_w": p}, {"gain": g}))))
    slope = np.asarray(slope(power_w, gain))
    assert np.abs(slope[power_w > 0]).max() < 1e-4 * toy.config.price_per_w
    assert (slope[power_w == 0] <= 0).all()
    assert (power_w == 0).any()


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


@pytest.mark.parametrize("name", systems._SHIPPED)
def test_only_a_system_knows_its_name(name):
    package = systems._SHIPPED[name].split(":")[0]
    # A plain word (`noma`) may also be the name of a kernel; one with a hyphen can only be the system.
    forbidden = {package, name} if "-" in name else {package}
    guilty = []
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE)
        own = ".".join(("wirelax", *place.with_suffix("").parts)).startswith(package)
        if not own and place.as_posix() not in NAMES_A_SYSTEM and place.parts[0] not in NAMES_A_SYSTEM:
            guilty += [(place.as_posix(), text) for text in mentions(path) if any(word in text for word in forbidden)]
    assert guilty == []
