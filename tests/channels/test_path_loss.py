import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wirelax.channels import (
    MACRO_NLOS,
    MICRO,
    PATH_LOSS_MODELS,
    PICO_LOS,
    PICO_NLOS,
    PUBLISHED_LOS,
    PUBLISHED_NLOS,
    URBAN,
    log_distance_path_loss_db,
    path_gain,
)

FORMULAS = {
    "macro-nlos": (MACRO_NLOS, lambda km: 128.1 + 37.6 * math.log10(km)),
    "micro": (MICRO, lambda km: 140.7 + 36.7 * math.log10(km)),
    "pico-los": (PICO_LOS, lambda km: 103.8 + 20.9 * math.log10(km)),
    "pico-nlos": (PICO_NLOS, lambda km: 145.4 + 37.5 * math.log10(km)),
    "published-los": (PUBLISHED_LOS, lambda km: 10.38 + 20 * 2.09 * math.log10(1000 * km)),
    "published-nlos": (PUBLISHED_NLOS, lambda km: 14.54 + 20 * 3.75 * math.log10(1000 * km)),
    "urban": (URBAN, lambda km: 35.3 + 37.6 * math.log10(1000 * km)),
}


def test_the_registry_holds_every_model_and_is_read_only():
    assert set(PATH_LOSS_MODELS) == set(FORMULAS)
    assert all(PATH_LOSS_MODELS[name] is model for name, (model, _) in FORMULAS.items())
    assert all(model.name == name for name, model in PATH_LOSS_MODELS.items())
    with pytest.raises(TypeError):
        PATH_LOSS_MODELS["mine"] = MICRO
    with pytest.raises(dataclasses.FrozenInstanceError):
        MICRO.intercept_db = 0.0


@pytest.mark.parametrize("name", FORMULAS)
def test_models_equal_their_printed_formulas(name):
    model, formula = FORMULAS[name]
    distance_km = np.geomspace(1e-3, 3.0, 25).reshape(5, 5)
    loss_db = np.vectorize(formula)(distance_km)
    np.testing.assert_allclose(model(distance_km), loss_db, rtol=2e-6)
    np.testing.assert_allclose(path_gain(distance_km, model), 10 ** (-loss_db / 10), rtol=3e-5)


@pytest.mark.usefixtures("x64")
def test_double_precision():
    np.testing.assert_allclose(path_gain(0.2, MICRO), 10 ** (-FORMULAS["micro"][1](0.2) / 10), rtol=1e-13)


def test_one_kilometre_gives_the_intercept():
    assert float(log_distance_path_loss_db(1, 128, 37)) == 128.0


def test_gradient_is_the_slope():
    grad = jax.jit(jax.grad(MACRO_NLOS))(0.2)
    np.testing.assert_allclose(grad, 37.6 / (0.2 * math.log(10)), rtol=1e-5)


def test_jit_and_vmap_equal_eager_above_32768_rows():
    distance_km = np.random.default_rng(0).uniform(1e-3, 0.5, (32_769, 3)).astype(np.float32)

    def mean_gain(row):
        return jnp.mean(1e12 * path_gain(row, MICRO))

    eager = jax.vmap(mean_gain)(distance_km)
    np.testing.assert_allclose(jax.jit(jax.vmap(mean_gain))(distance_km), eager, rtol=2e-5)
    reference = np.mean(1e12 * 10**-14.07 * distance_km.astype(np.float64) ** -3.67, axis=1)
    np.testing.assert_allclose(eager, reference, rtol=1e-4)
