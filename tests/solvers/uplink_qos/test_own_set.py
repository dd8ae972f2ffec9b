"""The test of a set of RBs against the enumeration of problem (4), with the subsets' own bounds."""

import jax
import jax.numpy as jnp
import numpy as np

from wirelax.solvers import own_set_test

from ...compiling import quick_jit
from . import reference
from .compiled import SLOPE, make_problems
from .reference import Needs

TRAP = np.array([28.2, 18.9, 1.0, 0.7])
"""Where the nearest subset sum to the target of Property 2 has a level below its own inverse gain."""
TRAP_SLOPE = (1.00216 - 0.96052) / (np.sqrt(2) - 1)


def test_subset_with_its_own_bounds(x64):
    """b(1), b(2), b(3) = 0.96052, 1.00216, 1.03411: on these 4 RBs only S = {1, 2} reaches a, with f = 0.689203."""
    needs = [Needs(a, 0.96052 - TRAP_SLOPE, TRAP_SLOPE) for a in (0.68768, 0.6885, 0.689202, 0.689205)]
    assert [round(needs[0].b(n), 4) for n in (1, 2, 3)] == [0.9605, 1.0022, 1.0341]
    value, short = reference.best_long_rate(TRAP, needs[0])
    assert (round(value, 6), short) == (0.689203, (0, 1))
    test = quick_jit(jax.vmap(own_set_test, in_axes=(0, None, None)))
    tested = test(make_problems(TRAP[None, None].repeat(4, 0), needs), np.log(TRAP)[None], jnp.array([4]))
    np.testing.assert_array_equal(tested.accepted[:, 0], [True, True, True, False])
    np.testing.assert_array_equal(tested.short[:3, 0], [[True, True, False, False]] * 3)
    assert np.asarray(tested.proven).all()


def test_own_sets_of_any_size(x64):
    """Accepted where the largest f of all admissible S reaches a, on 2 to 12 RBs, with a around that f."""
    rng = np.random.default_rng(7)
    gains = -np.sort(-np.exp(rng.uniform(1, 4, (66, 1)) + rng.uniform(0.1, 0.8, (66, 1)) * rng.normal(size=(66, 12))))
    number = np.arange(66) % 11 + 2
    base = rng.uniform(0.3, 2, 66)
    best = [reference.best_long_rate(g[:n], Needs(1.0, b, SLOPE)) for g, n, b in zip(gains, number, base, strict=True)]
    factor = np.where(rng.random(66) < 0.5, 0.999, 1.001)
    reached = np.array([value for value, _ in best])
    there = reached > 0
    needs = [Needs(a, b, SLOPE) for a, b in zip(np.where(there, reached, 1.0) * factor, base, strict=True)]
    tested = quick_jit(jax.vmap(own_set_test))(
        make_problems(gains[:, None], needs), np.log(gains)[:, None], number[:, None]
    )
    accepted = np.asarray(tested.accepted[:, 0])
    np.testing.assert_array_equal(accepted, there & (factor < 1))
    assert np.asarray(tested.proven).all()
    large = there & (number > 8)
    assert min((large & (factor < 1)).sum(), (large & (factor > 1)).sum()) > 4
    for i in np.flatnonzero(accepted):
        short = np.flatnonzero(tested.short[i, 0])
        if number[i] <= 8:
            np.testing.assert_array_equal(short, best[i][1])
        else:
            long = np.setdiff1d(np.arange(number[i]), short)
            assert reference.served(gains[i, long], gains[i, short], needs[i])
