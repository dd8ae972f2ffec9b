"""Problems from random SNRs, and compiled functions shared by the test modules: compiling is what takes the time."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from wirelax.problems import make_association_problem
from wirelax.solvers import association as solvers

from ...compiling import quick_jit

FLOOR = 1e-3
UES, BSS = 6, 4


def random_snr(seed, count=8, num_ues=UES, num_bss=BSS, unreachable=0.2):
    """SNRs at full power [instance, ue, bs] between -10 and 40 dB, some of them 0, but every UE reached."""
    rng = np.random.default_rng(seed)
    snr = 10 ** rng.uniform(-1, 4, (count, num_ues, num_bss))
    lost = rng.uniform(size=snr.shape) < unreachable
    lost[..., 0] = False
    return np.where(lost, 0.0, snr)


def make_problems(snr, objective="sum-rate"):
    """A batch of problems of unit noise and budgets."""
    make = functools.partial(
        make_association_problem, max_power_w=1.0, noise_w=1.0, rate_floor=FLOOR, objective=objective
    )
    return jax.vmap(make)(jnp.asarray(np.asarray(snr), float))


def random_decision(seed, snr):
    """Associations with BSs that reach the UEs, -1 for none, and powers."""
    rng = np.random.default_rng(seed)
    score = np.where(snr > 0, rng.uniform(size=snr.shape), -1)
    association = np.where((snr > 0).any(-1), score.argmax(-1), -1)
    return association, rng.uniform(0.01, 1, snr.shape[::2])


def edge_snr():
    """Networks of 6 UEs and 4 BSs in which something is missing."""
    snr = random_snr(99, 6, unreachable=0.0)
    snr[0] = 0.0  # nobody reaches anybody
    snr[1, 2] = 0.0  # a UE without any BS
    snr[2, :, 1] = 0.0  # a BS that reaches nobody
    snr[3, :, 1:] = 0.0  # only one BS
    snr[4, 1:] = 0.0  # only one UE
    snr[5] = 10 ** np.linspace(-12, 9, UES * BSS).reshape(UES, BSS)  # no scale at all
    return snr


local_search = functools.partial(solvers.association_local_search, key=jax.random.key(1), starts=5)
direct = functools.partial(solvers.association_direct, key=jax.random.key(2), starts=2, steps=40)
WHOLE = {
    "maramp": solvers.association_maramp,
    "msuamp": solvers.association_msuamp,
    "msuapc": functools.partial(solvers.association_msuapc, turns=2),
    "uamwser": solvers.association_uamwser,
    "juapcmwser": solvers.association_juapcmwser,
    "uamwser-published": solvers.association_uamwser_published,
    "juapcmwser-published": solvers.association_juapcmwser_published,
    "local-search": local_search,
    "direct": direct,
}
"""Methods that take a problem alone, by name."""


@functools.cache
def whole(name):
    """A method for a batch, compiled once."""
    return quick_jit(jax.vmap(WHOLE[name]))


power_update = quick_jit(jax.vmap(solvers.power_update, in_axes=(0, 0, 0, None)), static_argnums=3)
moves = quick_jit(jax.vmap(solvers.best_single_moves, in_axes=(0, 0, 0, None)), static_argnums=3)
move_gains = quick_jit(jax.vmap(solvers.move_gains))
polish = quick_jit(jax.vmap(solvers.power_polish))
log_rate = quick_jit(jax.vmap(solvers.max_sum_utility_association))
ratios = quick_jit(jax.vmap(solvers.sum_of_ratios_association))
