"""The command line: ``wirelax systems | sample | solve | train | compare | reproduce | bench``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from wirelax._version import __version__

__all__ = ["main"]

BAD_INPUT, INFEASIBLE = 2, 3


class _Parser(argparse.ArgumentParser):
    """argparse with one line on stderr, no usage dump."""

    def error(self, message: str):
        self.exit(BAD_INPUT, f"wirelax: error: {message} (see {self.prog} --help)\n")


def _add_system(command: argparse.ArgumentParser, *, allow_all: bool = False) -> None:
    command.add_argument(
        "system", metavar="SYSTEM", help="a name from `wirelax systems`" + (" or 'all'" if allow_all else "")
    )
    command.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="override a configuration field",
    )


def _add_channels(command: argparse.ArgumentParser) -> None:
    command.add_argument("--channels", metavar="FILE", help="channels to solve: .npz, .h5 or .mat")
    command.add_argument("--count", type=int, help="random channels instead of a file")
    command.add_argument("--batch-size", type=int, help="channels at once; bounds memory")
    command.add_argument("--seed", type=int, default=0, help="of random channels and methods (default 0)")


def _add_out(command: argparse.ArgumentParser, metavar: str, what: str) -> None:
    command.add_argument("--out", required=True, metavar=metavar, help=what)
    command.add_argument("--overwrite", action="store_true", help="replace an existing result")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(prog="wirelax", description="Differentiable radio-resource allocation in JAX.")
    parser.add_argument("--version", action="version", version=f"wirelax {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)

    command = commands.add_parser("systems", help="every system with its methods")
    command.add_argument("--json", action="store_true", help="machine-readable")

    command = commands.add_parser("sample", help="draw random channels into a file")
    _add_system(command)
    command.add_argument("--count", type=int, required=True)
    command.add_argument("--seed", type=int, default=0)
    _add_out(command, "FILE", "channel file to write: .npz or .h5")

    command = commands.add_parser("solve", help="solve channels with one method")
    _add_system(command)
    command.add_argument("--method", required=True, help="a method of the system, or policy:RUN_DIR")
    _add_channels(command)
    _add_out(command, "FILE", "result file to write: .npz or .h5")

    command = commands.add_parser("train", help="train a policy")
    _add_system(command)
    command.add_argument("--policy", required=True, help="a trainable policy of the system")
    command.add_argument("--preset", choices=("smoke", "quick", "paper"), default="quick")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--labels", metavar="FILE.h5", help="label cache to share between runs")
    command.add_argument("--resume", action="store_true", help="continue a run from its last checkpoint")
    command.add_argument("--out", required=True, metavar="RUN_DIR", help="folder of the run")

    command = commands.add_parser("compare", help="compare methods on the same channels")
    _add_system(command)
    command.add_argument("--methods", required=True, metavar="A,B,C", help="comma-separated methods")
    _add_channels(command)
    _add_out(command, "DIR", "folder for table, figures and report")

    command = commands.add_parser("reproduce", help="the paper's tables and figures")
    _add_system(command, allow_all=True)
    command.add_argument("--preset", choices=("quick", "paper"), default="quick")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--out", required=True, metavar="DIR", help="folder for tables, figures and report")

    command = commands.add_parser("bench", help="measure speed on this machine")
    command.add_argument("--quick", action="store_true", help="under a minute")
    command.add_argument("--only", metavar="A,B", help="search, solvers, interior-point, kernels; default: all")
    _add_out(command, "FILE.json", "result file")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 2 bad input, 3 some instances infeasible."""
    try:
        options = build_parser().parse_args(arguments)
    except SystemExit as exit_request:
        return int(exit_request.code or 0)
    from wirelax import commands

    try:
        name = {"systems": "list_systems"}.get(options.command, options.command)
        return getattr(commands, name)(options)
    except (ValueError, ImportError, OSError) as error:
        if os.environ.get("WIRELAX_TRACEBACK"):
            raise
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        print(f"wirelax: error: {first_line}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("wirelax: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
