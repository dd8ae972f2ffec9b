"""A user's own system for the command line, cheap to compile, and the one line that every bad input gets."""

import jax.numpy as jnp
import numpy as np
import pytest

from wirelax import systems
from wirelax.cli import main
from wirelax.problems import evaluate
from wirelax.systems import registry
from wirelax.types import Method, Status

from ..toy_system import PricedLink, max_power, water_filling

STATUS_BY_GAIN = (Status.CONVERGED, Status.INFEASIBLE, Status.ITERATION_LIMIT, Status.STALLED, Status.NOT_FINITE)
"""Status that the method "moody" ends with where the first subchannel's SNR is 1, 2, 3, 4, 5."""


def moody(state, problem, key):
    """Ends as the SNR of the first subchannel says; at an even SNR the power is twice what is allowed."""
    snr = jnp.round(problem.snr[0])
    status = jnp.asarray(STATUS_BY_GAIN)[jnp.clip(snr.astype(int) - 1, 0, len(STATUS_BY_GAIN) - 1)]
    factor = jnp.where(snr % 2 == 0, 2.0, 0.5)
    power_w = jnp.full_like(problem.snr, factor * problem.max_power_w)
    return evaluate(problem, {"power_w": power_w}, status=status, proven=snr < 3)


def greedy(problem):
    """Twice the power that is allowed, always."""
    return {"power_w": jnp.full_like(problem.snr, 2 * problem.max_power_w)}


class Link(PricedLink):
    """The priced link with methods that do not end well."""

    name = "link"
    constraints = {"max_power": "The power of a subchannel stays within max_power_w."}  # noqa: RUF012
    methods = {  # noqa: RUF012
        **{m.name: m for m in map(systems.function_method, (water_filling, max_power, greedy))},
        "moody": Method("moody", "ends as the gains say", moody, exact=True),
    }


@pytest.fixture
def link(monkeypatch):
    """The system ``link``, registered for one test."""
    monkeypatch.setattr(registry, "_registered", {**registry._registered, "link": Link})
    return Link()


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def channels(in_folder):
    """A file of channels of ``link``: SNRs at full power from 1 to 5 on the first subchannel."""
    snr = np.array([[1, 9], [2, 9], [3, 9], [4, 9], [5, 9]])
    np.savez("channels.npz", gain=snr * 1e-13 / 0.1)
    return "channels.npz"


@pytest.fixture
def run(capsys):
    """Run a command in this process: exit status, standard output, standard error."""

    def call(command, *more):
        capsys.readouterr()
        status = main([*command.split(), *more])
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def refused(run):
    """Run a command that must end with status 2 and one clear line that has these words; the line."""

    def call(command, *words):
        status, out, error = run(command)
        assert status == 2, error
        assert out == ""
        assert error.startswith("wirelax: error: "), error
        assert error.count("\n") == 1, error
        assert error.endswith("\n")
        assert "Traceback" not in error
        for word in words:
            assert word in error, error
        return error

    return call
