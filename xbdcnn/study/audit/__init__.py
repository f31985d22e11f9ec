"""The audit: what the paper's numbers can and cannot mean, one computed verdict per point."""
