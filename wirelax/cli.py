"""The command line: ``wirelax systems | describe | sample | solve | sweep | train | compare | reproduce | bench``."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

from wirelax._version import __version__
from wirelax.errors import InputError

__all__ = ["main"]

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
_COMMANDS = {
    "systems": "listing:list_systems",
    "describe": "listing:describe",
    "sample": "running:sample",
    "solve": "running:solve",
    "train": "running:train",
    "compare": "comparing:compare",
    "sweep": "comparing:sweep",
    "reproduce": "comparing:reproduce",
    "bench": "measuring:bench",
}
"""Command -> module and function in `wirelax.commands`."""


_EPILOG = (
    "Objective, constraints, methods, configuration fields and the channel arrays with axes and units: "
    "wirelax describe SYSTEM"
)
_LARGEST_SEED = 2**32 - 1


class _Parser(argparse.ArgumentParser):
    """argparse with one line on stderr, no usage dump."""

    def error(self, message: str):
        self.exit(BAD_INPUT, f"wirelax: error: {message} (see {self.prog} --help)\n")


def _positive(text: str) -> int:
    """A number of things, 1 at least."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive whole number")
    return number


def _seed(text: str) -> int:
    """A seed of JAX's random numbers, which takes 32 bits of it."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= _LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to {_LARGEST_SEED}")
    return number


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
        help="override a configuration field; `wirelax describe SYSTEM` lists them",
    )
    command.epilog = _EPILOG


def _add_channels(command: argparse.ArgumentParser) -> None:
    command.add_argument("--channels", metavar="FILE", help="channels to solve: .npz, .h5 or .mat")
    command.add_argument("--count", type=_positive, help="random channels instead of a file")
    command.add_argument("--batch-size", type=_positive, help="channels at once; bounds memory")
    command.add_argument("--seed", type=_seed, default=0, help="of random channels and methods (default 0)")


def _add_out(command: argparse.ArgumentParser, metavar: str, what: str) -> None:
    command.add_argument("--out", required=True, metavar=metavar, help=what)
    command.add_argument("--overwrite", action="store_true", help="replace an existing result")


def _add_common(parser: argparse.ArgumentParser, *, plugins: str, default: Any) -> None:
    """Options that stand before the command or after it."""
    parser.add_argument(
        "--plugin",
        dest=plugins,
        action="append",
        default=[],
        metavar="MODULE",
        help="import a module that registers systems of your own",
    )
    parser.add_argument(
        "--compilation-cache",
        default=default,
        metavar="DIR|off",
        help="where compiled programs are kept between runs (default: the user's cache folder)",
    )


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(prog="wirelax", description="Differentiable radio-resource allocation in JAX.")
    parser.add_argument("--version", action="version", version=f"wirelax {__version__}")
    _add_common(parser, plugins="plugins", default=None)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)

    def add(name: str, summary: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=summary, description=f"{summary}.")
        _add_common(command, plugins="more_plugins", default=argparse.SUPPRESS)
        return command

    command = add("systems", "every system with its methods")
    command.add_argument("--json", action="store_true", help="machine-readable")

    command = add("describe", "objective, constraints, arrays, fields and methods of a system")
    command.add_argument("system", metavar="SYSTEM", help="a name from `wirelax systems`")
    command.add_argument("--json", action="store_true", help="machine-readable")

    command = add("sample", "draw random channels into a file")
    _add_system(command)
    command.add_argument("--count", type=_positive, required=True, help="how many channels")
    command.add_argument("--seed", type=_seed, default=0, help="default 0")
    _add_out(command, "FILE", "channel file to write: .npz, .h5 or .mat")

    command = add("solve", "solve channels with one method")
    _add_system(command)
    command.add_argument(
        "--method",
        required=True,
        help="a method of the system, or policy:RUN_DIR; `wirelax describe SYSTEM` lists them",
    )
    _add_channels(command)
    _add_out(command, "FILE", "result file to write: .npz, .h5 or .mat")

    command = add("train", "train a policy")
    _add_system(command)
    command.add_argument("--policy", required=True, help="a trainable policy; `wirelax describe SYSTEM` lists them")
    command.add_argument("--preset", choices=("smoke", "quick", "paper"), default="quick")
    command.add_argument("--seed", type=_seed, default=0, help="default 0")
    command.add_argument("--labels", metavar="FILE.h5", help="label cache to share between runs")
    command.add_argument("--resume", action="store_true", help="continue a run from its last checkpoint")
    command.add_argument("--out", required=True, metavar="RUN_DIR", help="folder of the run")

    command = add("compare", "compare methods on the same channels")
    _add_system(command)
    command.add_argument("--methods", required=True, metavar="A,B,C", help="comma-separated methods")
    _add_channels(command)
    _add_out(command, "DIR", "folder for table, figures and report")

    command = add("sweep", "vary one configuration field: --set FIELD=a,b,c")
    _add_system(command)
    command.add_argument("--methods", required=True, metavar="A,B,C", help="comma-separated methods")
    _add_channels(command)
    _add_out(command, "DIR", "folder for table, figures and report; or a file .npz, .h5, .mat for the numbers")

    command = add("reproduce", "the paper's tables and figures")
    _add_system(command, allow_all=True)
    command.add_argument("--preset", choices=("quick", "paper"), default="quick")
    command.add_argument("--seed", type=_seed, default=0, help="default 0")
    _add_out(command, "DIR", "folder for tables, figures and report; trainings in it are continued")

    command = add("bench", "measure speed on this machine")
    command.add_argument("--quick", action="store_true", help="under a minute")
    command.add_argument("--only", metavar="A,B", help="search, solvers, interior-point, uplink, kernels; default: all")
    _add_out(command, "FILE.json", "result file")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0: done; 1: a training failed; 2: bad usage or bad input, one line on stderr; 3: some instances have no feasible
    solution.
    """
    try:
        options = build_parser().parse_args(arguments)
    except SystemExit as exit_request:
        return int(exit_request.code or 0)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal without the letter µ shows another one
        sys.stdout.reconfigure(errors="replace")
    try:
        status = _run(options)
        sys.stdout.flush()  # here, where a reader that went away can be told from a bug
        return status
    except BrokenPipeError:  # `wirelax systems | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (InputError, OSError) as error:
        if os.environ.get("WIRELAX_TRACEBACK"):
            raise
        return _failed(error, BAD_INPUT)
    except FloatingPointError as error:  # a loss that is not finite
        return _failed(error, FAILED)
    except KeyboardInterrupt:
        print("wirelax: interrupted", file=sys.stderr)
        return INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    from wirelax.systems.registry import load_plugin, load_plugins

    load_plugins()
    for module in (*options.plugins, *options.more_plugins):
        load_plugin(module)
    if options.command not in ("systems", "describe"):
        from wirelax.execution import use_compilation_cache

        use_compilation_cache(options.compilation_cache)
    module, function = _COMMANDS[options.command].split(":")
    return getattr(importlib.import_module(f"wirelax.commands.{module}"), function)(options)


def _failed(error: Exception, status: int) -> int:
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    print(f"wirelax: error: {first_line}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
