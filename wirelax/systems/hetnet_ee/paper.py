"""What ``wirelax reproduce hetnet-ee`` shows: Xu et al.'s (2019) figures and tables, ours beside theirs."""

from __future__ import annotations

from wirelax.systems.paper import PaperFigure, Reproduction, Sweep

__all__ = ["reproduction"]

_BASELINES = ("random-power", "max-power")
_BEYOND = (
    "dnn+ee",
    "cnn+ee",
    "dnn+ee+best-of-8",
    "cnn+ee+best-of-8",
    "equivariant",
    "equivariant+refine",
)
_SIZES = ("dnn-5k", "dnn-10k", "dnn", "cnn-5k", "cnn-10k", "cnn")


def reproduction(preset: str) -> Reproduction:
    """Quick: small trainings beside the shipped weights. Paper: every training set of the paper, from scratch."""
    if preset not in ("quick", "paper"):
        raise ValueError(f"unknown preset {preset!r}; choose quick or paper")
    paper = preset == "paper"
    train = (*_SIZES, "dnn+ee", "cnn+ee", "equivariant") if paper else ("dnn-5k", "cnn-5k")
    trained = tuple(f"trained:{name}" for name in train)
    by_size = tuple(f"trained:{name}" for name in _SIZES) if paper else (*trained, "dnn", "cnn")
    return Reproduction(
        count=2000 if paper else 1000,
        train=train,
        train_preset=preset,
        methods=("exhaustive+polish", "exhaustive", "dinkelbach", *_BASELINES, "dnn", "cnn", *_BEYOND),
        groups={
            "Paper figures 4 and 5": ("exhaustive", *_BASELINES, "dnn", "cnn"),
            "Paper figures 6 and 7: size of the training set": ("exhaustive", *by_size),
            "Beyond the paper": ("exhaustive+polish", "dinkelbach", "cnn", *_BEYOND),
        },
        scenarios={"synthetic 3GPP channels": {}, "ray-traced Munich channels": {"scenario": "munich"}},
        sweeps=(
            Sweep(
                title="SE target: where it binds and where it cannot be met",
                field="min_spectral_efficiency",
                values=(0.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0),
                methods=("exhaustive", "exhaustive+polish"),
            ),
            Sweep(
                title="Power levels, spaced in dB",
                field="power_levels",
                values=(3, 4, 5, 6, 7, 8),
                methods=("exhaustive",),
            ),
            Sweep(
                title="Power levels, spaced linearly as in the paper",
                field="power_levels",
                values=(3, 4, 5, 6, 7, 8),
                methods=("exhaustive",),
                overrides={"level_spacing": "linear"},
            ),
        ),
        sweep_count=200 if paper else 64,
        paper=(
            PaperFigure(
                quantity="test channels within 8 % of the benchmark, CNN-20k (%)",
                value=90.0,
                source="Section IV-B, Fig. 5",
                method="cnn",
                column="within_8_percent",
            ),
            *(
                PaperFigure(
                    quantity=f"run time of {method.upper()}-20k over the exhaustive search (%)",
                    value=value,
                    source="Table III",
                    method=method,
                    reference="exhaustive",
                )
                for method, value in (("cnn", 6.85), ("dnn", 4.4))
            ),
        ),
        notes=(
            "The paper's benchmark evaluates linearly spaced powers one by one; ours searches dB-spaced powers with "
            "the fast exact search, so run times relative to it are not comparable with the paper's percentages. "
            "Errors are taken to the best feasible result of each channel over all methods of the table.",
            "Settled where the paper is silent: circuit powers 10 W and 1 W, SE target 10 bit/s/Hz, triangle layout.",
        ),
    )
