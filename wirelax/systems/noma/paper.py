"""What ``wirelax reproduce noma`` shows: Yang et al.'s (2020) figures and tables, ours beside theirs."""

from __future__ import annotations

from typing import Any

from wirelax.systems.paper import Curves, Reproduction, Sweep

__all__ = ["reproduction"]

_PAPER = {"interference_gain": "paper"}
_BASELINES = ("max-power", "random-power")
_SOLVERS = ("interior-point", "swap-matching", "paus-ip", "joint")
_LEARNED = ("dnn", "dnn+rate", "dnn+qos", "dnn+qos-raw", "dnn+simplex", "equivariant")


def reproduction(preset: str) -> Reproduction:
    """Quick: few sizes and small trainings. Paper: all sizes, trained from scratch."""
    if preset not in ("quick", "paper"):
        raise ValueError(f"unknown preset {preset!r}; choose quick or paper")
    paper = preset == "paper"
    alternating = ("paus", "paus-equivariant") if paper else ("paus",)
    across = ("interior-point", "paus-ip", "equivariant", *_BASELINES)
    scenarios = {
        "Rayleigh channels, interference as in the paper": _PAPER,
        "Rayleigh channels, interference through the receiver's gain": {},
        "ray-traced Munich channels": {"scenario": "munich"},
    }
    if not paper:  # every scenario compiles the solvers anew
        del scenarios["Rayleigh channels, interference through the receiver's gain"]
    sizes: dict[str, tuple[float, ...]] = {
        "num_users": (10, 15, 20, 25, 30) if paper else (10, 30),
        "num_subchannels": (5, 10, 15, 20, 25) if paper else (5, 25),
    }
    targets: dict[str, Any] = {
        "field": "min_rate",
        "values": (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06) if paper else (0.0, 0.03, 0.06),
        "methods": ("interior-point",),
        "overrides": _PAPER,
    }
    trained = ("dnn+rate@supervised", "dnn+rate", *(("dnn+qos", "dnn+simplex") if paper else ()))
    return Reproduction(
        count=2000 if paper else 100,
        train=("dnn+qos", "dnn+simplex") if paper else (),
        train_preset=preset,
        methods=(*_SOLVERS, *_BASELINES, *_LEARNED, *alternating),
        groups={
            "Power allocation of the initial schedule": (
                "interior-point",
                *_BASELINES,
                "dnn",
                "dnn+rate",
                "dnn+qos",
                "dnn+simplex",
                "equivariant",
            ),
            "Power allocation and scheduling": ("interior-point", "dnn", "swap-matching", "paus-ip", *alternating),
        },
        scenarios=scenarios,
        sweeps=(
            Sweep(
                title="Figure 6: sum rate against R_min, 20 users",
                lines={f"N = {n}": {"num_subchannels": n, "num_users": 20} for n in sizes["num_subchannels"]},
                **targets,
            ),
            Sweep(
                title="Figure 7: sum rate against R_min, 10 subchannels",
                lines={f"M = {m}": {"num_subchannels": 10, "num_users": m} for m in sizes["num_users"]},
                **targets,
            ),
            Sweep(
                title="Table II and figure 8: users on 10 subchannels",
                field="num_users",
                values=sizes["num_users"],
                methods=across,
                overrides={**_PAPER, "num_subchannels": 10},
                resample=True,
                train=trained,
            ),
            Sweep(
                title="Table III and figure 9: subchannels for 20 users",
                field="num_subchannels",
                values=sizes["num_subchannels"],
                methods=across,
                overrides={**_PAPER, "num_users": 20},
                resample=True,
                train=trained,
            ),
        ),
        sweep_count=1000 if paper else 100,
        curves=(
            Curves(title="Figure 4: batch sizes", recipes=tuple(f"dnn-batch-{size}" for size in (20, 50, 100, 200))),
            Curves(
                title="Figure 5: learning rates", recipes=tuple(f"dnn-rate-{r}" for r in ("0.01", "0.001", "0.0001"))
            ),
        ),
        notes=(
            "The paper's DNN reaches 89.67 % of its interior point at M = 30, N = 10 (Table II) and 90.15 % at M = 20, "
            "N = 25 (Table III), over 100 times faster; compare interior-point, trained:dnn+rate@supervised (its "
            "training) and trained:dnn+rate (then fine-tuned on the sum rate) below.",
            "Settled where the paper is silent: noise 0.1 W, eps 0.05, Rayleigh gains, random initial schedules that "
            "fill both quotas as far as they go.",
            "dnn+qos-raw is the network's own output; the others are repaired to meet R_min. `joint` serves fewer "
            "pairs than the initial schedule where that raises the sum rate.",
        ),
    )
