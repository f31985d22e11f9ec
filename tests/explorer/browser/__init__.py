"""A package, so that the fixtures of its conftest.py end with its last test."""
