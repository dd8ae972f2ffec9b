"""Shared fixtures; also turns on run-time shape checks in the function modules."""

import os
from pathlib import Path

import hypothesis
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from .compiling import quick_jit

# Compiling is most of the time of the tests: workers and the processes they start share what they compiled, and XLA
# optimises less than it does for users.
_ROOT = Path(__file__).parents[1]
_CACHE = {
    "jax_compilation_cache_dir": str(_ROOT / ".pytest_cache" / "xla"),
    "jax_persistent_cache_min_compile_time_secs": 0,
}
for _name, _value in _CACHE.items():
    os.environ.setdefault(_name.upper(), str(_value))
    jax.config.update(_name, type(_value)(os.environ[_name.upper()]))
os.environ["WIRELAX_COMPILATION_CACHE"] = "off"  # the command line would go to the user's folder
os.environ["XLA_FLAGS"] = " ".join(
    [
        os.environ.get("XLA_FLAGS", ""),
        "--xla_backend_optimization_level=0",
        "--xla_llvm_disable_expensive_passes=true",
    ]
).strip()


def _function_modules(*packages):
    """Modules of these packages, but for those of registered dataclasses, which the import hook breaks."""
    for package in packages:
        place = _ROOT / "wirelax" / package
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]:
            # A package on the list would bring all of its modules along.
            if path.stem != "__init__" and "register_dataclass" not in path.read_text():
                yield ".".join(path.relative_to(_ROOT).with_suffix("").parts)


# Before anything imports them.
jaxtyping.install_import_hook(
    list(_function_modules("channels", "kernels", "smoothing", "io", "units")), "beartype.beartype"
)

hypothesis.settings.register_profile("wirelax", deadline=None, max_examples=25, derandomize=True, database=None)
hypothesis.settings.load_profile("wirelax")

_LONGEST = (
    "test_hetnet",
    "test_resume",
    "test_exhaustive",
    "test_every_method",
    "test_shipped",
    "test_train",
    "test_cache",
    "test_noma",
    "test_notebooks",
    "test_energy_efficiency",
    "test_run",
    "test_gradients",
    "test_engine",
    "test_large_batch",
    "test_reproduce",
    "test_power",
    "test_protocol",
)


def pytest_collection_modifyitems(items):
    """The longest files first, so that no worker is left with one of them at the end."""
    items.sort(key=lambda item: _LONGEST.index(item.path.stem) if item.path.stem in _LONGEST else len(_LONGEST))


@pytest.fixture
def x64():
    """Double precision for the duration of one test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def unchecked(monkeypatch):
    """The package as users run it, without run-time shape checks: to see its own errors."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture
def key():
    """A random key, the same for every test."""
    return jax.random.key(20240607)


@pytest.fixture
def check_gradients(x64):
    """Compare first and second derivatives of ``function(*args)`` with central differences, in float64.

    In forward and in reverse mode. Everything is compiled at once: `jax.test_util.check_grads` runs op by op,
    which takes a hundred times longer on functions this small.
    """

    def check(function, *args, rtol=1e-6, step=1e-5):
        def differences(f, x):
            steps = step * jnp.eye(x.size)
            return jnp.moveaxis(jax.vmap(lambda s: (f(x + s) - f(x - s)) / (2 * step))(steps), 0, -1)

        @quick_jit
        def derivatives(*args):
            x, unravel = ravel_pytree(args)

            def flat(x):
                return jnp.ravel(function(*unravel(x)))

            forward, reverse = jax.jacfwd(flat), jax.jacrev(flat)
            pairs = {"forward": (forward(x), differences(flat, x)), "reverse": (reverse(x), forward(x))}
            pairs["second"] = (jax.jacfwd(reverse)(x), differences(reverse, x))
            return pairs

        for order, (got, wanted) in derivatives(*(np.asarray(x, float) for x in args)).items():
            scale = float(np.max(np.abs(wanted), initial=0.0))
            np.testing.assert_allclose(got, wanted, rtol, atol=rtol * max(scale, 1.0), err_msg=order)

    return check
