"""Linear algebra of the interior-point method: dense, or in blocks that only the equalities couple."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

__all__ = ["Blocks", "Dense", "Kkt", "Structure", "dot", "largest", "small_solve"]

Function = Callable[[Array, Any], Array]
FORWARD = 32
"""Up to so many variables forward mode costs little more than reverse mode."""


def dot(a: Array, b: Array) -> Array:
    """Inner product as a masked-free sum: of a batch it vectorises over the batch, ``dot_general`` does not."""
    return jnp.sum(a * b)


def largest(v: Array) -> Array:
    """Maximum norm, 0 of nothing."""
    return jnp.max(jnp.abs(v), initial=0.0)


class Kkt(NamedTuple):
    """The reduced KKT system [W -A'; A 0] [dx; dy] = [right; -c], W = hessian + G' diag(sigma) G + damping I."""

    hessian: Array
    jacobian: Array
    """G, of the inequalities, stored as the structure does."""
    sigma: Array
    damping: Array
    equal: Array
    """A, of the equalities [m, n]."""
    right: Array
    c: Array


class Structure(Protocol):
    """How Jacobians of the inequalities and Hessians are stored, and how the reduced KKT system is solved."""

    def jacobian(self, function: Function, x: Array, args: Any) -> Array:
        """Jacobian of the inequalities."""
        ...

    def slope(self, function: Function, x: Array, args: Any, weight: Array) -> Array:
        """Gradient of the weighted sum of inequalities [n], to be differentiated once more."""
        ...

    def hessian(self, gradient: Callable[[Array], Array], x: Array) -> Array:
        """Hessian of a scalar function from its gradient."""
        ...

    def apply(self, jacobian: Array, v: Array) -> Array:
        """Jacobian times vector [q]."""
        ...

    def adjoint(self, jacobian: Array, v: Array) -> Array:
        """Transposed Jacobian times vector [n]."""
        ...

    def row_sizes(self, jacobian: Array) -> Array:
        """Largest entry of every row [q]."""
        ...

    def scale_rows(self, jacobian: Array, factor: Array) -> Array:
        """The Jacobian with its rows times factors [q]."""
        ...

    def solve(self, kkt: Kkt, exact: bool = False) -> tuple[Array, Array, Array, Array]:
        """Solve the system; unless `exact`, W may be modified where it is not positive definite.

        Returns:
            dx; dy; whether dx is a direction of descent (W is positive definite on the null space of A, or was
            modified); and dx' W dx.
        """
        ...


def small_solve(matrix: Float[Array, "m m"], right: Float[Array, " m"]) -> Float[Array, " m"]:
    """Solution of a positive definite system of few rows, usually one."""
    if right.size == 1:
        return right / matrix[0]
    return jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(matrix), True), right)


def _couple(free: Array, response: Array, equal: Array, c: Array) -> tuple[Array, Array]:
    """Step in x and y from W^-1 right and W^-1 A', through the Schur complement A W^-1 A'.

    Dependent equalities: a small diagonal keeps their multipliers bounded.
    """
    m, dtype = c.size, free.dtype
    schur = jnp.sum(equal[:, None, :] * response[None], axis=-1)
    ridge = jnp.finfo(dtype).eps * jnp.maximum(jnp.trace(schur), 1e-30)
    dy = small_solve(schur + ridge * jnp.eye(m, dtype=dtype), -c - jnp.sum(equal * free, axis=-1))
    return free + jnp.sum(dy[:, None] * response, axis=0), dy


class Dense:
    """Full matrices: any problem of up to a few hundred variables.

    Inequalities of up to `FORWARD` variables are differentiated in forward mode, in which a row that is absent
    because it is infinite leaves the others alone; in reverse mode its derivatives have to be finite.
    """

    def jacobian(self, function: Function, x: Array, args: Any) -> Float[Array, "q n"]:
        """Reverse mode where there are many variables and fewer rows."""
        rows = jax.eval_shape(function, x, args).shape[0]
        reverse = x.size > FORWARD and 2 * rows < x.size
        return (jax.jacrev if reverse else jax.jacfwd)(function)(x, args)

    def slope(self, function: Function, x: Array, args: Any, weight: Array) -> Float[Array, " n"]:
        """Reverse mode where there are many variables."""
        if x.size > FORWARD:
            return jax.grad(lambda x: dot(weight, function(x, args)))(x)
        return self.adjoint(self.jacobian(function, x, args), weight)

    def hessian(self, gradient: Callable[[Array], Array], x: Array) -> Float[Array, "n n"]:
        """Forward mode, one probe a variable."""
        return jax.jacfwd(gradient)(x)

    def apply(self, jacobian: Array, v: Array) -> Array:
        """G v."""
        return jacobian @ v

    def adjoint(self, jacobian: Array, v: Array) -> Array:
        """G' v."""
        return jacobian.T @ v

    def row_sizes(self, jacobian: Array) -> Array:
        """Maximum norm of the rows."""
        return jnp.max(jnp.abs(jacobian), axis=1, initial=0.0)

    def scale_rows(self, jacobian: Array, factor: Array) -> Array:
        """diag(factor) G."""
        return jacobian * factor[:, None]

    def solve(self, kkt: Kkt, exact: bool = False) -> tuple[Array, Array, Array, Array]:
        """Cholesky of W + rho A'A, which changes nothing in the null space of A.

        It fails exactly where the reduced Hessian is not positive definite (for a rho large enough).
        """
        hessian, jacobian, sigma, damping, equal, right, c = kkt
        n, m = right.size, c.size
        matrix = hessian + (jacobian.T * sigma) @ jacobian + damping * jnp.eye(n, dtype=right.dtype)
        if m:
            # Of the size of the curvature: a rho of the size of sigma would swamp it in float32.
            rho = (jnp.sum(jnp.abs(hessian)) + damping) / jnp.maximum(jnp.sum(equal**2), 1e-6)
            factor = jnp.linalg.cholesky(matrix + rho * equal.T @ equal)
            rights = jnp.column_stack([right - rho * equal.T @ c, equal.T])
            solved = jax.scipy.linalg.cho_solve((factor, True), rights)
            dx, dy = _couple(solved[:, 0], solved[:, 1:].T, equal, c)
        else:
            dx = jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(matrix), True), right)
            dy = c
        return dx, dy, jnp.isfinite(dx).all() & jnp.isfinite(dy).all(), dx @ matrix @ dx


