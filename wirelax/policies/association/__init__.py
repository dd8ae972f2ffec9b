"""Policies for association and power: features of links, networks, and the head that makes allocations."""
