"""What a nonlinear program is to `wirelax.solvers.nlp`, and the settings of the method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from wirelax.solvers.nlp._kkt import Blocks, Dense, Structure
from wirelax.types import FEASIBILITY_TOLERANCE

__all__ = ["DEFAULT_OPTIONS", "InteriorPointOptions", "NonlinearProgram"]


@dataclass(frozen=True)
class NonlinearProgram:
    """minimise objective(x, args) subject to equality(x, args) = 0 and inequality(x, args) >= 0, elementwise.

    Attributes:
        objective: ``(x, args) -> scalar``, twice differentiable; x is a vector [n].
        equality: ``(x, args) -> [m]``, or None.
        inequality: ``(x, args) -> [q]``, or None; bounds are rows of it. A row that is +inf holds and counts as
            absent there, whatever its derivatives; only with more than 32 variables and without `block` they
            must be finite.
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


class InteriorPointOptions(NamedTuple):
    """Tolerances and settings, all static.

    Attributes:
        tolerance: of the scaled KKT residual; None: 1e-8 in float64, 3e-5 in float32.
        feasibility: largest violation of a constraint at a feasible point, relative to the size of its terms
            sum_i abs(dc/dx_i x_i) where that is above 1, else absolute: x >= 0 has no size of its own. So give
            the problem in units in which what matters is near 1.
        max_iterations: cap on the factorisations.
        barrier: first barrier parameter.
        barrier_decrease: factor on it once its problem is solved.
        implicit: differentiate the solution by the implicit function theorem at its KKT conditions; without it
            gradients stop at the solution.
    """

    tolerance: float | None = None
    feasibility: float = FEASIBILITY_TOLERANCE
    max_iterations: int = 200
    barrier: float = 0.1
    barrier_decrease: float = 0.2
    implicit: bool = False

    def tolerance_of(self, dtype: Any) -> float:
        """The tolerance of the KKT residual at a precision."""
        default = 1e-8 if dtype == jnp.float64 else 3e-5
        return default if self.tolerance is None else self.tolerance


DEFAULT_OPTIONS = InteriorPointOptions()
