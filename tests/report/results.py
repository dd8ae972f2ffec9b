"""Results as `wirelax.systems.run.BatchResult` has them, without solving anything."""

from types import SimpleNamespace

import numpy as np

from wirelax.types import Status

SYSTEM = SimpleNamespace(
    name="toy",
    summary="a toy",
    objective="maximise the sum rate",
    constraints={"max_power": "the power is at most max_power_w"},
    utility_name="sum_rate",
    utility_unit="bit/s/Hz",
    sweep_columns={},
    cdf_metrics={},
    table_columns=lambda utility, best, arrays: {"rate_p5": float(np.percentile(utility, 5))},
)


def result(*utility, feasible=None, seconds=1.0, status=Status.CONVERGED, **violations):
    """Utilities; `feasible` as a list or for all; constraints broken by name, default "max_power" where infeasible."""
    count = len(utility)
    feasible = np.broadcast_to(True if feasible is None else feasible, count).copy()
    return SimpleNamespace(
        arrays={"feasible": feasible},
        utility=np.asarray(utility, np.float32),
        feasible=feasible,
        violations={name: np.asarray(v) for name, v in violations.items()}
        or {"max_power": np.where(feasible, -0.5, 0.5)},
        status=np.broadcast_to(np.asarray(status, int), count),
        seconds=seconds,
        compile_seconds=0.5,
    )
