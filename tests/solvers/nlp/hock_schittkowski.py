"""Cases of Hock and Schittkowski, Test Examples for Nonlinear Programming Codes (1981), by their numbers."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

INF, PI, SQRT2, SQRT3, SQRT7 = math.inf, math.pi, math.sqrt(2), math.sqrt(3), math.sqrt(7)


@dataclass(frozen=True)
class Case:
    number: int
    objective: Callable  # x [n] -> scalar, to be minimised
    start: tuple[float, ...]  # the published start; not always feasible
    optimum: float  # the published f*
    equality: Callable | None = None  # x [n] -> [m], = 0
    inequality: Callable | None = None  # x [n] -> [q], >= 0; finite bounds are its last rows
    solution: tuple[float, ...] | None = None  # the published x*, where no other point is as good


def bounds(x, low, high):
    """Rows x - low and high - x, those of the finite bounds."""
    low, high = np.broadcast_to(low, x.shape), np.broadcast_to(high, x.shape)
    below, above = np.isfinite(low), np.isfinite(high)
    return jnp.concatenate([x[below] - low[below], high[above] - x[above]])


def case(number, objective, start, optimum, *, eq=None, ineq=None, low=-INF, high=INF, solution=None):
    """A case from functions of x1, x2, ...; ``eq`` and ``ineq`` give lists of rows."""

    def inequality(x):
        rows = [jnp.stack(ineq(*x))] if ineq else []
        return jnp.concatenate([*rows, bounds(x, low, high)])

    bounded = bool(np.isfinite(low).any() or np.isfinite(high).any())
    return Case(
        number,
        lambda x: objective(*x),
        start,
        optimum,
        equality=(lambda x: jnp.stack(eq(*x))) if eq else None,
        inequality=inequality if ineq or bounded else None,
        solution=solution,
    )


def objective_38(x1, x2, x3, x4):
    valleys = 100 * (x2 - x1**2) ** 2 + (1 - x1) ** 2 + 90 * (x4 - x3**2) ** 2 + (1 - x3) ** 2
    return valleys + 10.1 * ((x2 - 1) ** 2 + (x4 - 1) ** 2) + 19.8 * (x2 - 1) * (x4 - 1)


def inequality_43(x1, x2, x3, x4):
    return [
        8 - x1**2 - x2**2 - x3**2 - x4**2 - x1 + x2 - x3 + x4,
        10 - x1**2 - 2 * x2**2 - x3**2 - 2 * x4**2 + x1 + x4,
        5 - 2 * x1**2 - x2**2 - x3**2 - 2 * x1 + x2 + x4,
    ]


def inequality_73(x1, x2, x3, x4):
    spread = jnp.sqrt(0.28 * x1**2 + 0.19 * x2**2 + 20.5 * x3**2 + 0.62 * x4**2)
    return [
        2.3 * x1 + 5.6 * x2 + 11.1 * x3 + 1.3 * x4 - 5,
        12 * x1 + 11.9 * x2 + 41.8 * x3 + 52.1 * x4 - 21 - 1.645 * spread,
    ]


def objective_76(x1, x2, x3, x4):
    return x1**2 + 0.5 * x2**2 + x3**2 + 0.5 * x4**2 - x1 * x3 + x3 * x4 - x1 - 3 * x2 + x3 - x4


def equality_78(x1, x2, x3, x4, x5):
    """Also that of 80."""
    return [x1**2 + x2**2 + x3**2 + x4**2 + x5**2 - 10, x2 * x3 - 5 * x4 * x5, x1**3 + x2**3 + 1]


def inequality_83(x1, x2, x3, x4, x5):
    a = 85.334407 + 0.0056858 * x2 * x5 + 0.0006262 * x1 * x4 - 0.0022053 * x3 * x5
    b = 80.51249 + 0.0071317 * x2 * x5 + 0.0029955 * x1 * x2 + 0.0021813 * x3**2 - 90
    c = 9.300961 + 0.0047026 * x3 * x5 + 0.0012547 * x1 * x3 + 0.0019085 * x3 * x4 - 20
    return [a, b, c, 92 - a, 20 - b, 5 - c]


QUADRATIC_86 = np.array(
    [
        [30, -20, -10, 32, -10],
        [-20, 39, -6, -31, 32],
        [-10, -6, 10, -6, -10],
        [32, -31, -6, 39, -20],
        [-10, 32, -10, -20, 30],
    ]
)
ROWS_86 = np.array(
    [
        [-16, 2, 0, 1, 0],
        [0, -2, 0, 0.4, 2],
        [-3.5, 0, 2, 0, 0],
        [0, -2, 0, -4, -1],
        [0, -9, -2, 1, -2.8],
        [2, 0, -4, 0, 0],
        [-1, -1, -1, -1, -1],
        [-1, -2, -3, -2, -1],
        [1, 2, 3, 4, 5],
        [1, 1, 1, 1, 1],
    ]
)


def objective_86(*x):
    x = jnp.stack(x)
    return np.array([-15, -27, -36, -18, -12]) @ x + x @ QUADRATIC_86 @ x + np.array([4, 8, 10, 6, 2]) @ x**3


def inequality_86(*x):
    return list(ROWS_86 @ jnp.stack(x) - np.array([-40, -2, -0.25, -4, -4, -1, -40, -60, 5, 1]))


def objective_93(x1, x2, x3, x4, x5, x6):
    core, winding = x1 * x4 * (x1 + x2 + x3), x2 * x3 * (x1 + 1.57 * x2 + x4)
    return 0.0204 * core + 0.0187 * winding + 0.0607 * core * x5**2 + 0.0437 * winding * x6**2


def inequality_93(x1, x2, x3, x4, x5, x6):
    core, winding = x1 * x4 * (x1 + x2 + x3), x2 * x3 * (x1 + 1.57 * x2 + x4)
    return [0.001 * x1 * x2 * x3 * x4 * x5 * x6 - 2.07, 1 - 0.00062 * core * x5**2 - 0.00058 * winding * x6**2]


def objective_100(x1, x2, x3, x4, x5, x6, x7):
    far = (x1 - 10) ** 2 + 5 * (x2 - 12) ** 2 + x3**4 + 3 * (x4 - 11) ** 2
    return far + 10 * x5**6 + 7 * x6**2 + x7**4 - 4 * x6 * x7 - 10 * x6 - 8 * x7


def inequality_100(x1, x2, x3, x4, x5, x6, x7):
    return [
        127 - 2 * x1**2 - 3 * x2**4 - x3 - 4 * x4**2 - 5 * x5,
        282 - 7 * x1 - 3 * x2 - 10 * x3**2 - x4 + x5,
        196 - 23 * x1 - x2**2 - 6 * x6**2 + 8 * x7,
        -4 * x1**2 - x2**2 + 3 * x1 * x2 - 2 * x3**2 - 5 * x6 + 11 * x7,
    ]


def objective_113(x1, x2, x3, x4, x5, x6, x7, x8, x9, x10):
    first = x1**2 + x2**2 + x1 * x2 - 14 * x1 - 16 * x2 + (x3 - 10) ** 2 + 4 * (x4 - 5) ** 2 + (x5 - 3) ** 2
    return first + 2 * (x6 - 1) ** 2 + 5 * x7**2 + 7 * (x8 - 11) ** 2 + 2 * (x9 - 10) ** 2 + (x10 - 7) ** 2 + 45


def inequality_113(x1, x2, x3, x4, x5, x6, x7, x8, x9, x10):
    return [
        105 - 4 * x1 - 5 * x2 + 3 * x7 - 9 * x8,
        -10 * x1 + 8 * x2 + 17 * x7 - 2 * x8,
        8 * x1 - 2 * x2 - 5 * x9 + 2 * x10 + 12,
        -3 * (x1 - 2) ** 2 - 4 * (x2 - 3) ** 2 - 2 * x3**2 + 7 * x4 + 120,
        -5 * x1**2 - 8 * x2 - (x3 - 6) ** 2 + 2 * x4 + 40,
        -0.5 * (x1 - 8) ** 2 - 2 * (x2 - 4) ** 2 - 3 * x5**2 + x6 + 30,
        -(x1**2) - 2 * (x2 - 2) ** 2 + 2 * x1 * x2 - 14 * x5 + 6 * x6,
        3 * x1 - 6 * x2 - 12 * (x9 - 8) ** 2 + 7 * x10,
    ]


CASES = (
    case(
        1,
        lambda x1, x2: 100 * (x2 - x1**2) ** 2 + (1 - x1) ** 2,
        (-2.0, 1.0),
        0.0,
        low=(-INF, -1.5),
        solution=(1.0, 1.0),
    ),
    case(
        5,
        lambda x1, x2: jnp.sin(x1 + x2) + (x1 - x2) ** 2 - 1.5 * x1 + 2.5 * x2 + 1,
        (0.0, 0.0),
        -SQRT3 / 2 - PI / 3,
        low=(-1.5, -3),
        high=(4, 3),
        solution=(0.5 - PI / 3, -0.5 - PI / 3),
    ),
    case(6, lambda x1, x2: (1 - x1) ** 2, (-1.2, 1.0), 0.0, eq=lambda x1, x2: [10 * (x2 - x1**2)], solution=(1.0, 1.0)),
    case(
        7,
        lambda x1, x2: jnp.log(1 + x1**2) - x2,
        (2.0, 2.0),
        -SQRT3,
        eq=lambda x1, x2: [(1 + x1**2) ** 2 + x2**2 - 4],
        solution=(0.0, SQRT3),
    ),
    case(
        10,
        lambda x1, x2: x1 - x2,
        (-10.0, 10.0),
        -1.0,
        ineq=lambda x1, x2: [-3 * x1**2 + 2 * x1 * x2 - x2**2 + 1],
        solution=(0.0, 1.0),
    ),
    case(11, lambda x1, x2: (x1 - 5) ** 2 + x2**2 - 25, (4.9, 0.1), -8.498464223, ineq=lambda x1, x2: [-(x1**2) + x2]),
    case(
        12,
        lambda x1, x2: 0.5 * x1**2 + x2**2 - x1 * x2 - 7 * x1 - 7 * x2,
        (0.0, 0.0),
        -30.0,
        ineq=lambda x1, x2: [25 - 4 * x1**2 - x2**2],
        solution=(2.0, 3.0),
    ),
    case(
        14,
        lambda x1, x2: (x1 - 2) ** 2 + (x2 - 1) ** 2,
        (2.0, 2.0),
        9 - 23 * SQRT7 / 8,
        eq=lambda x1, x2: [x1 - 2 * x2 + 1],
        ineq=lambda x1, x2: [-0.25 * x1**2 - x2**2 + 1],
        solution=((SQRT7 - 1) / 2, (SQRT7 + 1) / 4),
    ),
    case(
        21,
        lambda x1, x2: 0.01 * x1**2 + x2**2 - 100,
        (-1.0, -1.0),
        -99.96,
        ineq=lambda x1, x2: [10 * x1 - x2 - 10],
        low=(2, -50),
        high=50,
        solution=(2.0, 0.0),
    ),
    case(
        24,
        lambda x1, x2: ((x1 - 3) ** 2 - 9) * x2**3 / (27 * SQRT3),
        (1.0, 0.5),
        -1.0,
        ineq=lambda x1, x2: [x1 / SQRT3 - x2, x1 + SQRT3 * x2, -x1 - SQRT3 * x2 + 6],
        low=0,
        solution=(3.0, SQRT3),
    ),
    case(
        27,
        lambda x1, x2, x3: 0.01 * (x1 - 1) ** 2 + (x2 - x1**2) ** 2,
        (2.0, 2.0, 2.0),
        0.04,
        eq=lambda x1, x2, x3: [x1 + x3**2 + 1],
        solution=(-1.0, 1.0, 0.0),
    ),
    case(
        29,
        lambda x1, x2, x3: -x1 * x2 * x3,
        (1.0, 1.0, 1.0),
        -16 * SQRT2,
        ineq=lambda x1, x2, x3: [-(x1**2) - 2 * x2**2 - 4 * x3**2 + 48],
    ),
    case(
        32,
        lambda x1, x2, x3: (x1 + 3 * x2 + x3) ** 2 + 4 * (x1 - x2) ** 2,
        (0.1, 0.7, 0.2),
        1.0,
        eq=lambda x1, x2, x3: [1 - x1 - x2 - x3],
        ineq=lambda x1, x2, x3: [6 * x2 + 4 * x3 - x1**3 - 3],
        low=0,
        solution=(0.0, 0.0, 1.0),
    ),
    case(
        34,
        lambda x1, x2, x3: -x1,
        (0.0, 1.05, 2.9),
        -math.log(math.log(10)),
        ineq=lambda x1, x2, x3: [x2 - jnp.exp(x1), x3 - jnp.exp(x2)],
        low=0,
        high=(100, 100, 10),
        solution=(math.log(math.log(10)), math.log(10), 10.0),
    ),
    case(
        35,
        lambda x, y, z: 9 - 8 * x - 6 * y - 4 * z + 2 * x**2 + 2 * y**2 + z**2 + 2 * x * y + 2 * x * z,
        (0.5, 0.5, 0.5),
        1 / 9,
        ineq=lambda x1, x2, x3: [3 - x1 - x2 - 2 * x3],
        low=0,
        solution=(4 / 3, 7 / 9, 4 / 9),
    ),
    case(
        37,
        lambda x1, x2, x3: -x1 * x2 * x3,
        (10.0, 10.0, 10.0),
        -3456.0,
        ineq=lambda x1, x2, x3: [72 - x1 - 2 * x2 - 2 * x3, x1 + 2 * x2 + 2 * x3],
        low=0,
        high=42,
        solution=(24.0, 12.0, 12.0),
    ),
    case(38, objective_38, (-3.0, -1.0, -3.0, -1.0), 0.0, low=-10, high=10, solution=4 * (1.0,)),
    case(
        39,
        lambda x1, x2, x3, x4: -x1,
        4 * (2.0,),
        -1.0,
        eq=lambda x1, x2, x3, x4: [x2 - x1**3 - x3**2, x1**2 - x2 - x4**2],
        solution=(1.0, 1.0, 0.0, 0.0),
    ),
    case(
        40,
        lambda x1, x2, x3, x4: -x1 * x2 * x3 * x4,
        4 * (0.8,),
        -0.25,
        eq=lambda x1, x2, x3, x4: [x1**3 + x2**2 - 1, x1**2 * x4 - x3, x4**2 - x2],
    ),
    case(
        41,
        lambda x1, x2, x3, x4: 2 - x1 * x2 * x3,
        4 * (2.0,),
        52 / 27,
        eq=lambda x1, x2, x3, x4: [x1 + 2 * x2 + 2 * x3 - x4],
        low=0,
        high=(1, 1, 1, 2),
        solution=(2 / 3, 1 / 3, 1 / 3, 2.0),
    ),
    case(
        43,
        lambda x1, x2, x3, x4: x1**2 + x2**2 + 2 * x3**2 + x4**2 - 5 * x1 - 5 * x2 - 21 * x3 + 7 * x4,
        4 * (0.0,),
        -44.0,
        ineq=inequality_43,
        solution=(0.0, 1.0, 2.0, -1.0),
    ),
    case(
        48,
        lambda x1, x2, x3, x4, x5: (x1 - 1) ** 2 + (x2 - x3) ** 2 + (x4 - x5) ** 2,
        (3.0, 5.0, -3.0, 2.0, -2.0),
        0.0,
        eq=lambda x1, x2, x3, x4, x5: [x1 + x2 + x3 + x4 + x5 - 5, x3 - 2 * (x4 + x5) + 3],
        solution=5 * (1.0,),
    ),
    case(
        52,
        lambda x1, x2, x3, x4, x5: (4 * x1 - x2) ** 2 + (x2 + x3 - 2) ** 2 + (x4 - 1) ** 2 + (x5 - 1) ** 2,
        5 * (2.0,),
        1859 / 349,
        eq=lambda x1, x2, x3, x4, x5: [x1 + 3 * x2, x3 + x4 - 2 * x5, x2 - x5],
        solution=(-33 / 349, 11 / 349, 180 / 349, -158 / 349, 11 / 349),
    ),
    case(
        63,
        lambda x1, x2, x3: 1000 - x1**2 - 2 * x2**2 - x3**2 - x1 * x2 - x1 * x3,
        (2.0, 2.0, 2.0),
        961.7151721,
        eq=lambda x1, x2, x3: [8 * x1 + 14 * x2 + 7 * x3 - 56, x1**2 + x2**2 + x3**2 - 25],
        low=0,
        solution=(3.512118414, 0.2169881741, 3.552174034),
    ),
    case(
        65,
        lambda x1, x2, x3: (x1 - x2) ** 2 + (x1 + x2 - 10) ** 2 / 9 + (x3 - 5) ** 2,
        (-5.0, 5.0, 0.0),
        0.9535288567,
        ineq=lambda x1, x2, x3: [48 - x1**2 - x2**2 - x3**2],
        low=(-4.5, -4.5, -5),
        high=(4.5, 4.5, 5),
        solution=(3.650461821, 3.65046168, 4.6204170507),
    ),
    case(
        66,
        lambda x1, x2, x3: 0.2 * x3 - 0.8 * x1,
        (0.0, 1.05, 2.9),
        0.5181632741,
        ineq=lambda x1, x2, x3: [x2 - jnp.exp(x1), x3 - jnp.exp(x2)],
        low=0,
        high=(100, 100, 10),
        solution=(0.1841264879, 1.202167873, 3.327322322),
    ),
    case(
        71,
        lambda x1, x2, x3, x4: x1 * x4 * (x1 + x2 + x3) + x3,
        (1.0, 5.0, 5.0, 1.0),
        17.0140173,
        eq=lambda x1, x2, x3, x4: [x1**2 + x2**2 + x3**2 + x4**2 - 40],
        ineq=lambda x1, x2, x3, x4: [x1 * x2 * x3 * x4 - 25],
        low=1,
        high=5,
        solution=(1.0, 4.7429994, 3.8211503, 1.3794082),
    ),
    case(
        73,
        lambda x1, x2, x3, x4: 24.55 * x1 + 26.75 * x2 + 39 * x3 + 40.50 * x4,
        4 * (1.0,),
        29.894378,
        eq=lambda x1, x2, x3, x4: [x1 + x2 + x3 + x4 - 1],
        ineq=inequality_73,
        low=0,
        solution=(0.6355216, 0.0, 0.3127019, 0.05177655),
    ),
    case(
        76,
        objective_76,
        4 * (0.5,),
        -4.681818181,
        ineq=lambda x1, x2, x3, x4: [5 - x1 - 2 * x2 - x3 - x4, 4 - 3 * x1 - x2 - 2 * x3 + x4, x2 + 4 * x3 - 1.5],
        low=0,
        solution=(3 / 11, 23 / 11, 0.0, 6 / 11),
    ),
    case(
        77,
        lambda x1, x2, x3, x4, x5: (x1 - 1) ** 2 + (x1 - x2) ** 2 + (x3 - 1) ** 2 + (x4 - 1) ** 4 + (x5 - 1) ** 6,
        5 * (2.0,),
        0.24150513,
        eq=lambda x1, x2, x3, x4, x5: [x1**2 * x4 + jnp.sin(x4 - x5) - 2 * SQRT2, x2 + x3**4 * x4**2 - 8 - SQRT2],
        solution=(1.166172, 1.182111, 1.380257, 1.506036, 0.6109203),
    ),
    case(
        78, lambda x1, x2, x3, x4, x5: x1 * x2 * x3 * x4 * x5, (-2.0, 1.5, 2.0, -1.0, -1.0), -2.91970041, eq=equality_78
    ),
    case(
        80,
        lambda x1, x2, x3, x4, x5: jnp.exp(x1 * x2 * x3 * x4 * x5),
        (-2.0, 2.0, 2.0, -1.0, -1.0),
        0.0539498478,
        eq=equality_78,
        low=(-2.3, -2.3, -3.2, -3.2, -3.2),
        high=(2.3, 2.3, 3.2, 3.2, 3.2),
    ),
    case(
        83,
        lambda x1, x2, x3, x4, x5: 5.3578547 * x3**2 + 0.8356891 * x1 * x5 + 37.293239 * x1 - 40792.141,
        (78.0, 33.0, 27.0, 27.0, 27.0),
        -30665.53867,
        ineq=inequality_83,
        low=(78, 33, 27, 27, 27),
        high=(102, 45, 45, 45, 45),
        solution=(78.0, 33.0, 29.99526, 45.0, 36.77581),
    ),
    case(
        86,
        objective_86,
        (0.0, 0.0, 0.0, 0.0, 1.0),
        -32.34867897,
        ineq=inequality_86,
        low=0,
        solution=(0.3, 0.33346761, 0.4, 0.42831010, 0.22396487),
    ),
    case(
        93,
        objective_93,
        (5.54, 4.4, 12.02, 11.82, 0.702, 0.852),
        135.075961,
        ineq=inequality_93,
        low=0,
        solution=(5.332666, 4.656744, 10.43299, 12.08230, 0.7526074, 0.87865084),
    ),
    case(
        100,
        objective_100,
        (1.0, 2.0, 0.0, 4.0, 0.0, 1.0, 1.0),
        680.6300573,
        ineq=inequality_100,
        solution=(2.330499, 1.951372, -0.4775414, 4.365726, -0.6244870, 1.038131, 1.594227),
    ),
    case(
        113,
        objective_113,
        (2.0, 3.0, 5.0, 5.0, 1.0, 2.0, 7.0, 3.0, 6.0, 10.0),
        24.3062091,
        ineq=inequality_113,
        solution=(2.171996, 2.363683, 8.773926, 5.095984, 0.9906548, 1.430574, 1.321644, 9.828726, 8.280092, 8.375927),
    ),
)
