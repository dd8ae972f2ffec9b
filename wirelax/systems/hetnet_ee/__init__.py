"""Energy-efficient subchannel and power allocation in a HetNet."""
