"""User association and power in a heterogeneous ultra-dense network."""
