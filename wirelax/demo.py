"""``make demo``: real and synthetic channels solved, a small policy trained, all of it compared."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from wirelax import systems
from wirelax.channels import load_munich_wideband
from wirelax.console import Progress, say
from wirelax.execution import use_compilation_cache
from wirelax.report import About, FigureItem, Section, figure_item, figures, machine_summary, write_report, write_table
from wirelax.report.compare import comparison_figures, comparison_rows, map_figure
from wirelax.report.rows import RATIO_DEFINITION, units_of
from wirelax.systems.policies import trained_method
from wirelax.units import linear_to_db

__all__ = ["main"]

SYSTEM, POLICY = "hetnet-ee", "dnn+ee"
METHODS = (
    "exhaustive+polish",
    "exhaustive",
    "max-power",
    "random-power",
    "cnn",
    "cnn+ee+best-of-8",
    "equivariant+refine",
)
UPLINK = "uplink-qos"
UPLINK_METHODS = ("numerical", "learned", "learned+repair", "prop-learn", "prop-learn+repair")
HUDN = "hudn"
HUDN_METHODS = ("maramp", "msuamp", "uamwser", "juapcmwser", "unfolded-grl", "unfolded-grl+polish")
HUDN_COUNT = 32
COUNT = 300


def _map_figure(directory: Path) -> FigureItem:
    """The macro's mean gain over the Munich map."""
    data = load_munich_wideband()
    level_db = np.asarray(linear_to_db(data.downlink_gain[:, :, 0].mean(0)))
    figure = figures.scatter_map(
        jnp.asarray(data.ue_position_m[:, :2]),
        level_db,
        "Macro path gain (dB)",
        sites_m={
            "macro BS": jnp.asarray(data.bs_position_m[:1, :2]),
            "small BS": jnp.asarray(data.bs_position_m[1:, :2]),
        },
        width="single",
    )
    caption = "Users and BSs in central Munich (OpenStreetMap contributors, ODbL)."
    return figure_item(figure, caption, directory / "munich_map")


def _history(run: Path, directory: Path) -> FigureItem:
    """Training loss of the small policy."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    history: dict[str, list[tuple[int, float]]] = {}
    for line in lines:
        history.setdefault(line["stage"], []).append((line["step"], line["loss"]))
    caption = "Training: supervised on exhaustive-search labels, then minus log EE (Mbit/J) through the kernels."
    return figure_item(figures.learning_curves(history, "Loss"), caption, directory / "training")


def _section(
    system: Any, title: str, results: dict[str, Any], directory: Path, first: FigureItem | None, *, count: int = COUNT
) -> tuple[list[dict[str, Any]], Section]:
    """Table and figures of one kind of channels."""
    rows = [{"method": row["method"], "scenario": title, **row} for row in comparison_rows(system, results)]
    stem = "_".join(title.lower().replace(":", "").split()[:2])
    found = comparison_figures(system, results, directory, stem=f"{stem}_")
    items = [*([first] if first else []), *found.values()]
    text = [f"{count} channels.", RATIO_DEFINITION]
    return rows, Section(title=title, text=text, rows=rows, figures=items, units=units_of(system))


def _uplink(directory: Path) -> list[Section]:
    """Tables and figures of the uplink, on channels that no policy saw."""
    sections = []
    for title, config in (("synthetic channels", {}), ("ray-traced Munich channels", {"scenario": "munich"})):
        system = systems.get(UPLINK, **config)
        channels, results = systems.sample_channels(system, COUNT, seed=1), {}
        for name in UPLINK_METHODS:
            say(f"solving {COUNT} {title} of {UPLINK}: {name}")
            results[name] = systems.solve_batch(system, name, channels, seed=2)
        rows, section = _section(system, f"{UPLINK}: {title}", results, directory, None)
        folder = directory / UPLINK / title.split()[0]
        folder.mkdir(parents=True, exist_ok=True)
        write_table(rows, folder, units=units_of(system))
        task = " ".join([system.objective, *system.constraints.values()])
        sections.append(replace(section, text=[task, *section.text]))
    return sections


def _network(directory: Path) -> Section:
    """Table, map and figures of the ultra-dense network on Munich, on which no policy was trained."""
    system = systems.get(HUDN, scenario="munich")
    channels, results = systems.sample_channels(system, HUDN_COUNT, seed=1), {}
    for name in HUDN_METHODS:
        say(f"solving {HUDN_COUNT} ray-traced Munich channels of {HUDN}: {name}")
        results[name] = systems.solve_batch(system, name, channels, seed=2)
    folder = directory / HUDN
    folder.mkdir(parents=True, exist_ok=True)
    first = map_figure(system, channels, results, folder)["map"]
    title = f"{HUDN}: ray-traced Munich channels"
    rows, section = _section(system, title, results, directory, first, count=HUDN_COUNT)
    write_table(rows, folder, units=units_of(system))
    task = " ".join([system.objective, *system.constraints.values()])
    return replace(section, text=[task, *section.text])


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration and print where its report lies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="demo-report", help="folder of the report")
    parser.add_argument("--preset", default="quick", choices=("smoke", "quick"))
    directory, began = Path(parser.parse_args(arguments).out), time.monotonic()
    preset = parser.parse_args(arguments).preset
    directory.mkdir(parents=True, exist_ok=True)
    use_compilation_cache()
    system, munich = systems.get(SYSTEM), systems.get(SYSTEM, scenario="munich")
    drawn = [systems.sample_channels(each, COUNT, seed=1)["gain"] for each in (munich, system)]
    channels = {"gain": np.concatenate(drawn)}

    recipe = system.recipes[POLICY]
    say(f"training a small policy ({POLICY}, {recipe.labels.count[preset]} labels)")
    with Progress("train") as progress:
        run = directory / "run"
        policy = systems.train_policy(system, recipe, directory=run, preset=preset, report=progress.training, say=say)
    methods: dict[str, Any] = {name: name for name in METHODS}
    methods[f"{POLICY}, trained here"] = trained_method(system, policy)
    results = {}
    for name, method in methods.items():
        say(f"solving {2 * COUNT} channels: {name}")
        results[name] = systems.solve_batch(system, method, channels, seed=2)

    sections, rows = [], []
    for title, part, first in (
        ("Ray-traced Munich channels", slice(0, COUNT), _map_figure(directory)),
        ("Synthetic 3GPP channels", slice(COUNT, 2 * COUNT), None),
    ):
        here = {name: result.part(part) for name, result in results.items()}
        table, section = _section(system, title, here, directory, first)
        sections.append(section)
        rows += table
    sections.append(Section(title="Training", text=[policy.name], figures=[_history(run, directory)]))
    write_table(rows, directory, units=units_of(system))
    sections += _uplink(directory)
    sections.append(_network(directory))
    about = About.of(system, command="make demo", seed=1, source="ray-traced and synthetic, drawn in the run")
    title = "wirelax demo: energy-efficient HetNets, uplink RBs for short packets, an ultra-dense network"
    page = write_report(directory / "report.html", title, sections, machine_summary(), about)
    print((directory / "table.md").read_text())
    say(f"done in {time.monotonic() - began:.0f} s; the report with figures is {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
