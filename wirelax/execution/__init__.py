"""How batches are run: in chunks, over the cores of a CPU, by programs that are compiled once. Knows no system."""

from wirelax.execution.cache import use_compilation_cache
from wirelax.execution.chunks import batch_length, map_batches, map_chunks
from wirelax.execution.cores import usable_cores
from wirelax.execution.programs import OverCores, clear_programs, compiled, parts_by_default
from wirelax.execution.timing import timed, timed_warm

__all__ = [
    "OverCores",
    "batch_length",
    "clear_programs",
    "compiled",
    "map_batches",
    "map_chunks",
    "parts_by_default",
    "timed",
    "timed_warm",
    "usable_cores",
    "use_compilation_cache",
]
