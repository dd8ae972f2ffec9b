"""One large, thin ultra-dense network on the edges of its graph: memory and time of a step of training.

``python -m benchmarks.hudn_sparse`` takes 10,000 UEs, 1,000 BSs and 30 links a UE forward and backward through the
network on links and the relaxed sum rate, in a process of its own, and prints the peak of its memory. Options give
other sizes; ``--dense`` takes the same step on arrays [ue, bs], for sizes at which these fit.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import jraph
import numpy as np
from jaxtyping import Array

from wirelax.policies.association.edge import EdgeGNN
from wirelax.policies.association.features import link_features
from wirelax.policies.association.graph import graph_of_edges, graph_share, relaxed_graph_rates
from wirelax.policies.association.heads import choice_logits, power_of
from wirelax.problems import AssociationProblem, make_association_problem
from wirelax.smoothing import tempered_softmax

__all__ = ["main", "measure_step", "thin_network"]

TEMPERATURE = 0.5
KIBIBYTE = 1024


def thin_network(num_ues: int, num_bss: int, degree: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """SNR, UE and BS of every link: each UE hears the nearest BSs of a plane, 10 to 60 dB above the noise."""
    rng = np.random.default_rng(seed)
    ues, bss = rng.uniform(size=(num_ues, 2)), rng.uniform(size=(num_bss, 2))
    near = np.empty((num_ues, degree), np.int32)
    distance = np.empty((num_ues, degree), np.float32)
    for begin in range(0, num_ues, KIBIBYTE):  # never UEs times BSs at once
        part = np.linalg.norm(ues[begin : begin + KIBIBYTE, None] - bss, axis=-1)
        first = np.argpartition(part, degree - 1, axis=1)[:, :degree]
        near[begin : begin + len(part)] = first
        distance[begin : begin + len(part)] = np.take_along_axis(part, first, 1)
    reach = np.quantile(distance, 0.99)
    snr = 10 * (reach / np.maximum(distance, 1e-2 * reach)) ** 3
    ue = np.repeat(np.arange(num_ues, dtype=np.int32), degree)
    return snr.astype(np.float32).ravel(), ue, near.ravel()


def _sparse_loss(params: Any, network: EdgeGNN, graph: jraph.GraphsTuple) -> Array:
    outputs = network.apply(params, graph)
    share = graph_share(graph, outputs["logits"], TEMPERATURE)
    return -jnp.log(relaxed_graph_rates(graph, share, power_of(outputs, "joint")).sum())


def _dense_loss(params: Any, network: EdgeGNN, problem: AssociationProblem) -> Array:
    outputs = network.apply(params, link_features(problem))
    share = tempered_softmax(choice_logits(outputs["logits"], problem.snr > 0), TEMPERATURE)
    return -jnp.log(problem.relaxed_rates(share, power_of(outputs, "joint")).sum())


def measure_step(num_ues: int, num_bss: int, degree: int, *, dense: bool = False, repeats: int = 3) -> dict[str, Any]:
    """Loss, norm of its gradient, seconds and peak memory of this process, for one event.

    Args:
        num_ues: I.
        num_bss: J.
        degree: links of every UE.
        dense: on arrays [ue, bs] in place of edges.
        repeats: of the measured step; the median counts.
    """
    snr, ue, bs = thin_network(num_ues, num_bss, degree)
    network, macro = EdgeGNN(remat=True), np.zeros(num_bss, bool)
    event: Any = graph_of_edges(snr, ue, bs, macro, num_ues=num_ues)
    small = graph_of_edges(snr[:degree], ue[:degree], bs[:degree] % degree, macro[:degree], num_ues=1)
    params = network.init(jax.random.key(0), small)
    loss = _sparse_loss
    if dense:
        gain = np.zeros((num_ues, num_bss), np.float32)
        gain[ue, bs] = snr
        event, loss = make_association_problem(gain, max_power_w=1.0, noise_w=1.0, macro=macro), _dense_loss
    began = time.perf_counter()
    step = jax.jit(jax.value_and_grad(loss), static_argnums=1).lower(params, network, event).compile()
    compile_seconds, seconds = time.perf_counter() - began, []
    for _ in range(repeats):
        began = time.perf_counter()
        value, gradient = jax.block_until_ready(step(params, event))
        seconds.append(time.perf_counter() - began)
    squares = [float((leaf**2).sum()) for leaf in jax.tree.leaves(gradient["params"])]
    return {
        "kind": "dense" if dense else "sparse",
        "ues": num_ues,
        "bss": num_bss,
        "edges": len(snr),
        "loss": float(value),
        "gradient_norm": sum(squares) ** 0.5,
        "seconds": statistics.median(seconds),
        "compile_seconds": compile_seconds,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE / 1e9,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hudn_sparse", description=__doc__.split("\n")[0])
    parser.add_argument("--ues", type=int, default=10000)
    parser.add_argument("--bss", type=int, default=1000)
    parser.add_argument("--degree", type=int, default=30)
    parser.add_argument("--dense", action="store_true")
    chosen = parser.parse_args(arguments)
    print(json.dumps(measure_step(chosen.ues, chosen.bss, chosen.degree, dense=chosen.dense)))


if __name__ == "__main__":
    main()
