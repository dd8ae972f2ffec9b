"""``make demo``: real and synthetic channels solved exactly, a small policy trained, all of it compared."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from wirelax import systems
from wirelax.channels import load_munich_wideband
from wirelax.console import Progress, say
from wirelax.report import FigureItem, Section, figures, machine_summary, write_report, write_table
from wirelax.report.compare import comparison_figures, comparison_rows
from wirelax.systems.run import sample_channels, solve_batch
from wirelax.training.run import train_policy
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
    path = figures.save(figure, directory / "munich_map.png")
    return FigureItem(path, "Users and BSs in central Munich (OpenStreetMap contributors, ODbL).", "Map of path gains")


def _history(run: Path, directory: Path) -> FigureItem:
    """Training loss of the small policy."""
    import json

    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    history: dict[str, list[tuple[int, float]]] = {}
    for line in lines:
        history.setdefault(line["stage"], []).append((line["step"], line["loss"]))
    path = figures.save(figures.learning_curves(history, "Loss"), directory / "training.png")
    caption = "Training: supervised on exhaustive-search labels, then minus log EE (Mbit/J) through the kernels."
    return FigureItem(path, caption, "Learning curves")


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration and print where its report lies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="demo-report", help="folder of the report")
    parser.add_argument("--preset", default="quick", choices=("smoke", "quick"))
    directory, began = Path(parser.parse_args(arguments).out), time.monotonic()
    preset = parser.parse_args(arguments).preset
    directory.mkdir(parents=True, exist_ok=True)
    system, munich = systems.get(SYSTEM), systems.get(SYSTEM, scenario="munich")
    synthetic_gain = sample_channels(system, COUNT, seed=1)["gain"]
    channels = {"gain": np.concatenate([sample_channels(munich, COUNT, seed=1)["gain"], synthetic_gain])}

    say(f"training a small policy ({POLICY}, {system.recipes[POLICY].num_labels[preset]} labels)")
    with Progress("train") as progress:
        run = directory / "run"
        policy = train_policy(
            system, system.recipes[POLICY], directory=run, preset=preset, report=progress.training, say=say
        )
    methods: dict[str, Any] = {name: system.methods[name] for name in METHODS}
    methods[f"{POLICY}, trained here"] = system.recipes[POLICY].method(policy)
    results = {}
    for name, method in methods.items():
        say(f"solving {2 * COUNT} channels: {name}")
        results[name] = solve_batch(system, method, channels, seed=2)

    units = {"utility_mean": system.utility_unit, "utility_median": system.utility_unit}
    sections, rows = [], []
    for title, part in (
        ("Ray-traced Munich channels", slice(0, COUNT)),
        ("Synthetic 3GPP channels", slice(COUNT, 2 * COUNT)),
    ):
        here = {name: result.part(part) for name, result in results.items()}
        table = [{"method": row["method"], "channels": title, **row} for row in comparison_rows(system, here)]
        found = comparison_figures(system, here, directory, stem=f"{title.split()[0].lower()}_")
        if part.start == 0:
            found.insert(0, _map_figure(directory))
        text = [f"{COUNT} channels; errors and ratios are taken to the best method of each channel."]
        sections.append(Section(title=title, text=text, rows=table, figures=found, units=units))
        rows += table
    sections.append(Section(title="Training", text=[policy.name], figures=[_history(run, directory)]))
    write_table(rows, directory, units=units)
    page = write_report(
        directory / "report.html", "wirelax demo: energy-efficient HetNets", sections, machine_summary()
    )
    print((directory / "table.md").read_text())
    say(f"done in {time.monotonic() - began:.0f} s; the report with figures is {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
