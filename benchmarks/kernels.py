"""SINR and rate of a large batch of small networks: the kernels against NumPy and PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from wirelax.kernels import link_sinr, rate

from .timing import Row, add_ratios, compile_call, measure, row
from .work import link_work

__all__ = ["kernel_rows", "loop_rates", "rates_of", "sample_networks", "torch_rates", "vectorised_rates"]

LINKS = 3
NAME = "link_sinr and rate"
JAX, NUMPY, LOOP = f"{NAME}, wirelax", f"{NAME}, NumPy vectorised", f"{NAME}, NumPy loop"
TORCH = f"{NAME}, PyTorch vectorised"


def sample_networks(count: int, seed: int = 0) -> tuple[Float[np.ndarray, "n rx tx"], Float[np.ndarray, "n tx"]]:
    """Noise-normalised gains over 60 dB and powers up to 1, float32."""
    random = np.random.default_rng(seed)
    gain = 10 ** random.uniform(-2, 4, (count, LINKS, LINKS))
    return gain.astype(np.float32), random.uniform(0, 1, (count, LINKS)).astype(np.float32)


def rates_of(gain: Float[Array, "n rx tx"], power: Float[Array, "n tx"]) -> Float[Array, "n rx"]:
    """Rates of all links of a batch through the kernels, noise 1."""
    return jax.vmap(lambda g, p: rate(link_sinr(g, p, 1.0)))(gain, power)


def vectorised_rates(gain: Float[np.ndarray, "n rx tx"], power: Float[np.ndarray, "n tx"]) -> np.ndarray:
    """The same in NumPy, all networks at once."""
    received = gain * power[:, None, :]
    others = received * (1 - np.eye(gain.shape[-1], dtype=gain.dtype))
    return np.log2(1 + np.einsum("nii->ni", received) / (1 + others.sum(-1)))


def loop_rates(gain: Float[np.ndarray, "n rx tx"], power: Float[np.ndarray, "n tx"]) -> np.ndarray:
    """The same in NumPy, network by network."""
    off_diagonal = 1 - np.eye(gain.shape[-1], dtype=gain.dtype)
    rates = np.empty_like(power)
    for index, (g, p) in enumerate(zip(gain, power)):
        received = g * p
        rates[index] = np.log2(1 + np.diagonal(received) / (1 + (received * off_diagonal).sum(-1)))
    return rates


def torch_rates(torch: Any, gain: np.ndarray, power: np.ndarray) -> Callable[[], Any]:
    """A call that does the same in PyTorch on the CPU, all networks at once."""
    gains, powers = torch.from_numpy(gain), torch.from_numpy(power)
    off_diagonal = 1 - torch.eye(gain.shape[-1])

    def call() -> Any:
        received = gains * powers[:, None, :]
        own = torch.diagonal(received, dim1=-2, dim2=-1)
        return torch.log2(1 + own / (1 + (received * off_diagonal).sum(-1)))

    return call


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        return None
    return torch


def kernel_rows(*, networks: int, loop_networks: int, repeats: int, rates: dict[str, float]) -> list[Row]:
    """Rows of the same computation in wirelax, in NumPy twice, and in PyTorch where it is installed.

    Args:
        networks: networks in the batch, of 3 links each.
        loop_networks: networks that the NumPy loop is timed on.
        repeats: timed runs of each.
        rates: measured operations per second, from `benchmarks.bound.machine_rates`.
    """
    gain, power = sample_networks(networks)
    call, compile_seconds = compile_call(rates_of, jnp.asarray(gain), jnp.asarray(power), parts=1)
    calls = {
        JAX: call,
        NUMPY: lambda: vectorised_rates(gain, power),
        LOOP: lambda: loop_rates(gain[:loop_networks], power[:loop_networks]),
    }
    torch = _torch()
    if torch is not None:
        calls[TORCH] = torch_rates(torch, gain, power)
    timings = measure(calls, repeats)
    rows = []
    for name, timing in timings.items():
        part = loop_networks if name == LOOP else networks
        more: dict[str, Any] = {"notes": "float32"}
        if name == LOOP:
            more = {
                "extrapolated_from": part,
                "notes": f"float32; timed on {part} of {networks} networks, scaled up",
            }
        rows.append(row(name, timing, networks, unit="network", scale=networks / part, **more))
        difference = np.abs(np.asarray(timing.result) - np.asarray(timings[JAX].result)[:part])
        rows[-1]["largest_difference_bit_per_s_hz"] = float(difference.max())
    own = rows[0]
    bound = link_work(LINKS).bound_seconds(rates, cached=False)
    own.update(compile_seconds=compile_seconds, fraction_of_bound=bound / own["seconds_per_network"])
    own["work_per_network"] = {name: float(count) for name, count in link_work(LINKS)._asdict().items()}
    label = lambda other: other["name"].removeprefix(f"{NAME}, ").replace(" ", "_").lower()  # noqa: E731
    add_ratios(own, [(label(other), other) for other in rows[1:]])
    if torch is None:
        rows.append({"name": TORCH, "unit": "network", "count": 0, "seconds": None, "notes": "not installed"})
    return rows
