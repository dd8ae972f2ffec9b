"""The commands that README and the pages show are ones that there are: options, systems, fields, methods, policies."""

import re
import shlex
from pathlib import Path

import pytest

from wirelax import systems
from wirelax.cli import build_parser
from wirelax.commands._options import names_of, settings

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")) if "wirelax " in path.read_text())


def commands_of(page):
    """Lines that start with ``wirelax`` in blocks of shell, continued lines joined, comments cut."""
    blocks = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.removeprefix("$ ").startswith("wirelax ")]


def check(words):
    options = build_parser().parse_args(words[1:])
    if getattr(options, "system", "all") == "all" or options.plugins or options.more_plugins:
        return
    fields = {name: text.split(",")[0] for name, text in settings(getattr(options, "overrides", [])).items()}
    system = systems.get(options.system, **fields)
    names = names_of(options.methods) if hasattr(options, "methods") else [getattr(options, "method", None)]
    for name in filter(None, names):
        assert name.startswith("policy:") or name in system.methods, (words, name)
    assert getattr(options, "policy", None) in (None, *system.recipes), words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_shown_exist(page):
    for words in commands_of(page):
        check(words)


def test_the_readme_shows_the_main_commands():
    shown = {words[1] for words in commands_of(ROOT / "README.md")}
    assert {"sample", "solve", "train", "compare"} <= shown


@pytest.mark.parametrize(
    "command",
    [
        "wirelax solve hetnet-ee --methd cnn --count 2 --out x.npz",
        "wirelax solve hetnet-ee --method nope --count 2 --out x.npz",
        "wirelax sample noma --count 2 --set noise=2 --out x.npz",
        "wirelax train noma --policy nope --out run",
    ],
)
def test_the_check_finds_what_is_wrong(command):
    with pytest.raises((SystemExit, AssertionError, systems.registry.InputError)):
        check(command.split())
