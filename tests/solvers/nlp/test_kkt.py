"""Linear algebra of the interior-point method: blocks against full matrices, and where a block is indefinite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.solvers.nlp._kkt import Blocks, Dense, Kkt


def blocks_of(rng, definite):
    """Hessian blocks [4, 3, 3] on scales that differ by 1e8, as barrier terms do, and the rest of a KKT system."""
    half = rng.normal(size=(4, 3, 3))
    hessian = half @ half.transpose(0, 2, 1) + 0.1 * np.eye(3)
    if not definite:
        hessian[1] -= 4 * np.outer(half[1][0], half[1][0])
        hessian[2] = np.diag([1.0, -2.0, 0.0])
    scale = 10.0 ** rng.uniform(0, 4, (4, 3))
    hessian *= scale[:, :, None] * scale[:, None, :]
    jacobian, sigma = np.zeros((4, 1, 3)), np.ones(4)
    equal, right, c = rng.normal(size=(1, 12)), rng.normal(size=12), rng.normal(size=1)
    return hessian, jacobian, sigma, equal, right, c


def full(blocks):
    matrix = np.zeros((12, 12))
    for i, block in enumerate(blocks):
        matrix[3 * i : 3 * i + 3, 3 * i : 3 * i + 3] = block
    return matrix


@pytest.mark.parametrize("exact", [False, True])
def test_definite_blocks_are_solved_as_full_matrices_are(exact, x64):
    hessian, jacobian, sigma, equal, right, c = map(jnp.asarray, blocks_of(np.random.default_rng(0), True))
    kkt = np.block([[full(hessian), -np.asarray(equal).T], [np.asarray(equal), np.zeros((1, 1))]])
    wanted = np.linalg.solve(kkt, np.concatenate([right, -c]))
    solve = jax.jit(lambda structure, kkt: structure.solve(kkt, exact), static_argnums=0)
    dx, dy, good, curvature = solve(Blocks(3), Kkt(hessian, jacobian, sigma, jnp.zeros(()), equal, right, c))
    np.testing.assert_allclose(np.concatenate([dx, dy]), wanted, rtol=1e-7)
    np.testing.assert_allclose(curvature, wanted[:12] @ full(hessian) @ wanted[:12], rtol=1e-7)
    dense = solve(
        Dense(), Kkt(jnp.asarray(full(hessian)), jnp.zeros((1, 12)), jnp.ones(1), jnp.zeros(()), equal, right, c)
    )
    assert good
    assert dense[2]
    np.testing.assert_allclose(dense[0], dx, rtol=1e-4)


def test_indefinite_blocks_give_descent_unless_exact(x64):
    """Without an equality the step must go down the gradient -right; the exact one solves the system as it is."""
    hessian, jacobian, sigma, _, right, _ = map(jnp.asarray, blocks_of(np.random.default_rng(1), False))
    kkt = Kkt(hessian, jacobian, sigma, jnp.zeros(()), jnp.zeros((0, 12)), right, jnp.zeros(0))
    dx, _, good, _ = jax.jit(Blocks(3).solve)(kkt)
    assert good
    assert np.isfinite(dx).all()
    for block in range(4):
        rows = slice(3 * block, 3 * block + 3)
        assert dx[rows] @ right[rows] > 0
    definite = [0, 1, 3]  # block 2 is singular
    exact, _, _, _ = jax.jit(lambda kkt: Blocks(3).solve(kkt, exact=True))(kkt)
    for block in definite:
        rows = slice(3 * block, 3 * block + 3)
        np.testing.assert_allclose(exact[rows], np.linalg.solve(hessian[block], right[rows]), rtol=1e-6)
    for block in (0, 3):  # untouched where they are definite
        rows = slice(3 * block, 3 * block + 3)
        np.testing.assert_allclose(dx[rows], exact[rows], rtol=1e-9)
