"""Power allocation and user scheduling in downlink NOMA."""
