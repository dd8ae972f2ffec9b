"""Problems from gains, and compiled methods shared by the test modules: compiling is what takes the time."""

import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from wirelax.problems import make_uplink_qos_problem
from wirelax.solvers import uplink_exhaustive, uplink_numerical, uplink_repair, uplink_single

from ...compiling import quick_jit
from .reference import Needs

single = quick_jit(jax.vmap(uplink_single))
numerical = quick_jit(jax.vmap(uplink_numerical))
exhaustive = quick_jit(functools.partial(jax.lax.map, uplink_exhaustive))
repair = quick_jit(jax.vmap(functools.partial(uplink_repair, compare=False)))
SLOPE = 4.264890793922602 / np.sqrt(180)
DEFAULT = Needs(3e6 / 360e3 * np.log(2), 512e3 / 360e3 * np.log(2), SLOPE)


def make_problems(gains, needs):
    """A batch of problems from SNRs [instance, user, rb] and the needs of each instance, or of all."""
    gains = np.asarray(gains, float)
    each = [needs] * len(gains) if isinstance(needs, Needs) else needs
    settings = {name: jnp.array([n.settings[name] for n in each], float) for name in each[0].settings}
    return jax.vmap(lambda gain, settings: make_uplink_qos_problem(gain, **settings))(jnp.asarray(gains), settings)


def solve(method, gains, needs, batch=120, num_rbs=8):
    """Solution and problems of one compiled size: filled up with RBs without gain, and with copies of the cells."""
    gains = np.asarray(gains, float)
    number = len(gains)
    each = [needs] * number if isinstance(needs, Needs) else needs
    padded = np.pad(gains, ((0, 0), (0, 0), (0, num_rbs - gains.shape[-1])))
    parts = []
    for start in range(0, number, batch):
        rows = [i % number for i in range(start, start + batch)]
        problems = make_problems(padded[rows], [each[i] for i in rows])
        parts.append(jax.tree.map(np.asarray, (problems, method(problems))))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:number], *parts)


def counts(solution, num_rbs=None):
    """RBs that are occupied, F + 1 where a user is not served; F as given where RBs were added."""
    service = np.asarray(solution.allocation["service"])
    used = (service > 0).sum((-2, -1))
    return np.where(np.asarray(solution.status) == 0, used, (num_rbs or service.shape[-1]) + 1)


def assert_sound(solution):
    """Feasible exactly where the method says so, and without broken rules elsewhere; nothing is NaN."""
    np.testing.assert_array_equal(solution.feasible, solution.status == 0)
    for name in ("power", "stray_power", "shared_rb"):
        assert np.max(solution.violations[name]) <= 1e-5
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(solution.allocation))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(solution.violations))


@functools.cache
def vectors():
    """Solved instances: of one user, and of four."""
    return json.loads((Path(__file__).parents[2] / "data" / "uplink_vectors.json").read_text())


def random_cells(seed, count, num_users, num_rbs, regime):
    """SNRs [instance, user, rb] and needs: see `REGIMES`."""
    rng = np.random.default_rng(seed)
    mean, spread, long, short, slope = REGIMES[regime]
    widths = rng.uniform(*spread, (count, num_users, 1))
    gains = np.exp(mean + widths * rng.normal(size=(count, num_users, num_rbs)))
    needs = [Needs(rng.uniform(*long), rng.uniform(*short), rng.choice(slope)) for _ in range(count)]
    return gains, needs


REGIMES = {
    "wide": (4.0, (0.2, 2.5), (1.0, 15.0), (0.2, 2.0), (SLOPE,)),
    "low-snr": (0.0, (0.05, 0.8), (0.1, 1.0), (0.05, 0.6), (0.03, 0.1)),
    "short-heavy": (3.0, (0.2, 1.5), (0.1, 2.0), (2.0, 12.0), (SLOPE, 0.06)),
    "even": (1.0, (0.001, 0.1), (0.1, 4.0), (0.1, 3.0), (0.06, SLOPE)),
}
"""Mean and spreads of ln SNR, ranges of a and of b's base, slopes of b."""
