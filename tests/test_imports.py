"""Imports point one way: a lower room of the package never imports a higher one, and there is no circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import wirelax

PACKAGE = Path(wirelax.__file__).parent
FLOORS = (
    ("_version", "errors", "units", "types"),
    ("kernels", "channels", "smoothing"),
    ("problems",),
    ("solvers", "policies"),
    ("training",),
    ("execution", "io"),
    ("systems",),
    ("report",),
    ("api",),
    ("console", "commands", "cli", "demo", "__main__"),
)
"""From the ground up; rooms of one floor may import each other in one direction."""
FLOOR = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
PHYSICS = ("kernels", "problems", "channels", "solvers", "smoothing", "types", "units")
HEAVY = {"flax", "orbax", "matplotlib"}


def module_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(path, *, everywhere):
    """Names of modules that a module imports: everywhere, or when it is loaded itself (type checking apart)."""
    found, waiting = set(), list(ast.parse(path.read_text()).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found.update(name if name in MODULES else node.module for name in names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.body if everywhere else []
            waiting += node.orelse
        elif everywhere or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found


def room(module):
    return module.split(".")[1] if "." in module else ""


def test_every_room_has_a_floor():
    assert {room(module) for module in MODULES} - {""} <= set(FLOOR)


@pytest.mark.parametrize("name", sorted({room(module) for module in MODULES} - {""}))
def test_no_room_imports_a_higher_one(name):
    guilty = []
    for module in (module for module in MODULES if room(module) == name):
        for found in imports(MODULES[module], everywhere=True):
            other = room(found) if found.split(".")[0] == "wirelax" else ""
            if other and FLOOR[other] > FLOOR[name]:
                guilty.append((module, found))
    assert guilty == []


def test_there_is_no_circle():
    """Among modules as they are loaded; a package and its modules, and rooms of one floor, included."""
    graph = {module: imports(path, everywhere=False) & set(MODULES) - {module} for module, path in MODULES.items()}
    assert graph["wirelax.systems.run"] >= {"wirelax.systems.base", "wirelax.execution"}
    list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


@pytest.mark.parametrize("name", PHYSICS)
def test_the_physics_needs_no_networks_and_no_pictures(name):
    guilty = []
    for module in (module for module in MODULES if room(module) == name):
        guilty += [(module, f) for f in imports(MODULES[module], everywhere=True) if f.split(".")[0] in HEAVY]
    assert guilty == []
