"""A nonlinear program as the method sees it: scaled, without rows that are absent, with derivatives at a point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from wirelax.solvers.nlp._kkt import Structure, dot, largest
from wirelax.solvers.nlp.program import NonlinearProgram

__all__ = ["Local", "Scaled", "Scales", "Weights", "scales_of"]

MAX_GRADIENT = 100.0
"""Objective and constraints are scaled down where their gradients at the start are larger."""
ABSENT = 1.0
"""Value of an inequality that is +inf: one that holds wherever x goes."""


class Scales(NamedTuple):
    """Factors on the objective, the equalities and the inequalities, 1 at most."""

    f: Array
    c: Array
    g: Array


class Weights(NamedTuple):
    """Factors that make violations of equalities and of inequalities relative to the terms of their rows."""

    c: Array
    g: Array


class Local(NamedTuple):
    """Values and derivatives at an iterate, scaled."""

    gradient: Array
    c: Array
    g: Array
    jac_c: Array
    jac_g: Array

    @property
    def finite(self) -> Array:
        """Whether all of it are numbers, but for inequalities that are -inf."""
        numbers = [jnp.isfinite(leaf).all() for leaf in (self.gradient, self.c, self.jac_c, self.jac_g)]
        return jnp.stack([*numbers, ~jnp.isnan(self.g).any()]).all()


@dataclass(frozen=True)
class Scaled:
    """The program times factors that come with the arguments, as ``(args, scales)``."""

    program: NonlinearProgram

    @property
    def structure(self) -> Structure:
        """Linear algebra of the program."""
        return self.program.structure

    def objective(self, x: Array, packed: tuple[Any, Scales]) -> Array:
        """Scaled objective."""
        args, scales = packed
        return scales.f * self.program.objective(x, args)

    def equality(self, x: Array, packed: tuple[Any, Scales]) -> Array:
        """Scaled equalities [m]."""
        args, scales = packed
        return jnp.zeros((0,), x.dtype) if self.program.equality is None else scales.c * self.program.equality(x, args)

    def inequality(self, x: Array, packed: tuple[Any, Scales]) -> Array:
        """Scaled inequalities [q]; those that are +inf are constants."""
        args, scales = packed
        if self.program.inequality is None:
            return jnp.zeros((0,), x.dtype)
        value = scales.g * self.program.inequality(x, args)
        return jnp.where(value == jnp.inf, ABSENT, value)

    def absent(self, x: Array, args: Any) -> Array:
        """Which inequalities [q] are +inf."""
        none = jnp.zeros((0,), x.dtype)
        return (none if self.program.inequality is None else self.program.inequality(x, args)) == jnp.inf

    def local(self, x: Array, packed: tuple[Any, Scales]) -> Local:
        """Values and derivatives at a point."""
        return Local(
            gradient=jax.grad(self.objective)(x, packed),
            c=self.equality(x, packed),
            g=self.inequality(x, packed),
            jac_c=jax.jacrev(self.equality)(x, packed),
            jac_g=self.structure.jacobian(self.inequality, x, packed),
        )

    def weights(self, x: Array, local: Local, scales: Scales) -> Weights:
        """One over the terms of every row, |J| |x|, which count as at least 1 before scaling."""
        of_g = self.structure.apply(jnp.abs(local.jac_g), jnp.abs(x))
        of_c = jnp.sum(jnp.abs(local.jac_c * x), axis=1)
        return Weights(1 / jnp.maximum(scales.c, of_c), 1 / jnp.maximum(scales.g, of_g))

    def hessian(self, x: Array, y: Array, z: Array, packed: tuple[Any, Scales]) -> Array:
        """Hessian of the Lagrangian, as the structure stores it."""
        free = jax.grad(lambda x: self.objective(x, packed) - dot(y, self.equality(x, packed)))
        slope = lambda x: free(x) - self.structure.slope(self.inequality, x, packed, z)  # noqa: E731
        return self.structure.hessian(slope, x)

    def unscaled(self, x: Array, args: Any) -> tuple[Any, Scales]:
        """Arguments with factors of 1, for this x or any other."""
        count = lambda f: 0 if f is None else jax.eval_shape(f, x, args).shape[0]  # noqa: E731
        one = lambda *shape: jnp.ones(shape, x.dtype)  # noqa: E731
        return args, Scales(one(), one(count(self.program.equality)), one(count(self.program.inequality)))


def scales_of(structure: Structure, local: Local) -> Scales:
    """Factors on objective and constraints that bound their gradients by `MAX_GRADIENT` here."""
    shrink = lambda size: jnp.minimum(1.0, MAX_GRADIENT / jnp.maximum(size, 1e-30))  # noqa: E731
    of_c = shrink(jnp.max(jnp.abs(local.jac_c), axis=1, initial=0.0))
    return Scales(shrink(largest(local.gradient)), of_c, shrink(structure.row_sizes(local.jac_g)))
