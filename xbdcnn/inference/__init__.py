"""Trained networks and classical methods in use on radiographs."""
