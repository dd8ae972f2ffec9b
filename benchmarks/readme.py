"""Fill the measured parts of README.md from result files: ``make readme``.

Text between ``<!-- NAME -->`` and ``<!-- /NAME -->`` is replaced. The tables come from the ``table.json`` that
``wirelax compare`` and ``wirelax reproduce`` write, the speeds from ``benchmarks/results``. Every table names the
machine: that of a result file where it is written there, else this one, on which ``make readme`` has just made them.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.table import to_table
from wirelax import systems
from wirelax.report.machine import machine_summary
from wirelax.report.reproduce import network_sizes, relative
from wirelax.report.table import to_markdown

ROOT = Path(__file__).parents[1]
FIGURES = Path("docs") / "figures"
UPLINK_FIGURE = "study_table-i-and-figure-6--what-adaptive-smoo.png"

EE = {
    "utility_mean": "mean EE",
    "ratio_to_best": "ratio to best",
    "within_8_percent": "within 8 % (%)",
    "error_median": "median error",
    "violation_fraction": "infeasible results",
    "seconds_per_channel": "time per channel",
}
NOMA = {
    "utility_mean": "mean sum rate",
    "ratio_to_best": "ratio to best",
    "violated_pairs": "pairs below R_min",
    "violation_fraction": "infeasible results",
    "seconds_per_channel": "time per channel",
}
STUDY = {
    "occupied_mean": "occupied RBs",
    "violation_long": "users below R_L",
    "violation_short": "users below R_S",
    "violation_fraction": "channels with such a user",
}
UPLINK = {
    "occupied_mean": "occupied RBs",
    "violation_long": "users below R_L",
    "violation_short": "users below R_S",
    "error_total": "realised error",
    "infeasible_fraction": "declared infeasible",
    "seconds_per_channel": "time per channel",
}
HUDN = {
    "sum_rate_mean": "mean sum rate (bit/s/Hz)",
    "ratio_to_best": "ratio to best",
    "rate_p5": "5th percentile of rates (bit/s/Hz)",
    "jain_index": "Jain index",
    "starved_fraction": "starved UEs",
    "serving_bss": "serving BSs",
    "seconds_per_channel": "time per channel",
}
FAIR = {name: label for name, label in HUDN.items() if name != "ratio_to_best"}
RATIOS = {
    "sum_rate_mean": "mean sum rate",
    "over_maramp": "over MARAMP",
    "paper_over_maramp": "paper: over MARAMP",
    "over_juapcmwser": "over JUAPCMWSER",
    "over_juapcmwser-published": "over the published JUAPCMWSER",
    "paper_over_juapcmwser": "paper: over JUAPCMWSER",
    "seconds_per_channel": "time per channel",
    "paper_seconds_per_channel": "paper: time per channel (s)",
}
SIZES = {
    "trained:dnn+rate@supervised": "DNN, supervised",
    "trained:dnn+rate": "fine-tuned",
    "equivariant": "equivariant",
    "paus-ip": "paus-ip",
    "max-power": "max-power",
    "random-power": "random-power",
}


def where(machine: Mapping[str, Any]) -> str:
    """The machine in a line."""
    return f"{machine['cpu']}, {machine['cores']} cores, jax {machine['jax']}, {machine['precision']}"


def comparison(directory: Path, labels: Mapping[str, str], unit: str) -> str:
    """The table of one run of ``wirelax compare``."""
    rows = _table(directory)
    table = to_markdown(rows, ["method", *labels], labels, units={"utility_mean": unit})
    return f"{rows[0]['count']:,} channels on {where(machine_summary())}:\n\n{table}"


def picture(directory: Path, name: str, what: str) -> str:
    """A figure of one run of ``wirelax compare``, with what it shows."""
    count = _table(directory)[0]["count"]
    return f"![{what}]({(FIGURES / name).as_posix()})\n\n*{what}: {count:,} channels on {where(machine_summary())}.*\n"


def beside_the_paper(directory: Path) -> str:
    """Sizes of the networks, and one run of ``wirelax compare hudn`` on the events of one city, beside the paper's."""
    system = systems.get("hudn", layout_seed=0)
    plan, rows = system.paper("quick"), _table(directory)
    networks = network_sizes(system, plan.networks)
    shown = [{**row, **relative(plan, row, rows)} for row in rows]
    sizes = to_markdown(networks, ["method", "parameters", "paper_parameters"], {"paper_parameters": "paper"})
    table = to_markdown(shown, ["method", *RATIOS], RATIOS, units={"sum_rate_mean": "bit/s/Hz"})
    return f"{sizes}\n{shown[0]['count']:,} events in one city, {where(machine_summary())}:\n\n{table}"


def by_size(directory: Path) -> str:
    """Sum rates of Tables II and III of the NOMA DNN paper, from one run of ``wirelax reproduce noma``."""
    rates: dict[str, dict[str, float]] = {}
    for row in _table(directory):
        if row["scenario"].startswith("Table "):
            rates.setdefault(row["scenario"], {})[row["method"]] = row["utility_mean"]
    rows = []
    for scenario, of in rates.items():
        reference = of["interior-point"]
        share = {name: f"{100 * of[name] / reference:.1f} %" for name in SIZES}
        rows.append({"scenario": ", ".join(scenario.split(": ")[1:]), "interior-point": reference, **share})
    labels = {"scenario": "size", "interior-point": "interior-point", **SIZES}
    table = to_markdown(rows, list(labels), labels, units={"interior-point": "bit/s/Hz"})
    return f"{where(machine_summary())}:\n\n{table}"


