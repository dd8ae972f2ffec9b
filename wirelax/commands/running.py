"""``wirelax sample``, ``solve`` and ``train``."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from wirelax import systems
from wirelax.commands._options import channels_of, report_result, system_of, warn_of_levels
from wirelax.console import Progress, say
from wirelax.io import check_writable, write_arrays
from wirelax.systems.train import recipe_of

__all__ = ["sample", "solve", "train"]


def sample(options: argparse.Namespace) -> int:
    """Draw channels into a file."""
    system = system_of(options)
    out = check_writable(options.out, options.overwrite)
    channels = systems.sample_channels(system, options.count, options.seed)
    write_arrays(out, channels, overwrite=options.overwrite)
    say(f"{options.count} channels of {system.name} written to {out}")
    return 0


def solve(options: argparse.Namespace) -> int:
    """Solve channels with one method."""
    out = check_writable(options.out, options.overwrite)
    system, channels, source = channels_of(options, system_of(options))
    method = systems.method_of(system, options.method)
    with Progress(f"{system.name} {options.method}") as progress:
        result = systems.solve_batch(
            system,
            method,
            channels,
            seed=options.seed,
            batch_size=options.batch_size,
            progress=progress.update,
        )
    write_arrays(out, result.arrays, overwrite=options.overwrite)
    count, mean = len(result.utility), float(np.mean(result.utility))
    warn_of_levels(system, channels, result.median_snr_db)
    say(
        f"{count} channels ({source}) solved by {options.method}: mean {system.utility_name} {mean:.6g} "
        f"{system.utility_unit}, {1e6 * result.seconds / count:.3g} us a channel; written to {out}"
    )
    return report_result(options.method, result, str(out), exact=method.exact)


def train(options: argparse.Namespace) -> int:
    """Train a policy."""
    system = system_of(options)
    recipe = recipe_of(system, options.policy)
    with Progress(f"train {options.policy}") as progress:
        policy = systems.train_policy(
            system,
            recipe,
            directory=options.out,
            preset=options.preset,
            seed=options.seed,
            resume=options.resume,
            labels=options.labels,
            report=progress.training,
            say=say,
        )
    say(f"{policy.num_parameters:,} parameters written to {Path(options.out) / 'policy.msgpack'}")
    sizes = " ".join(f"--set {item}" for item in options.overrides)
    command = f"wirelax solve {system.name} --method policy:{options.out} {sizes} --count 1000 --out result.npz"
    say(f"run it with: {' '.join(command.split())}")
    return 0
