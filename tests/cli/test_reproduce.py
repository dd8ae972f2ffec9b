"""``reproduce``: which systems and folders; what cannot be done is said first. The work itself is a stand-in."""

import pytest


@pytest.fixture
def done(monkeypatch):
    """Names of the systems that were reproduced, each of which leaves a table."""
    names = []

    def work(system, directory, *, preset, seed, say, training_report, command):
        names.append((system.name, preset, seed, directory.as_posix()))
        for name in ("table.md", "table.json", "report.html"):
            (directory / name).write_text(f"{system.name}\n")
        return [], directory / "report.html"

    monkeypatch.setattr("wirelax.report.reproduce.reproduce", work)
    return names


def test_one_system(link, in_folder, run, refused, done):
    status, out, error = run("reproduce noma --seed 4 --out running-time/noma")
    assert (status, out) == (0, "noma\n\n")
    assert "report: running-time/noma/report.html" in error
    assert done == [("noma", "quick", 4, "running-time/noma")]
    refused("reproduce noma --out running-time/noma", "table.json exists", "--overwrite")
    assert len(done) == 1
    assert run("reproduce noma --out running-time/noma --overwrite --preset paper")[0] == 0
    assert done[1][:2] == ("noma", "paper")


def test_all_that_come_from_a_paper(link, in_folder, run, refused, done):
    assert run("reproduce all --out all")[0] == 0
    assert [name for name, *_ in done] == ["hetnet-ee", "noma", "uplink-qos", "hudn"]
    assert {path.name for path in (in_folder / "all").iterdir()} == {"hetnet-ee", "noma", "uplink-qos", "hudn"}
    (in_folder / "second" / "noma").mkdir(parents=True)
    (in_folder / "second" / "noma" / "table.json").write_text("precious")
    refused("reproduce all --out second", "second/noma/table.json exists")
    assert len(done) == 4  # the first system was not run either
    assert [path.name for path in (in_folder / "second").iterdir()] == ["noma"]


def test_a_system_of_ones_own_has_nothing_to_reproduce(link, in_folder, refused, done):
    refused("reproduce link --out out", "link comes from no paper")
    refused("reproduce all --set price_per_w=3 --out out", "'price_per_w'")
    assert done == []
    assert list(in_folder.iterdir()) == []
