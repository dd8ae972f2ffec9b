"""What this device can do at most through JAX: measured rates of the operations of the searches."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .timing import Row, compile_call, measure

__all__ = ["machine_rates"]

CHAINS, DEPTH = 4, 16
"""Independent chains hide the latency of an operation; their depth hides the loads and stores."""
PASSES = 64
"""Over an array that stays in the cache."""


def _chains(step: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """A fused elementwise kernel of CHAINS * DEPTH operations an element."""

    def kernel(x: Float[Array, " n"], constants: Float[Array, " chain"]) -> Float[Array, " n"]:
        states = [x + c for c in constants]
        for _ in range(DEPTH):
            states = [step(state, c) for state, c in zip(states, constants)]
        return sum(states[1:], states[0])

    return kernel


KERNELS: dict[str, Callable[[Array, Array], Array]] = {
    "logs": _chains(lambda x, c: jnp.log1p(x)),
    # Less the addition, XLA would cancel every second division.
    "divisions": _chains(lambda x, c: c / (1 + x)),
    "multiply_adds": _chains(lambda x, c: x * c + c),
    # Two comparisons with different bounds, or the chain would collapse to one.
    "comparisons": _chains(lambda x, c: jnp.minimum(jnp.maximum(x, c), 2 * c)),
    "cached_bytes": lambda x, constants: jax.lax.fori_loop(0, PASSES, lambda _, y: y + constants[0], x),
    "memory_bytes": lambda x, constants: x + constants[0],
}
OPERATIONS = {"logs": CHAINS * DEPTH, "divisions": CHAINS * DEPTH, "multiply_adds": CHAINS * DEPTH}
OPERATIONS |= {"comparisons": 2 * CHAINS * DEPTH, "cached_bytes": 8 * PASSES, "memory_bytes": 8}
"""Operations of a kernel per element; bytes are read and written, 4 each."""
CACHED_ELEMENTS = 2**17
"""512 KiB, which the second-level cache of a core holds."""


def machine_rates(elements: int, repeats: int) -> tuple[dict[str, float], list[Row]]:
    """Operations and bytes per second of large fused elementwise float32 kernels on the whole device.

    The best of the repeats counts: a bound is what the machine can do, not what it did under load.

    Args:
        elements: length of the arrays of the arithmetic kernels; the memory kernel takes 16 times as many.
        repeats: runs of each.

    Returns:
        Rates by the names of `benchmarks.Work`, its bytes from the cache and from memory, and one result
        row for each.
    """
    constants = jnp.linspace(0.5, 0.9, CHAINS, dtype=jnp.float32)
    calls, compile_seconds = {}, {}
    for name, kernel in KERNELS.items():
        size = {"memory_bytes": 16 * elements, "cached_bytes": CACHED_ELEMENTS}.get(name, elements)
        x = jnp.linspace(0.1, 1.0, size, dtype=jnp.float32)
        # One program on the whole device: XLA spreads a large elementwise kernel over the cores itself.
        calls[name], compile_seconds[name] = compile_call(kernel, x, constants, parts=1)
    timings = measure(calls, repeats)
    rates, rows = {}, []
    for name, timing in timings.items():
        count = timing.result.size * OPERATIONS[name]
        rates[name] = count / timing.minimum
        rows.append(
            {
                "name": f"machine bound: {name}",
                "unit": "byte" if name.endswith("bytes") else "operation",
                "count": count,
                "seconds": timing.median,
                "seconds_min": timing.minimum,
                "repeats": timing.repeats,
                "per_second": rates[name],
                "compile_seconds": compile_seconds[name],
                "notes": "large fused elementwise float32 kernel on the whole device, best of the repeats",
            }
        )
    return rates, rows
