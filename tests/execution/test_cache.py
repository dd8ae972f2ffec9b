"""Where compiled programs are kept between runs."""

import subprocess
import sys

import jax
import platformdirs
import pytest

from wirelax.execution import use_compilation_cache
from wirelax.execution.cache import CACHE_VARIABLE


@pytest.fixture
def as_if_new(monkeypatch, tmp_path):
    """JAX without a cache, the user's cache folder somewhere else; all as it was afterwards."""
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    jax.config.update("jax_compilation_cache_dir", None)
    yield tmp_path
    for name, value in before.items():
        jax.config.update(name, value)


def test_the_users_cache_folder_by_default(as_if_new):
    assert use_compilation_cache() == as_if_new / "wirelax" / "xla"
    assert (as_if_new / "wirelax" / "xla").is_dir()
    assert jax.config.jax_compilation_cache_dir == str(as_if_new / "wirelax" / "xla")


@pytest.mark.parametrize("word", ["off", "OFF", "0", "no"])
def test_switched_off(as_if_new, monkeypatch, word):
    monkeypatch.setenv(CACHE_VARIABLE, word)
    assert use_compilation_cache() is None
    assert use_compilation_cache(word) is None
    assert jax.config.jax_compilation_cache_dir is None
    assert list(as_if_new.iterdir()) == []


def test_a_folder_of_the_variable_or_the_option(as_if_new, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(as_if_new / "a"))
    assert use_compilation_cache() == as_if_new / "a"
    assert use_compilation_cache(str(as_if_new / "b")) == as_if_new / "b"


def test_what_jax_was_given_stays(as_if_new):
    jax.config.update("jax_compilation_cache_dir", str(as_if_new / "given"))
    assert use_compilation_cache() == as_if_new / "given"


def test_a_folder_that_cannot_be_made_is_no_error(as_if_new):
    (as_if_new / "file").write_text("")
    assert use_compilation_cache(str(as_if_new / "file" / "below")) is None


@pytest.mark.slow
def test_a_second_process_compiles_nothing(tmp_path):
    program = (
        "import jax, time, logging, sys\n"
        "from wirelax.execution import use_compilation_cache\n"
        f"use_compilation_cache({str(tmp_path)!r})\n"
        "jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)\n"
        "jax.jit(lambda x: jax.numpy.linalg.inv(x @ x))(jax.numpy.eye(9))\n"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", program], check=True)
        kept = sorted(file.name for file in tmp_path.iterdir() if file.name.endswith("-cache"))
        first = locals().get("first", kept)
    assert kept == first != []
