"""The audit of the paper: one computed verdict for each disputed point."""
