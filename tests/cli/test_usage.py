"""Bad usage, names with typos, bugs and interruptions: the right exit status and one clear line."""

import io
import subprocess
import sys

import numpy as np
import pytest

import wirelax
from wirelax import systems
from wirelax.cli import main
from wirelax.errors import InputError, unknown_name

from .conftest import Link

LINK_FIELDS = ("num_subchannels", "noise_w", "max_power_w", "price_per_w")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("solve nope --method max-power --count 2", ["unknown system 'nope'", "hetnet-ee", "noma", "link"]),
        ("solve lnk --method max-power --count 2", ["did you mean 'link'?"]),
        ("solve link --method maxpower --count 2", ["unknown method 'maxpower'", "did you mean 'max-power'?", "moody"]),
        ("solve link --method zzz --count 2", ["unknown method 'zzz' for link; valid methods: water-filling"]),
        ("compare link --methods max-power,zzz --count 2", ["'zzz'", "water-filling"]),
        ("sweep link --methods zzz --count 2 --set price_per_w=1,2", ["'zzz'", "water-filling"]),
        ("compare link --methods , --count 2", ["names no method"]),
        ("train link --policy mpl", ["unknown policy 'mpl'", "did you mean 'mlp'?"]),
        ("train link --policy mlp --preset quik", ["--preset", "smoke", "quick", "paper"]),
        ("solve link --method policy:nowhere --count 2", ["nowhere", "does not exist"]),
        ("solve link --method policy: --count 2", ["policy"]),
        (
            "sample link --count 2 --set price=3",
            ["unknown configuration field 'price'", "'price_per_w'?", *LINK_FIELDS],
        ),
        ("sample link --count 2 --set oops", ["'oops'", "--set field=value"]),
        ("sample link --count 2 --set price_per_w=0", ["price_per_w is 0.0", "> 0.0"]),
        ("sample link --count 2 --set price_per_w=nan", ["price_per_w is nan"]),
        ("sample link --count 2 --set price_per_w=cheap", ["'cheap'", "type float"]),
        ("sample link --count 2 --set num_subchannels=2.5", ["'2.5'", "type int"]),
        ("solve link --method max-power", ["--channels FILE", "--count N"]),
        ("solve link --method max-power --count 2 --channels x.npz", ["--channels FILE", "--count N"]),
        ("solve link --method max-power --channels x.npz", ["x.npz does not exist"]),
        ("solve link --method max-power --count 0", ["--count", "'0'", "positive"]),
        ("solve link --method max-power --count -1", ["--count", "'-1'", "positive"]),
        ("solve link --method max-power --count two", ["--count", "'two'"]),
        ("solve link --method max-power --count 2 --batch-size 0", ["--batch-size", "'0'", "positive"]),
        ("sample link --count 2 --seed -1", ["--seed", "'-1'"]),
        ("sample link --count 2 --seed 99999999999999999999", ["--seed", "99999999999999999999", "4294967295"]),
        ("sample link", ["--count", "wirelax sample --help"]),
        ("sweep link --methods max-power --count 2", ["varies one field", "0 were"]),
        ("sweep link --methods max-power --count 2 --set noise_w=1,2 --set price_per_w=1,2", ["varies one", "2 were"]),
        ("sweep link --methods max-power --count 2 --set price_per_w=3,3.0", ["price_per_w", "twice"]),
        ("reproduce link", ["nothing to reproduce"]),
        ("bogus link", ["'bogus'", "'solve'"]),
    ],
)
def test_bad_usage_is_one_line_and_leaves_nothing(link, in_folder, refused, command, words):
    out = "out.npz" if command.startswith(("sample", "solve", "bogus")) else "out"
    refused(f"{command} --out {out}", *words)
    assert list(in_folder.iterdir()) == []


