"""SINR and rate of a million networks of three links."""

import jax.numpy as jnp
import pytest

from benchmarks.kernels import loop_rates, rates_of, sample_networks, torch_rates, vectorised_rates
from benchmarks.timing import compile_call

NETWORKS = 1_000_000
LOOP_NETWORKS = 4_000


@pytest.fixture(scope="module")
def networks():
    return sample_networks(NETWORKS)


def test_wirelax(benchmark, networks):
    call, compile_seconds = compile_call(rates_of, *map(jnp.asarray, networks), parts=1)
    benchmark.extra_info.update(networks=NETWORKS, compile_seconds=compile_seconds)
    benchmark.pedantic(call, rounds=5, warmup_rounds=1)


def test_numpy_vectorised(benchmark, networks):
    benchmark.extra_info["networks"] = NETWORKS
    benchmark.pedantic(vectorised_rates, networks, rounds=5, warmup_rounds=1)


def test_numpy_loop(benchmark, networks):
    gain, power = networks
    benchmark.extra_info["networks"] = LOOP_NETWORKS
    benchmark.pedantic(loop_rates, (gain[:LOOP_NETWORKS], power[:LOOP_NETWORKS]), rounds=5, warmup_rounds=1)


def test_torch_vectorised(benchmark, networks):
    torch = pytest.importorskip("torch")
    benchmark.extra_info["networks"] = NETWORKS
    benchmark.pedantic(torch_rates(torch, *networks), rounds=5, warmup_rounds=1)
