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
    "learned": Entry("RBs in turns, a network in place of the optimum, any size", _POLICY),
    "learned+repair": Entry("learned, then made to serve every user", _POLICY),
    "prop-learn": Entry("the paper's network, adaptive smoothing, primal-dual", _POLICY),
    "prop-learn+repair": Entry("prop-learn, then made to serve every user", _POLICY),
}

_RECIPE = "wirelax.systems.uplink_qos.recipes:recipe"
RECIPES = {
    "learned": Entry(
        "a network that says when a user has enough RBs, any size", "wirelax.systems.uplink_qos.acceptance:recipe"
    ),
    "prop-learn": Entry("the paper's network, adaptive smoothing, primal-dual", _RECIPE),
    "unsorted": Entry("prop-learn on RBs as they come, not in turn order", _RECIPE),
    "fixed-parameter": Entry("prop-learn with fixed sharpnesses", _RECIPE),
    "annealing": Entry("prop-learn with sharpnesses that grow", _RECIPE),
    "default-constr": Entry("prop-learn with constraints as they are in the Lagrangian, no penalty", _RECIPE),
    "incr-require": Entry("default-constr on stricter targets", _RECIPE),
    "fixed-multi-10": Entry("violations at a fixed price of 10", _RECIPE),
    "fixed-multi-100": Entry("violations at a fixed price of 100", _RECIPE),
}
