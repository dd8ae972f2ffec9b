"""Fill the measured parts of README.md from result files: ``make readme``.

Text between ``<!-- NAME -->`` and ``<!-- /NAME -->`` is replaced. The tables come from the ``table.json`` that
``wirelax compare`` writes, the speeds from ``benchmarks/results``.
"""

import argparse
import json
import re
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from wirelax.report._format import format_si
from wirelax.report.table import to_markdown

LABELS = {
    "utility_mean": "mean EE",
    "ratio_to_best": "ratio to best",
    "within_8_percent": "within 8 % (%)",
    "error_median": "median error",
    "violation_fraction": "SE target missed",
    "seconds_per_channel": "time per channel",
}
NOMA_LABELS = {
    "utility_mean": "mean sum rate",
    "ratio_to_best": "ratio to best",
    "violated_pairs": "pairs below R_min",
    "violation_fraction": "infeasible channels",
    "seconds_per_channel": "time per channel",
}


def comparison(directory: Path, labels: dict[str, str] = LABELS, unit: str = "bit/J") -> str:
    """The table of one run of ``wirelax compare``."""
    rows = json.loads((directory / "table.json").read_text())
    return to_markdown(rows, ["method", *labels], labels, units={"utility_mean": unit})


SIZES = {
    "trained:dnn+rate@supervised": "DNN, supervised",
    "trained:dnn+rate": "fine-tuned",
    "equivariant": "equivariant",
    "paus-ip": "paus-ip",
    "max-power": "max-power",
    "random-power": "random-power",
}


def by_size(directory: Path) -> str:
    """Sum rates of Tables II and III of paper 2, from one run of ``wirelax reproduce noma``."""
    rates: dict[str, dict[str, float]] = {}
    for row in json.loads((directory / "table.json").read_text()):
        if row["scenario"].startswith("Table "):
            rates.setdefault(row["scenario"], {})[row["method"]] = row["utility_mean"]
    rows = []
    for scenario, of in rates.items():
        reference = of["interior-point"]
        share = {name: f"{100 * of[name] / reference:.1f} %" for name in SIZES}
        rows.append({"scenario": ", ".join(scenario.split(": ")[1:]), "interior-point": reference, **share})
    labels = {"scenario": "size", "interior-point": "interior-point", **SIZES}
    return to_markdown(rows, list(labels), labels, units={"interior-point": "bit/s/Hz"})


def labelling(file: Path) -> str:
    """Interior-point labels of the NOMA system against loops over SciPy's solvers."""
    result = json.loads(file.read_text())
    machine, rows, sentences = result["machine"], [], []
    for row in result["results"]:
        if row["unit"] != "label":
            continue
        best = row["seconds_min"] / row["count"]
        gap = row.get("largest_gap_of_batched", "")
        rows.append({"method": row["name"], "best_seconds": best, "per_second": 1 / best, "gap": gap})
        ratios = {
            name.removeprefix("ratio_to_").replace("_", " ").replace("slsqp", "SLSQP").replace("ipopt", "Ipopt"): (
                f"{best_ratio:,.0f} ({row[f'median_{name}']:,.0f})"
            )
            for name, best_ratio in row.items()
            if name.startswith("ratio_")
        }
        if ratios:
            listed = ", ".join(f"{name} {value}" for name, value in ratios.items())
            sentences.append(
                f"- {row['name']} is faster than others by these factors, best run against best run (median against "
                f"median): {listed}."
            )
    labels = {
        "best_seconds": "time per label (best run)",
        "per_second": "labels per second",
        "gap": "batched below it by",
    }
    where = f"{machine['cpu']}, {machine['cores']} cores, jax {machine['jax']}"
    return f"{where}:\n\n{to_markdown(rows, ['method', *labels], labels)}\n" + "\n".join(sentences) + "\n"


def speed(file: Path) -> str:
    """Time per channel of every search and solver, and the fast search's ratios."""
    result = json.loads(file.read_text())
    machine, rows = result["machine"], []
    for row in result["results"]:
        if row["unit"] == "channel":
            best = row["seconds_min"] / row["count"]
            rows.append(
                {"method": row["name"], "seconds_per_channel": row["seconds_per_channel"], "best_seconds": best}
            )
    fast = next(row for row in result["results"] if "ratio_to_plain" in row)
    loop, plain = fast["ratio_to_numpy_loop"], fast["ratio_to_plain"]
    labels = {"seconds_per_channel": "time per channel (median run)", "best_seconds": "best run"}
    took = format_si(fast["seconds_20000_labels"], "s")
    return (
        f"{machine['cpu']}, {machine['cores']} cores, jax {machine['jax']}, {machine['precision']}:\n\n"
        f"{to_markdown(rows, ['method', *labels], labels)}\n"
        f"The tabulated search is {plain:,.0f} times faster than the plain vmapped one and {loop:,.0f} times faster "
        f"than the NumPy loop, best run against best run. It labels 20,000 channels in {took} and finds the plain "
        f"search's optimum on {fast['same_argmax_as_plain']:.0%} of {fast['compared_channels']} channels.\n"
    )


def fill(text: str, name: str, content: str) -> str:
    """The text with what lies between the markers of `name` replaced."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"README.md has no markers <!-- {name} --> ... <!-- /{name} -->")
    return pattern.sub(lambda found: f"{found[1]}{content}{found[2]}", text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Rewrite the parts of README.md whose results are given, and the figures that they show."""
    noma = partial(comparison, labels=NOMA_LABELS, unit="bit/s/Hz")
    parts = {
        "synthetic": (comparison, {"utility_cdf.png": "utility_cdf.png", "error_cdf.png": "error_cdf.png"}),
        "munich": (comparison, {}),
        "noma": (noma, {"utility_cdf.png": "noma_utility_cdf.png"}),
        "noma-munich": (noma, {}),
        "noma-sizes": (by_size, {}),
        "bench": (speed, {}),
        "labels": (labelling, {}),
    }
    parser = argparse.ArgumentParser(description=__doc__)
    for name in parts:
        parser.add_argument(f"--{name}", type=Path)
    options = vars(parser.parse_args(arguments))
    readme = Path(__file__).parents[1] / "README.md"
    text = readme.read_text()
    for name, (content, figures) in parts.items():
        if path := options[name.replace("-", "_")]:
            text = fill(text, name, content(path))
            for source, target in figures.items():
                shutil.copy(path / source, readme.parent / "docs" / "figures" / target)
    readme.write_text(text)


if __name__ == "__main__":
    main()