@pytest.mark.parametrize("seed", [0, 2**31, 2**32 - 1])
def test_every_seed_of_32_bits_is_another(link, in_folder, run, seed):
    for name, number in (("a", seed), ("b", (seed + 1) % 2**32)):
        assert run(f"sample link --count 2 --seed {number} --out {name}.npz")[0] == 0
    assert not np.array_equal(np.load("a.npz")["gain"], np.load("b.npz")["gain"])


def test_unknown_names_come_with_the_one_that_is_close():
    assert isinstance(unknown_name("policy", "x", []), InputError)
    assert str(unknown_name("policy", "x", [])) == "unknown policy 'x'; valid policies: none"
    assert "did you mean 'CNN'" not in str(unknown_name("method", "dnn", ["joint", "paus"]))
    assert "did you mean 'equivariant'?" in str(unknown_name("method", "equivarient", ["cnn", "equivariant"]))
    assert "did you mean 'cnn'?" in str(unknown_name("method", "CNN", ["cnn", "equivariant"]))


@pytest.mark.parametrize("error", [ValueError, TypeError, IndexError, KeyError])
def test_a_bug_keeps_its_traceback(link, in_folder, monkeypatch, error):
    def broken(*args, **options):
        raise error("a bug inside the package")

    monkeypatch.setattr("wirelax.systems.run.instance_keys", broken)
    with pytest.raises(error, match="a bug inside"):
        main(["sample", "link", "--count", "2", "--out", "out.npz"])
    assert list(in_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("no such thing\nmore of it"), 2, "wirelax: error: no such thing\n"),
        (OSError(28, "No space left on device"), 2, "wirelax: error: [Errno 28] No space left on device\n"),
        (FloatingPointError("the loss is nan at step 3"), 1, "wirelax: error: the loss is nan at step 3\n"),
        (KeyboardInterrupt(), 130, "wirelax: interrupted\n"),
    ],
)
def test_exit_statuses(link, in_folder, run, monkeypatch, error, status, line):
    def ends(*args, **options):
        raise error

    monkeypatch.setattr("wirelax.systems.run.instance_keys", ends)
    assert run("sample link --count 2 --out out.npz") == (status, "", line)
    assert list(in_folder.iterdir()) == []


def test_a_traceback_of_bad_input_on_demand(link, in_folder, monkeypatch):
    monkeypatch.setenv("WIRELAX_TRACEBACK", "1")
    with pytest.raises(InputError, match="'nope'"):
        main(["sample", "nope", "--count", "2", "--out", "out.npz"])


@pytest.mark.parametrize("command", ["sample", "solve", "train", "compare", "sweep", "reproduce"])
def test_help_points_to_describe(run, command):
    status, out, _ = run(f"{command} --help")
    assert status == 0
    assert "wirelax describe SYSTEM" in " ".join(out.split())


def test_version(run):
    assert run("--version") == (0, f"wirelax {wirelax.__version__}\n", "")


def test_as_a_module_and_a_reader_that_has_read_enough():
    command = [sys.executable, "-m", "wirelax", "systems"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        error = process.stderr.read()
    assert process.returncode == 0
    assert error == ""


def test_a_terminal_that_lacks_letters(link, in_folder, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    monkeypatch.setattr(Link, "constraints", {"a": "5 µs at most"})
    assert main(["describe", "link"]) == 0
    assert b"5 ?s at most" in written.getvalue()


PLUGIN = """
from tests.toy_system import PricedLink
from wirelax import systems

class Mine(PricedLink):
    name = "mine"

if "mine" not in systems.names():
    systems.register("mine", Mine)
"""


@pytest.mark.parametrize("command", ["--plugin mine_plugin describe mine", "describe mine --plugin mine_plugin"])
def test_plugins_before_and_after_the_command(in_folder, run, monkeypatch, command):
    monkeypatch.setattr(systems.registry, "_registered", {})
    monkeypatch.delitem(sys.modules, "mine_plugin", raising=False)
    monkeypatch.syspath_prepend(str(in_folder))
    (in_folder / "mine_plugin.py").write_text(PLUGIN)
    status, out, _ = run(command)
    assert status == 0
    assert "price_per_w" in out
