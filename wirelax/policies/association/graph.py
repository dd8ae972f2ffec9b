"""The links of a downlink for networks that live on them: as arrays [ue, bs], or as the edges of a graph.

A network that asks `DenseLinks` or `SparseLinks` for sums, means and maxima over the links of a UE or a BS, and for
nothing else, runs on both with the same weights and the same outputs; the memory of the second is linear in the links.
Links that do not exist take no part in anything.

Graphs are ``jraph.GraphsTuple``: the UEs are the first nodes and the BSs the others, edges go from UEs ("senders") to
BSs ("receivers") in the order of the UEs. Batches of them, padded ones too, are graphs side by side (``jraph.batch``,
``jraph.pad_with_graphs``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from wirelax.kernels import edge_activity, edge_interference, interference, relaxed_edge_rates
from wirelax.policies.association.features import SMALLEST_SNR, UNIT, LinkFeatures
from wirelax.policies.association.heads import MOST_POWER_LOGIT, SMALLEST_DEVIATION
from wirelax.problems import AssociationProblem

__all__ = [
    "DenseLinks",
    "End",
    "Links",
    "SparseLinks",
    "graph_choice",
    "graph_features",
    "graph_of_edges",
    "graph_share",
    "link_inputs",
    "links_of",
    "mean_and_max",
    "relaxed_graph_rates",
]

End = Literal["ue", "bs"]
"""One of the two ends of a link."""


@dataclass(frozen=True)
class DenseLinks:
    """All pairs of a UE and a BS; values of links are [ue, bs, ...], of UEs [ue, ...], of BSs [bs, ...]."""

    features: LinkFeatures

    @property
    def exists(self) -> Bool[Array, "ue bs"]:
        """Which pairs are links."""
        return self.features["reach"]

    @property
    def snr(self) -> Float[Array, "ue bs"]:
        """At full power, linear."""
        return self.features["snr"]

    @property
    def macro(self) -> Bool[Array, "ue bs"]:
        """Whether the BS is a macro."""
        return jnp.broadcast_to(self.features["macro"], self.exists.shape)

    def where(self, values: Array, otherwise: float = 0.0) -> Array:
        """Values, and another number where there is no link."""
        exists = self.exists.reshape(*self.exists.shape, *[1] * (values.ndim - 2))
        return jnp.where(exists, values, otherwise)

    def degree(self, end: End) -> Int[Array, " node"]:
        """Links of every UE or every BS."""
        return self.exists.sum(_axis(end))

    def sum(self, values: Array, end: End) -> Array:
        """Over the links of every UE or every BS."""
        return self.where(values).sum(_axis(end))

    def max(self, values: Array, end: End) -> Array:
        """Over the links of every UE or every BS; 0 without any."""
        # By its place: the slope of a maximum compares values that XLA may compute anew and round otherwise.
        axis = _axis(end)
        place = jnp.argmax(self.where(jax.lax.stop_gradient(values), -jnp.inf), axis, keepdims=True)
        here = jax.lax.broadcasted_iota(place.dtype, values.shape, axis) == place
        return jnp.where(here, self.where(values), 0.0).sum(axis)

    def spread(self, nodes: Array, end: End) -> Array:
        """What every UE or BS has, at each of its links."""
        return jnp.expand_dims(nodes, _axis(end))

    def others(self, values: Float[Array, "ue bs"]) -> Float[Array, "ue bs"]:
        """Sum over the other links of the UE, without a subtraction."""
        return self.where(interference(self.where(values)))

    def overall(self, nodes: Array, end: End) -> Array:
        """Mean over the UEs or the BSs that have a link."""
        return _mean_of_linked(nodes, self.degree(end), lambda x: x.sum(0))

    def everywhere(self, values: Array) -> Array:
        """What the whole network has, at every link."""
        return values


@dataclass(frozen=True)
class SparseLinks:
    """The edges of a graph; values of links are [edge, ...], of UEs and BSs [node, ...] with all nodes."""

    graph: Any  # a jraph.GraphsTuple, whose fields have types too wide to be of use

    @property
    def ue(self) -> Int[Array, " edge"]:
        """Node of the UE of every link, in ascending order."""
        return self.graph.senders

    @property
    def bs(self) -> Int[Array, " edge"]:
        """Node of the BS of every link."""
        return self.graph.receivers

    @property
    def snr(self) -> Float[Array, " edge"]:
        """At full power, linear."""
        return self.graph.edges["snr"]

    @property
    def macro(self) -> Bool[Array, " edge"]:
        """Whether the BS is a macro."""
        return self.graph.nodes["macro"][self.bs]

    @property
    def num_nodes(self) -> int:
        """UEs and BSs and whatever pads them."""
        return self.graph.nodes["macro"].shape[0]

    @property
    def graph_of_node(self) -> Int[Array, " node"]:
        """The graph that every node belongs to."""
        count = self.graph.n_node
        return jnp.repeat(jnp.arange(count.shape[0]), count, total_repeat_length=self.num_nodes)

    def where(self, values: Array, otherwise: float = 0.0) -> Array:
        """Values: all edges exist."""
        return values

    def _ends(self, end: End) -> Array:
        return self.ue if end == "ue" else self.bs

    def degree(self, end: End) -> Int[Array, " node"]:
        """Links of every node at this end of them."""
        return self.sum(jnp.ones_like(self.ue), end)

    def sum(self, values: Array, end: End) -> Array:
        """Over the links of every node at this end of them."""
        return jraph.segment_sum(values, self._ends(end), self.num_nodes, indices_are_sorted=end == "ue")

    def max(self, values: Array, end: End) -> Array:
        """Over the links of every node at this end of them; 0 without any."""
        top = jraph.segment_max(values, self._ends(end), self.num_nodes, indices_are_sorted=end == "ue")
        return jnp.where(jnp.isneginf(top), 0.0, top)

    def spread(self, nodes: Array, end: End) -> Array:
        """What every node has, at each of its links."""
        return nodes[self._ends(end)]

    def others(self, values: Float[Array, " edge"]) -> Float[Array, " edge"]:
        """Sum over the other links of the UE, without a subtraction."""
        return edge_interference(values, self.ue)

    def overall(self, nodes: Array, end: End) -> Array:
        """Mean over the UEs or the BSs that have a link, for every graph [graph, ...]."""
        graphs = self.graph_of_node
        total = lambda x: jraph.segment_sum(x, graphs, self.graph.n_node.shape[0])  # noqa: E731
        return _mean_of_linked(nodes, self.degree(end), total)

    def everywhere(self, values: Array) -> Array:
        """What every graph has, at each of its links."""
        return values[self.graph_of_node[self.ue]]


Links = DenseLinks | SparseLinks


def _axis(end: End) -> int:
    return 1 if end == "ue" else 0


def _mean_of_linked(nodes: Array, degree: Array, total: Any) -> Array:
    linked = degree > 0
    count = total(linked.astype(nodes.dtype))
    summed = total(jnp.where(linked[:, None], nodes, 0.0))
    return summed / jnp.maximum(count, 1.0)[..., None]


def links_of(features: LinkFeatures | jraph.GraphsTuple) -> Links:
    """The links in features of either kind."""
    return SparseLinks(features) if isinstance(features, jraph.GraphsTuple) else DenseLinks(features)


def mean_and_max(links: Links, values: Array, end: End) -> Array:
    """Mean and maximum over the links of every UE or every BS, side by side; 0 without any."""
    count = jnp.maximum(links.degree(end), 1)[:, None]
    return jnp.concatenate([links.sum(values, end) / count, links.max(values, end)], -1)


def link_inputs(links: Links) -> Float[Array, "*link input"]:
    """The numbers of `wirelax.policies.association.features.edge_inputs` for links of either kind."""
    level = links.where(jnp.log(jnp.maximum(links.snr, SMALLEST_SNR)) / UNIT)
    inputs = [level]
    ends: tuple[End, End] = ("ue", "bs")
    tops = [links.spread(links.max(level, end), end) for end in ends]
    inputs += [level - top for top in tops]
    for end, top in zip(ends, tops, strict=True):
        # The maximum first, as in a logsumexp: nothing underflows.
        total = links.sum(jnp.exp((level - top) * UNIT), end)
        inputs.append(level - top - links.spread(jnp.log(jnp.maximum(total, 1.0)), end) / UNIT)
    inputs.append(links.macro.astype(level.dtype))
    return links.where(jnp.stack(inputs, -1))


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
