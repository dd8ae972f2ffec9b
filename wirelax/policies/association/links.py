"""The links of a downlink for networks that live on them: as arrays [ue, bs], or as the edges of a graph.

A network that asks `DenseLinks` or `SparseLinks` for sums, means and maxima over the links of a UE or a BS, and for
nothing else, runs on both with the same weights and the same outputs; the memory of the second is linear in the links.
Links that do not exist take no part in anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import jraph
from jaxtyping import Array, Bool, Float, Int

from wirelax.policies.association.features import SMALLEST_SNR, UNIT, LinkFeatures

__all__ = ["DenseLinks", "End", "Links", "SparseLinks", "link_inputs", "links_of", "mean_and_max"]

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
        ends = jnp.cumsum(self.graph.n_node)
        graph = jnp.searchsorted(ends, jnp.arange(self.num_nodes, dtype=ends.dtype), side="right")
        return jnp.minimum(graph, len(ends) - 1)

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
