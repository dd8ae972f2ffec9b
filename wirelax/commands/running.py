"""``wirelax sample``, ``solve`` and ``train``."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

import numpy as np

from wirelax import systems
from wirelax.commands._options import channels_of, counted, naming, report_result, system_of, warn_of_levels
from wirelax.console import Progress, say
from wirelax.io import check_writable, write_arrays
from wirelax.report._format import format_si
from wirelax.systems.train import recipe_of

__all__ = ["sample", "solve", "train"]


def sample(options: argparse.Namespace) -> int:
    """Draw channels into a file."""
    system = system_of(options)
    out = check_writable(options.out, options.overwrite)
    channels = systems.sample_channels(system, options.count, options.seed)
    write_arrays(out, channels, overwrite=options.overwrite)
    say(f"{counted(options.count)} of {system.name} written to {out}")
    return 0


def solve(options: argparse.Namespace) -> int:
    """Solve channels with one method."""
    out = check_writable(options.out, options.overwrite)
    system, channels, source = channels_of(options, system_of(options))
    with naming(options.method):
        method = systems.method_of(system, options.method)
    with naming(options.method), Progress(f"{system.name} {options.method}") as progress:
        result = systems.solve_batch(
            system,
            method,
            channels,
            seed=options.seed,
            batch_size=options.batch_size,
            progress=progress.update,
        )
    violations = {f"violation_{name}": value for name, value in result.violations.items()}
    write_arrays(out, {**result.arrays, **violations}, overwrite=options.overwrite)
    count, mean = len(result.utility), float(np.mean(result.utility))
    warn_of_levels(system, channels, result.median_snr_db)
    among = "" if result.feasible.all() else " (infeasible results among them)"
    say(
        f"{counted(count)} ({source}) solved by {options.method}: mean {system.utility_name} "
        f"{format_si(mean, system.utility_unit, 6)}{among}, {format_si(result.seconds / count, 's')} a channel; "
        f"written to {out}"
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
    plugins = [word for module in (*options.plugins, *options.more_plugins) for word in ("--plugin", module)]
    sizes = [word for item in options.overrides for word in ("--set", item)]
    method = ["solve", system.name, "--method", f"policy:{options.out}"]
    say(f"run it with: {shlex.join(['wirelax', *plugins, *method, *sizes])} --count 1000 --out result.npz")
    return 0