def labelling(file: Path) -> str:
    """Interior-point labels of the NOMA system against loops over SciPy's solvers."""
    result = json.loads(file.read_text())
    table = to_table(result["results"], "label", {"largest_gap_of_batched": "batched below it by"})
    sentences = [
        f"- {row['name']} against the median runs of others: {_ratios(row)} times faster.\n"
        for row in result["results"]
        if any(name.startswith("ratio_to_") for name in row) and row["unit"] == "label"
    ]
    return f"{where(result['machine'])}:\n\n{table}\n{''.join(sentences)}"


def study(directory: Path) -> str:
    """Means and spreads over the seeds of one run of ``wirelax reproduce``: of its sections with several seeds."""
    rows = [row for row in _table(directory) if row["scenario"].startswith("Table I ")]
    seeds = max(row["seeds"] for row in rows)
    shown = []
    for row in rows:
        spread = {name: row.get(f"{name}_std") for name in STUDY}
        shown.append({"method": row["method"], **{name: _with_spread(row[name], spread[name]) for name in STUDY}})
    table = to_markdown(shown, ["method", *STUDY], STUDY)
    return f"{rows[0]['count']:,} channels, mean ± deviation over {seeds} seeds, {where(machine_summary())}:\n\n{table}"


def _with_spread(value: float | None, spread: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if spread is None else f"{value:.3g} ± {spread:.2g}"


def uplink_speed(file: Path) -> str:
    """The numerical methods of the uplink in batches against loops over their NumPy form."""
    result = json.loads(file.read_text())
    return f"{where(result['machine'])}:\n\n{to_table(result['results'], 'channel')}"


def _ratios(row: Mapping[str, Any]) -> str:
    """Ratios of median runs by name: ``slsqp 47, ipopt 296``."""
    start = "median_ratio_to_"
    found = {name.removeprefix(start).replace("_", " "): row[name] for name in row if name.startswith(start)}
    return ", ".join(f"{name} {ratio:,.0f}" for name, ratio in found.items())


def speed(file: Path) -> str:
    """Time per channel of every search and solver, and the fast search's ratios."""
    result = json.loads(file.read_text())
    fast = next(row for row in result["results"] if "ratio_to_plain" in row)
    took = 20_000 * fast["seconds_per_channel"]
    return (
        f"{where(result['machine'])}:\n\n{to_table(result['results'], 'channel')}\n"
        f"The tabulated search is {fast['ratio_to_plain']:,.0f} times faster than the plain vmapped one and "
        f"{fast['ratio_to_numpy_loop']:,.0f} times faster than the NumPy loop, best run against best run. It labels "
        f"20,000 channels in {took:.2g} s and finds the plain search's optimum on "
        f"{fast['same_argmax_as_plain']:.0%} of {fast['compared_channels']} channels.\n"
    )


def _table(directory: Path) -> list[dict[str, Any]]:
    return json.loads((directory / "table.json").read_text())


@dataclass(frozen=True)
class Part:
    """What one option gives to README.

    Attributes:
        content: marker -> the text between the markers, from the path of the option.
        figures: file in the folder of the option -> its name in docs/figures.
    """

    content: Mapping[str, Callable[[Path], str]]
    figures: Mapping[str, str] = field(default_factory=dict)


_ee = partial(comparison, labels=EE, unit="bit/J")
_noma = partial(comparison, labels=NOMA, unit="bit/s/Hz")
_uplink = partial(comparison, labels=UPLINK, unit="RB")
_hudn = partial(comparison, labels=HUDN, unit="bit/s/Hz")
_fair = partial(comparison, labels=FAIR, unit="nat")
_WHAT = "Time per channel against quality of the methods for hetnet-ee"
PARTS = {
    "synthetic": Part(
        {"speed-quality": partial(picture, name="speed_quality.png", what=_WHAT), "synthetic": _ee},
        {name: name for name in ("speed_quality.png", "utility_cdf.png", "error_cdf.png")},
    ),
    "munich": Part({"munich": _ee}),
    "noma": Part({"noma": _noma}, {"utility_cdf.png": "noma_utility_cdf.png"}),
    "noma-munich": Part({"noma-munich": _noma}),
    "noma-sizes": Part({"noma-sizes": by_size}),
    "uplink": Part({"uplink": _uplink}),
    "uplink-munich": Part({"uplink-munich": _uplink}),
    "uplink-study": Part({"uplink-study": study}, {UPLINK_FIGURE: "uplink_study.png"}),
    "hudn": Part({"hudn": _hudn}, {"map.png": "hudn_map.png"}),
    "hudn-munich": Part({"hudn-munich": _hudn}, {"map.png": "hudn_munich_map.png"}),
    "hudn-fair": Part({"hudn-fair": _fair}),
    "hudn-paper": Part({"hudn-paper": beside_the_paper}),
    "uplink-bench": Part({"uplink-bench": uplink_speed}),
    "bench": Part({"bench": speed}),
    "labels": Part({"labels": labelling}),
}


def fill(text: str, name: str, content: str) -> str:
    """The text with what lies between the markers of `name` replaced."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"README.md has no markers <!-- {name} --> ... <!-- /{name} -->")
    return pattern.sub(lambda found: f"{found[1]}{content}{found[2]}", text)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> None:
    """Rewrite the parts of README.md whose results are given, and the figures that they show."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in PARTS:
        parser.add_argument(f"--{name}", type=Path)
    options = vars(parser.parse_args(arguments))
    text = (root / "README.md").read_text()
    for name, part in PARTS.items():
        path = options[name.replace("-", "_")]
        if path is None:
            continue
        for marker, content in part.content.items():
            text = fill(text, marker, content(path))
        for source, target in part.figures.items():
            (root / FIGURES).mkdir(parents=True, exist_ok=True)
            shutil.copy(path / source, root / FIGURES / target)
    (root / "README.md").write_text(text)


if __name__ == "__main__":
    main()
