"""Reproduction: execute the notebooks, and repeat a recorded reproduction."""
