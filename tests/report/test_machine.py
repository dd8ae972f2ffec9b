import platform

import jax

from wirelax.execution.cores import usable_cores
from wirelax.report import machine_summary


def test_summary_is_complete_and_names_nobody():
    summary = machine_summary()
    assert set(summary) == {
        *("cpu", "cores", "memory_gib", "platform", "python", "jax", "jaxlib", "numpy", "wirelax"),
        *("device", "device_count", "precision"),
    }
    assert all(summary.values())
    assert summary["cores"] == usable_cores()
    assert summary["device"] == jax.devices()[0].device_kind
    text = " ".join(str(value) for key, value in summary.items() if key not in ("device", "cpu"))
    assert platform.node() not in text.split()
    assert "/" not in text
