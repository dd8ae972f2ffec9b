"""What columns of a table and facts on a run are called where people read them."""

from __future__ import annotations

__all__ = ["label_of"]

_LABELS = {
    "count": "channels",
    "utility_mean": "mean",
    "utility_median": "median",
    "utility_mean_infeasible_as_zero": "mean, infeasible as 0",
    "ratio_to_best": "ratio to best",
    "violation_fraction": "infeasible results",
    "feasible_fraction": "feasible",
    "not_converged": "not converged",
    "infeasible_fraction": "declared infeasible",
    "seconds_per_channel": "time per channel",
    "compile_seconds": "time to compile",
    "within_8_percent": "within 8 % of best (%)",
    "error_median": "median error",
    "occupied_mean": "occupied RBs",
    "violation_long": "users below long rate",
    "violation_short": "users below short rate",
    "decoding_error_mean": "decoding error",
    "error_total": "realised error",
    "sum_rate_mean": "mean sum rate (bit/s/Hz)",
    "rate_p5": "5th percentile of rates (bit/s/Hz)",
    "rate_median": "median rate (bit/s/Hz)",
    "jain_index": "Jain index",
    "starved_fraction": "starved UEs",
    "serving_bss": "serving BSs",
    "unreachable_fraction": "UEs out of reach",
    "paper_sum_rate_mean": "paper: sum rate (bit/s/Hz)",
    "paper_seconds_per_channel": "paper: time per channel",
    "paper_parameters": "paper: parameters",
    "cpu": "CPU",
    "memory_gib": "memory (GiB)",
    "device_count": "devices",
}


def label_of(column: str) -> str:
    """Header of a column in words: ``seconds_per_channel`` is "time per channel"."""
    if column in _LABELS:
        return _LABELS[column]
    if column.startswith("violated_"):
        return f"break {column.removeprefix('violated_').replace('_', ' ')}"
    for start, words in (("paper_over_", "paper: over "), ("over_", "over ")):
        if column.startswith(start):
            return words + column.removeprefix(start)
    return column.replace("_", " ")
