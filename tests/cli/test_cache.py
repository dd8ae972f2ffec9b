"""Compiled programs outlive the command, in the user's cache folder, unless that is switched off."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from wirelax.execution import use_compilation_cache

COMMAND = ["sample", "noma", "--count", "2", "--set", "num_users=3", "--set", "num_subchannels=2"]


@pytest.fixture
def settings(monkeypatch):
    """JAX without a cache of its own, and its settings put back at the end."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.delenv("WIRELAX_COMPILATION_CACHE", raising=False)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def test_where_programs_are_kept(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    found = use_compilation_cache()
    assert found is not None
    assert found.is_dir()
    assert "wirelax" in str(found)
    assert jax.config.jax_compilation_cache_dir == str(found)
    if sys.platform == "linux":
        assert found == tmp_path / "home" / "wirelax" / "xla"


@pytest.mark.parametrize("word", ["off", "OFF", "0", "no", "false"])
def test_off(settings, monkeypatch, word):
    assert use_compilation_cache(word) is None
    monkeypatch.setenv("WIRELAX_COMPILATION_CACHE", word)
    assert use_compilation_cache() is None
    assert jax.config.jax_compilation_cache_dir is None


def test_a_folder_of_ones_own(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("WIRELAX_COMPILATION_CACHE", str(tmp_path / "variable"))
    assert use_compilation_cache() == tmp_path / "variable"
    assert use_compilation_cache(str(tmp_path / "option")) == tmp_path / "option"
    (tmp_path / "file").write_text("")
    assert use_compilation_cache(str(tmp_path / "file" / "below")) is None  # a cache is a convenience


def test_what_jax_was_given_stays(settings, tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    assert use_compilation_cache() == tmp_path


@pytest.mark.parametrize(
    ("option", "kept"), [([], True), pytest.param(["--compilation-cache", "off"], False, marks=pytest.mark.slow)]
)
def test_the_command_keeps_its_programs(tmp_path, option, kept):
    dropped = ("JAX_COMPILATION_CACHE_DIR", "WIRELAX_COMPILATION_CACHE", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "home")
    command = [sys.executable, "-m", "wirelax", *COMMAND, "--out", str(tmp_path / "g.npz"), *option]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    files = [path for path in Path(tmp_path / "home").rglob("*") if path.is_file()]
    assert bool(files) == kept
