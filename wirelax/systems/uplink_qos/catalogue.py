"""What the uplink QoS system offers, in one line each. Imports nothing heavy."""

from __future__ import annotations

from wirelax.systems.catalogue import Entry

__all__ = ["METHODS", "RECIPES", "SUMMARY"]

SUMMARY = "fewest uplink RBs for users with a long- and a short-blocklength service"

_METHOD, _POLICY = "wirelax.systems.uplink_qos.methods:method", "wirelax.systems.uplink_qos.methods:policy"
METHODS = {
    "optimal": Entry("the paper's optimum of one user", _METHOD),
    "numerical": Entry("the paper's heuristic for many users: RBs in turns, the optimum on every own set", _METHOD),
    "exhaustive": Entry("every set of RBs of every user, up to 10 RBs", _METHOD),
    "search": Entry("exact up to 10 RBs, beyond the best of many turn takings and exchanges", _METHOD),
}

_RECIPE = "wirelax.systems.uplink_qos.recipes:recipe"
RECIPES = {}
