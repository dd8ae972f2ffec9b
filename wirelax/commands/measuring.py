"""``wirelax bench``. What it runs lies beside the package, in `benchmarks`."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from wirelax.console import say
from wirelax.errors import InputError
from wirelax.io import check_writable, write_atomic

__all__ = ["bench", "load_benchmarks"]

NAME = "wirelax_benchmarks"
"""Of the benchmarks in a wheel, where ``benchmarks`` might be anybody's."""


def bench(options: argparse.Namespace) -> int:
    """Measure speed on this machine."""
    out = check_writable(options.out, options.overwrite, suffixes=(".json",))
    benchmarks = load_benchmarks()
    only = [part.strip() for part in options.only.split(",")] if options.only else benchmarks.PARTS
    with _no_compilation_cache():
        result = benchmarks.run(quick=options.quick, progress=say, only=only)
    write_atomic(out, json.dumps(result, indent=1) + "\n", overwrite=options.overwrite)
    print(benchmarks.to_table(result["results"]))
    say(f"written to {out}")
    return 0


def load_benchmarks(root: Path = Path(__file__).parents[2]) -> ModuleType:
    """The benchmarks of the source checkout, else those that came with the package.

    Args:
        root: the folder that holds the package.

    Raises:
        InputError: there are none.
    """
    source = root / "benchmarks" / "__init__.py"
    if NAME not in sys.modules and source.exists() and (root / "pyproject.toml").exists():
        spec = importlib.util.spec_from_file_location(NAME, source)
        if spec is not None and spec.loader is not None:
            sys.modules[NAME] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[NAME])
    try:
        return importlib.import_module(NAME)
    except ModuleNotFoundError as error:
        if error.name != NAME:
            raise
        raise InputError(
            "this installation of wirelax has no benchmarks; install a wheel of wirelax, or run from its source folder"
        ) from error


@contextmanager
def _no_compilation_cache() -> Generator[None]:
    """Compilation is measured too, so none of it may come from an earlier run."""
    import jax

    before = getattr(jax.config, "jax_enable_compilation_cache", True)
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
