"""Ultra-dense networks as graphs: features, soft and hard decisions, and rates, in memory linear in the links.

Graphs are ``jraph.GraphsTuple``: the UEs are the first nodes and the BSs the others, edges go from UEs ("senders") to
BSs ("receivers") in the order of the UEs. Batches of them, padded ones too, are graphs side by side (``jraph.batch``,
``jraph.pad_with_graphs``). A network of `wirelax.policies.association.links` takes them in place of its features.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from wirelax.kernels import edge_activity, relaxed_edge_rates
from wirelax.policies.association.heads import MOST_POWER_LOGIT, SMALLEST_DEVIATION
from wirelax.policies.association.links import SparseLinks
from wirelax.problems import AssociationProblem

__all__ = ["graph_choice", "graph_features", "graph_of_edges", "graph_share", "relaxed_graph_rates"]


def graph_of_edges(
    snr: Float[ArrayLike, " edge"],
    ue: Int[ArrayLike, " edge"],
    bs: Int[ArrayLike, " edge"],
    macro: Bool[ArrayLike, " bs"],
    *,
    num_ues: int,
    rate_floor: Float[ArrayLike, ""] = 1e-3,
    fair: Bool[ArrayLike, ""] = False,
) -> jraph.GraphsTuple:
    """The graph of a list of links; nothing of the size UEs times BSs is made.

    Args:
        snr: at full power, linear.
        ue: UE of every edge, in ascending order.
        bs: BS of every edge.
        macro: which BSs are macros.
        num_ues: I.
        rate_floor: of proportional fairness, bit/s/Hz.
        fair: whether the utility is proportionally fair.
    """
    snr, macro = jnp.asarray(snr), jnp.asarray(macro)
    nodes = {"macro": jnp.concatenate([jnp.zeros(num_ues, bool), macro])}
    return jraph.GraphsTuple(
        nodes=nodes,
        edges={"snr": snr},
        senders=jnp.asarray(ue, jnp.int32),
        receivers=jnp.asarray(bs, jnp.int32) + num_ues,
        n_node=jnp.asarray([num_ues + macro.shape[0]], jnp.int32),
        n_edge=jnp.asarray([snr.shape[0]], jnp.int32),
        globals={"rate_floor": jnp.asarray(rate_floor)[None], "fair": jnp.asarray(fair)[None]},
    )


def graph_features(problem: AssociationProblem, num_edges: int | None = None) -> jraph.GraphsTuple:
    """The graph of a problem, in place of `wirelax.policies.association.link_features`.

    Args:
        problem: whose links are the edges.
        num_edges: edges that there is room for (static), the rest of them at a graph of one node that pads; links
            beyond that are lost. None counts them, outside of jit.
    """
    ues, bss = problem.snr.shape
    padded = num_edges is not None
    count = num_edges if num_edges is not None else int((problem.snr > 0).sum())
    ue, bs = jnp.nonzero(problem.snr > 0, size=count, fill_value=(ues + bss, bss))
    snr = jnp.where(ue < ues, problem.snr[jnp.minimum(ue, ues - 1), jnp.minimum(bs, bss - 1)], 0.0)
    fair = problem.objective == "proportional-fair"
    floor = problem.rate_floor
    graph = graph_of_edges(snr, ue, bs, problem.macro, num_ues=ues, rate_floor=floor, fair=fair)
    if not padded:
        return graph
    used = (ue < ues).sum(dtype=jnp.int32)
    return graph._replace(
        nodes={"macro": jnp.append(SparseLinks(graph).graph.nodes["macro"], False)},
        n_node=jnp.asarray([ues + bss, 1], jnp.int32),
        n_edge=jnp.stack([used, count - used]),
        globals=jax.tree.map(lambda x: jnp.repeat(x, 2), graph.globals),
    )


def graph_share(graph: jraph.GraphsTuple, logits: Float[Array, " edge"], temperature: ArrayLike) -> Array:
    """Softmax over the links of every UE of logits with mean 0 and deviation 1 there, as for arrays [ue, bs].

    Args:
        graph: of the links.
        logits: of every edge.
        temperature: that divides the logits.

    Returns:
        x, how far the BS of every edge serves its UE, [edge]; 0 where the SNR is 0.
    """
    links = SparseLinks(graph)
    count = jnp.maximum(links.degree("ue"), 1)
    centred = logits - links.spread(links.sum(logits, "ue") / count, "ue")
    variance = links.sum(centred**2, "ue") / count
    scaled = centred / links.spread(jnp.sqrt(variance + SMALLEST_DEVIATION**2), "ue") / temperature
    weight = jnp.exp(scaled - jax.lax.stop_gradient(links.spread(links.max(scaled, "ue"), "ue")))
    total = jnp.maximum(links.sum(weight, "ue"), jnp.finfo(weight.dtype).tiny)
    return jnp.where(links.snr > 0, weight / links.spread(total, "ue"), 0.0)


def relaxed_graph_rates(
    graph: jraph.GraphsTuple, share: Float[Array, " edge"], power: Float[Array, " node"], *, gate: bool = True
) -> Float[Array, " node"]:
    """Rates under a soft association, as `wirelax.problems.AssociationProblem.relaxed_rates`.

    Args:
        graph: of the links.
        share: how far the BS of every edge serves its UE.
        power: share of the budget of every BS; of other nodes it does not matter.
        gate: BSs are silent as far as they have no UE.

    Returns:
        bit/s/Hz; 0 for the nodes that are no UEs.
    """
    links = SparseLinks(graph)
    power = power * edge_activity(share, links.bs, links.num_nodes) if gate else power
    return relaxed_edge_rates(share, links.snr, power, links.ue, links.bs, links.num_nodes, 1.0)


def graph_choice(
    outputs: Mapping[str, Array], graph: jraph.GraphsTuple, *, num_ues: int, num_bss: int
) -> tuple[Int[Array, " ue"], Float[Array, " bs"]]:
    """What outputs on a graph decide, without an array of UEs times BSs.

    Args:
        outputs: ``logits`` [edge] and ``power`` [node].
        graph: of the links, one network and its padding.
        num_ues: I (static).
        num_bss: J (static).

    Returns:
        The BS of every UE, -1 for one without a link, and shares of the power budgets with 0 for BSs without a UE:
        what `wirelax.problems.AssociationProblem.allocation` takes.
    """
    links, logits = SparseLinks(graph), outputs["logits"]
    best = logits == links.spread(links.max(logits, "ue"), "ue")
    last = jnp.iinfo(jnp.int32).max
    bs = jnp.where(best & (links.snr > 0), links.bs - num_ues, last)
    first = jraph.segment_min(bs, links.ue, links.num_nodes, indices_are_sorted=True)[:num_ues]
    association = jnp.where(first < last, first, -1)
    power = jax.nn.sigmoid(jnp.clip(outputs["power"], -MOST_POWER_LOGIT, MOST_POWER_LOGIT))
    load = jnp.zeros(num_bss, jnp.int32).at[association].add(jnp.where(association >= 0, 1, 0))
    return association, jnp.where(load > 0, power[num_ues : num_ues + num_bss], 0.0)
