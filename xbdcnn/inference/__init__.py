"""Inference: trained networks and classical methods applied to radiographs."""
