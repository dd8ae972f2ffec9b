"""Uplink RBs and powers for users with a long- and a short-blocklength service each."""
