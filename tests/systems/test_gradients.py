"""Derivatives of the optimal utility with respect to noise, budgets and targets, against differences, in float64."""

import jax
import numpy as np
import pytest

from wirelax import systems

from ..compiling import quick_jit

HETNET = {"num_micro": 1, "users_per_bs": 1, "power_levels": 4}
NOMA = {"num_subchannels": 2, "num_users": 3, "starts": 1}
CASES = {
    "hetnet-ee": (
        "hetnet-ee",
        "exhaustive+polish",
        HETNET,
        ("noise_dbm", "max_power_macro_w", "circuit_power_macro_w"),
    ),
    "hetnet-ee, budgets bind": (
        "hetnet-ee",
        "exhaustive+polish",
        {**HETNET, "max_power_macro_w": 1e-3, "max_power_micro_w": 1e-3, "min_spectral_efficiency": 0.0},
        ("noise_dbm", "max_power_macro_w", "max_power_micro_w"),
    ),
    "hetnet-ee, the target binds": (
        "hetnet-ee",
        "exhaustive+polish",
        {**HETNET, "min_spectral_efficiency": 24.5},
        ("noise_dbm", "min_spectral_efficiency", "amplifier_efficiency"),
    ),
    "noma": ("noma", "interior-point", NOMA, ("noise_power_w", "total_power_dbm", "min_rate", "sic_residual")),
    "noma, the target binds": (
        "noma",
        "interior-point",
        {**NOMA, "min_rate": 0.4},
        ("noise_power_w", "total_power_dbm", "min_rate", "sic_residual"),
    ),
}
SLOW = {"hetnet-ee, the target binds", "hetnet-ee", "noma"}


@pytest.mark.parametrize("case", [pytest.param(c, marks=[pytest.mark.slow] if c in SLOW else []) for c in CASES])
def test_derivatives_of_the_optimum(case, x64):
    name, method, settings, fields = CASES[case]
    system = systems.get(name, **settings)
    channel = jax.tree.map(np.asarray, system.sample(jax.random.key(3)))
    state = system.methods[method].load()

    @quick_jit
    @jax.value_and_grad
    def optimum(values):
        changed = systems.get(name, **{**settings, **dict(zip(fields, values, strict=True))})
        return changed.methods[method].solve(state, changed.problem(channel), jax.random.key(0)).utility

    at = np.array([getattr(system.config, field) for field in fields])
    best, gradient = optimum(at)
    assert np.isfinite(best)
    assert best > 0
    for index, field in enumerate(fields):
        step = np.zeros(len(at))
        # The target is met by bisection, to within some 1e-5: its differences need a wider step.
        step[index] = (1e-3 if case.endswith("target binds") else 1e-4) * abs(at[index])
        wanted = (float(optimum(at + step)[0]) - float(optimum(at - step)[0])) / (2 * step[index])
        scale = abs(best / at[index])
        np.testing.assert_allclose(
            gradient[index],
            wanted,
            rtol=1e-2 if case.endswith("target binds") else 2e-3,
            atol=1e-5 * scale,
            err_msg=field,
        )
    assert (np.abs(gradient * at / best) > 1e-4).any()
    if "bind" in case:
        assert (np.abs(gradient * at / best)[1:3] > 1e-4).all(), "nothing binds, so nothing is tested"
