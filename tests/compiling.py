"""How tests compile what they run on a few channels only."""

import functools

import jax

quick_jit = functools.partial(
    jax.jit, compiler_options={"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
)
"""``jax.jit`` that compiles in half the time and runs slower."""
