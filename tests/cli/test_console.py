"""Progress: a bar on a terminal, plain lines elsewhere, always beside the results on stderr."""

import io
import sys

import pytest

from wirelax import console


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_plain_lines_every_few_seconds(capsys, monkeypatch):
    now = iter([0.0, 1.0, 20.0, 20.0, 25.0, 40.0, 40.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    with console.Progress("noma joint") as progress:
        progress.update(1, 9)  # too early
        progress.update(4, 9)
        progress.update(5, 9)  # too soon after the last line
        progress.training("supervised", 300, 900, {"loss": 0.12345})
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["noma joint: 4 of 9", "noma joint: 300 of 900 supervised, loss 0.1235"]


def test_a_bar_on_a_terminal(monkeypatch):
    pytest.importorskip("rich")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with console.Progress("noma joint") as progress:
        progress.update(9, 9)
    assert "noma joint" in terminal.getvalue()
    assert "100%" in terminal.getvalue()


def test_a_terminal_without_rich_gets_plain_lines(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(console, "PLAIN_INTERVAL_S", -1.0)
    for name in ("rich", "rich.console", "rich.progress"):
        monkeypatch.setitem(sys.modules, name, None)
    with console.Progress("noma joint") as progress:
        progress.update(3, 9)
    assert terminal.getvalue() == "noma joint: 3 of 9\n"


def test_long_work_of_a_command_reports_itself(link, in_folder, run, monkeypatch):
    monkeypatch.setattr(console, "PLAIN_INTERVAL_S", -1.0)
    _, out, error = run("solve link --method max-power --count 6 --batch-size 2 --out out.npz")
    assert out == ""
    assert error.splitlines()[:3] == [f"link max-power: {done} of 6" for done in (2, 4, 6)]
