"""What a nonlinear program is to `wirelax.solvers.interior_point`, and the settings of the method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from wirelax.solvers.nlp._kkt import Blocks, Dense, Structure, largest

__all__ = ["DEFAULT_OPTIONS", "InteriorPointOptions", "NonlinearProgram"]


@dataclass(frozen=True)
class NonlinearProgram:
    """minimise objective(x, args) subject to equality(x, args) = 0 and inequality(x, args) >= 0, elementwise.

    Attributes:
        objective: ``(x, args) -> scalar``, twice differentiable; x is a vector [n].
        equality: ``(x, args) -> [m]``, or None.
        inequality: ``(x, args) -> [q]``, or None; bounds are rows of it.
        block: where the problem separates into blocks of so many consecutive variables that only linear
            equalities couple (each inequality in one block, rows in their order, as many for each): the work is
            linear in the number of blocks then. None: no structure.
    """

    objective: Callable[[Array, Any], Array]
    equality: Callable[[Array, Any], Array] | None = None
    inequality: Callable[[Array, Any], Array] | None = None
    block: int | None = None

    @property
    def structure(self) -> Structure:
        """The linear algebra that fits."""
        return Dense() if self.block is None else Blocks(self.block)

    def constraints(self, x: Array, args: Any) -> tuple[Array, Array]:
        """Values [m] and [q] of both kinds of constraints, empty where there are none."""
        none = jnp.zeros((0,), x.dtype)
        equal = none if self.equality is None else self.equality(x, args)
        return equal, none if self.inequality is None else self.inequality(x, args)

    def violation(self, x: Array, args: Any) -> Array:
        """Largest violation of a constraint."""
        equal, unequal = self.constraints(x, args)
        return jnp.maximum(largest(equal), largest(jnp.minimum(unequal, 0.0)))


class InteriorPointOptions(NamedTuple):
    """Tolerances and settings, all static.

    Attributes:
        tolerance: of the scaled KKT residual; None: 1e-8 in float64, 3e-5 in float32.
        feasibility: largest constraint violation of a feasible point; None: 1e-6 in float64, 1e-4 in float32.
        max_iterations: cap on the factorisations.
        barrier: first barrier parameter.
        barrier_decrease: factor on it once its problem is solved.
        implicit: differentiate the solution by the implicit function theorem at its KKT conditions; without it
            gradients stop at the solution.
    """

    tolerance: float | None = None
    feasibility: float | None = None
    max_iterations: int = 200
    barrier: float = 0.1
    barrier_decrease: float = 0.2
    implicit: bool = False

    def tolerance_of(self, dtype: Any) -> float:
        """The tolerance of the KKT residual at a precision."""
        default = 1e-8 if dtype == jnp.float64 else 3e-5
        return default if self.tolerance is None else self.tolerance

    def feasibility_of(self, dtype: Any) -> float:
        """The largest violation allowed at a precision."""
        default = 1e-6 if dtype == jnp.float64 else 1e-4
        return default if self.feasibility is None else self.feasibility


DEFAULT_OPTIONS = InteriorPointOptions()
