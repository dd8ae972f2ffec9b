"""JAX's persistent compilation cache, for the command line."""

from __future__ import annotations

import os
from pathlib import Path

import jax
import platformdirs

__all__ = ["CACHE_VARIABLE", "use_compilation_cache"]

CACHE_VARIABLE = "WIRELAX_COMPILATION_CACHE"
"""Environment variable: a folder, or "off"."""
LEAST_COMPILE_SECONDS = 0.2


def use_compilation_cache(setting: str | None = None) -> Path | None:
    """Keep compiled programs between runs, in the user's cache folder unless something else was asked for.

    Args:
        setting: a folder, or "off"; by default the environment variable `CACHE_VARIABLE`, else the user's cache
            folder. A folder that JAX was given already (``JAX_COMPILATION_CACHE_DIR``) stays.

    Returns:
        The folder, None where there is no cache: switched off, or the folder cannot be made.
    """
    setting = setting if setting is not None else os.environ.get(CACHE_VARIABLE, "")
    if setting.lower() in ("off", "0", "no", "false"):
        return None
    already = getattr(jax.config, "jax_compilation_cache_dir", None)
    if already and not setting:
        return Path(already)
    folder = Path(setting) if setting else Path(platformdirs.user_cache_dir("wirelax")) / "xla"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:  # a cache is a convenience
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_COMPILE_SECONDS)
    return folder
