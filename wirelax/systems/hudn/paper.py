"""What ``wirelax reproduce hudn`` shows: the tables and figures of Zhang et al. (HBGNN), ours beside theirs."""

from __future__ import annotations

from typing import Any

from wirelax.systems.paper import Curves, Reproduction, Sweep

__all__ = ["reproduction"]

SMALL = {
    "num_ues": 30,
    "num_bss": 23,
    "num_macro": 3,
    "side_m": 100.0,
    "points_per_side": 20,
    "num_buildings": 5,
}
"""The city in small, where a training takes minutes."""
PUBLISHED = {"scenario": "published", "noise_dbm": -103.97940008672037}
"""The path loss of the published code and its noise when it scores, 4e-14 W."""
_RATES = {
    "maramp": 57.259,
    "msuamp": 108.081,
    "msuapc": 136.219,
    "uamwser": 111.266,
    "juapcmwser": 153.227,
    "hbgnn-grl": 195.451,
    "hbgnn-srl": 221.0,
}
"""Table III, bit/s/Hz."""
_SECONDS = {
    "maramp": 0.037,
    "msuamp": 3.334,
    "msuapc": 285.503,
    "uamwser": 0.204,
    "juapcmwser": 1019.489,
    "hbgnn-grl": 0.039,
    "hbgnn-srl": 97.697,
}
"""Table IV, s an event, on an Intel Core i7-9700K."""
BASELINES = ("maramp", "msuamp", "msuapc", "uamwser", "juapcmwser")
SILENT = ("maramp+silent", "msuamp+silent", "uamwser+silent")
FAULTY = ("uamwser-published", "juapcmwser-published")
STRONG = ("maramp+polish", "juapcmwser+polish", "greedy", "local-search", "direct")
LEARNED = (
    "hbgnn-grl",
    "hbgnn-srl",
    "unfolded-grl",
    "unfolded-grl+polish",
    "unfolded-srl",
    "unfolded-srl+polish",
)


def reproduction(preset: str) -> Reproduction:
    """Quick: shipped weights, and trainings of the city in small. Paper: 200 events, and trainings at full size."""
    if preset not in ("quick", "paper"):
        raise ValueError(f"unknown preset {preset!r}; choose quick or paper")
    paper = preset == "paper"
    size: dict[str, Any] = {} if paper else SMALL
    swept = ("maramp", "juapcmwser", "local-search", "unfolded-grl", "unfolded-grl+polish")
    swept = (*swept, "unfolded-srl") if paper else swept
    return Reproduction(
        count=200 if paper else 16,
        train=(),
        train_preset=preset,
        methods=(*BASELINES, *SILENT, *FAULTY, *STRONG, *LEARNED),
        groups={"Baselines": BASELINES, "Learned": ("juapcmwser", *LEARNED)},
        metric_cdfs=True,
        scenarios={
            "events in one city, as in the paper": {"layout_seed": 0},
            "cities that no policy was trained on": {},
            "ray-traced Munich channels": {"scenario": "munich"},
            "cities with the path loss of the published code": PUBLISHED,
            "proportional fairness in cities": {"utility": "proportional-fair"},
            "proportional fairness in Munich": {"utility": "proportional-fair", "scenario": "munich"},
        },
        references=("maramp", "juapcmwser", "juapcmwser-published"),
        reference_column="sum_rate_mean",
        printed={"sum_rate_mean": _RATES, "seconds_per_channel": _SECONDS},
        networks={"fcnn": 6.4e7, "cnn": 5.0e5, "hbgnn": 4.7e5, "hgsage": None, "edge": None, "unfolded": None},
        curves=tuple(
            Curves(
                title=title,
                recipes=tuple(f"{name}{ending}" for name in ("fcnn", "cnn", "hbgnn")),
                metrics=("mean_rate", "max_rate"),
                overrides={**size, "layout_seed": 0},
                yscale="linear",
            )
            for title, ending in (
                ("Figure 6: learning the association at full power", "-ua"),
                ("Figure 7: learning powers for a given association", "-pa"),
                ("Figure 8: learning both", ""),
            )
        ),
        sweeps=(
            Sweep(
                title="Figure 11: the density of UEs",
                field="num_ues",
                values=(40, 80, 120, 160, 200) if paper else (40, 120, 200),
                methods=swept,
                resample=True,
            ),
            Sweep(
                title="Figure 12: the density of BSs",
                field="num_bss",
                values=(25, 45, 65, 85, 105, 125, 145) if paper else (45, 105, 145),
                methods=swept,
                resample=True,
            ),
        ),
        sweep_count=50 if paper else 16,
        notes=(
            "maramp, msuamp and uamwser transmit at full power from every BS, also from those without a UE, as "
            "published; +silent is the same with these silent, and all other methods silence them. over_X is a "
            "method's mean sum rate over that of X; paper_over_X the same of Table III.",
            "The ratios of the paper are to a JUAPCMWSER whose published code has four faults; juapcmwser-published is "
            "that code as far as its description tells, juapcmwser the method.",
        ),
    )