class Blocks:
    """Blocks of `size` consecutive variables that only linear equalities couple.

    Each row of the inequalities and each term of the objective belongs to one block (rows in the order of the
    blocks, as many for each). Derivatives take `size` probes in all instead of one a variable, and the
    factorisation is an unrolled L D L' of every block: linear in the number of blocks.
    """

    def __init__(self, size: int):
        self.size = size

    def _probe(self, linear: Callable[[Array], Array], n: int, dtype: Any) -> Array:
        """A block-diagonal matrix [block, row of block, column of block] from its products with `size` vectors."""
        seeds = jnp.tile(jnp.eye(self.size, dtype=dtype), (1, n // self.size))
        products = jax.vmap(linear)(seeds).reshape(self.size, n // self.size, -1)
        return jnp.moveaxis(products, 0, -1)

    def jacobian(self, function: Function, x: Array, args: Any) -> Float[Array, "block row column"]:
        """By forward mode, one probe a column of a block."""
        return self._probe(lambda v: jax.jvp(lambda x: function(x, args), (x,), (v,))[1], x.size, x.dtype)

    def slope(self, function: Function, x: Array, args: Any, weight: Array) -> Float[Array, " n"]:
        """By forward mode: the Jacobian takes a few probes only."""
        return self.adjoint(self.jacobian(function, x, args), weight)

    def hessian(self, gradient: Callable[[Array], Array], x: Array) -> Float[Array, "block row column"]:
        """Hessian-vector products, one a column of a block."""
        return self._probe(lambda v: jax.jvp(gradient, (x,), (v,))[1], x.size, x.dtype)

    def apply(self, jacobian: Array, v: Array) -> Array:
        """G v."""
        return jnp.sum(jacobian * v.reshape(-1, 1, self.size), axis=2).reshape(-1)

    def adjoint(self, jacobian: Array, v: Array) -> Array:
        """G' v."""
        return jnp.sum(jacobian * v.reshape(*jacobian.shape[:2], 1), axis=1).reshape(-1)

    def row_sizes(self, jacobian: Array) -> Array:
        """Maximum norm of the rows."""
        return jnp.max(jnp.abs(jacobian), axis=2).reshape(-1)

    def scale_rows(self, jacobian: Array, factor: Array) -> Array:
        """diag(factor) G."""
        return jacobian * factor.reshape(*jacobian.shape[:2], 1)

    def solve(self, kkt: Kkt, exact: bool = False) -> tuple[Array, Array, Array, Array]:
        """L D L' of every block, modified where one is not positive definite, so that the step descends.

        At a solution where the equalities alone make up for that, in as many blocks as there are equalities at
        most, convergence is linear.
        """
        hessian, jacobian, sigma, damping, equal, right, c = kkt
        size, m = self.size, c.size
        sigma = sigma.reshape(jacobian.shape[:2])
        matrix = [
            [
                hessian[:, i, j]
                + jnp.sum(jacobian[:, :, i] * sigma * jacobian[:, :, j], axis=1)
                + (damping if i == j else 0.0)
                for j in range(i + 1)
            ]
            for i in range(size)
        ]
        lower, pivot = _ldl(matrix, modified=not exact)
        rights = jnp.concatenate([right[None], equal]).reshape(m + 1, -1, size)
        solved = _ldl_solve(lower, pivot, [rights[..., i] for i in range(size)])
        solved = jnp.stack(solved, axis=-1).reshape(m + 1, -1)
        dx, dy = _couple(solved[0], solved[1:], equal, c) if m else (solved[0], c)
        good = jnp.isfinite(dx).all()
        v = dx.reshape(-1, size)
        squares = [
            (1.0 if i == j else 2.0) * dot(matrix[i][j] * v[:, i], v[:, j]) for i in range(size) for j in range(i + 1)
        ]
        return dx, dy, good, jnp.stack(squares).sum()


def _ldl(matrix: list[list[Array]], modified: bool) -> tuple[list[list[Array]], list[Array]]:
    """L (unit lower) and D of symmetric matrices given by their lower triangles, elementwise over blocks.

    Modified as by Gill and Murray (Nocedal and Wright, section 3.4): where a matrix is not positive definite,
    pivots are raised such that D is positive and L stays bounded; others are untouched.
    """
    size, tiny = len(matrix), jnp.finfo(matrix[0][0].dtype)
    # Relative to the diagonal: barrier terms differ by many powers of ten between variables.
    diagonal = [jnp.maximum(jnp.abs(matrix[i][i]), tiny.tiny**0.5) for i in range(size)]
    ratios = [jnp.abs(matrix[i][j]) / jnp.sqrt(diagonal[i] * diagonal[j]) for i in range(size) for j in range(i)]
    bound = jnp.maximum(jnp.stack(ratios).max(0) / max(size**2 - 1, 1) ** 0.5, 1.0) if ratios else 1.0
    lower: list[list[Array]] = [[] for _ in range(size)]
    scaled: list[list[Array]] = [[] for _ in range(size)]  # L_ij D_j
    pivot: list[Array] = []
    for j in range(size):
        for i in range(j, size):
            scaled[i].append(matrix[i][j] - sum(scaled[i][k] * lower[j][k] for k in range(j)))
        raised = jnp.maximum(jnp.abs(scaled[j][j]), tiny.eps**0.5 * diagonal[j])
        for i in range(j + 1, size):
            raised = jnp.maximum(raised, scaled[i][j] / diagonal[i] * (scaled[i][j] / bound))
        kept = scaled[j][j] > tiny.eps * diagonal[j]
        pivot.append(jnp.where(kept, scaled[j][j], raised) if modified else scaled[j][j])
        for i in range(j + 1, size):
            lower[i].append(scaled[i][j] / pivot[j])
    return lower, pivot


def _ldl_solve(lower: list[list[Array]], pivot: list[Array], right: list[Array]) -> list[Array]:
    """Forward and backward substitution."""
    size = len(pivot)
    forward: list[Array] = []
    for i in range(size):
        forward.append(right[i] - sum(lower[i][k] * forward[k] for k in range(i)))
    found: list[Any] = [None] * size
    for i in reversed(range(size)):
        found[i] = forward[i] / pivot[i] - sum(lower[k][i] * found[k] for k in range(i + 1, size))
    return found
