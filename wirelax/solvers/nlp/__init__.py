"""A library of its own for smooth nonlinear programs: one batched interior-point method.

It knows nothing of networks: a program is an objective and constraints as functions, a result is a point.
"""

from wirelax.solvers.nlp.interior_point import interior_point, multi_start
from wirelax.solvers.nlp.program import InteriorPointOptions, NonlinearProgram
from wirelax.solvers.nlp.result import NlpResult

__all__ = ["InteriorPointOptions", "NlpResult", "NonlinearProgram", "interior_point", "multi_start"]
