"""What `wirelax.solvers.nlp` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
from jaxtyping import Array, Float, Int

__all__ = ["NlpResult"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True, kw_only=True)
class NlpResult:
    """A point of a nonlinear program, how good it is and how it was found; with leading axes where vmapped.

    Attributes:
        x: the point; always finite.
        value: objective there, the value minimised.
        equality_multiplier: y of the Lagrangian f - y'c - z'g.
        inequality_multiplier: z of it, at least 0; 0 on rows that are +inf.
        residuals: ``kkt`` (largest of stationarity, feasibility and complementarity errors, scaled by the size of
            gradients and multipliers) and ``infeasibility`` (largest violation, see
            `InteriorPointOptions.feasibility`).
        status: one of `wirelax.types.Status`, as an integer array.
        iterations: factorisations.
    """

    x: Float[Array, "*batch n"]
    value: Float[Array, "*batch"]
    equality_multiplier: Float[Array, "*batch m"]
    inequality_multiplier: Float[Array, "*batch q"]
    residuals: Mapping[str, Float[Array, "*batch"]]
    status: Int[Array, "*batch"]
    iterations: Int[Array, "*batch"]
