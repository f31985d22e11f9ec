"""Shared foundations of the package: errors, files, memory and provenance."""
