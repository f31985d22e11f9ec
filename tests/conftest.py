"""Settings of all tests: few threads, fixed seeds, no display; long files first in parallel."""

from __future__ import annotations

import os
import random
from pathlib import Path

from xbdcnn.inference.weights import build_network, save_weights

# Set before matplotlib is imported: tests draw to memory, not to a screen.
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
import torch

from xbdcnn.models import Recipe

PARALLEL = "PYTEST_XDIST_WORKER" in os.environ
"""Whether this process is one of several that run tests at the same time."""

# More threads than cores make small convolutions slower.
torch.set_num_threads(1 if PARALLEL else min(2, os.cpu_count() or 1))

LONGEST = {"browser", "test_notebooks.py", "test_kills.py", "test_book.py"}
"""Folders and files of tests that take minutes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin a parallel run with the longest files, so that no process waits for one at its end."""
    if PARALLEL:
        items.sort(key=lambda item: LONGEST.isdisjoint((item.path.parent.name, item.path.name)))


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """Start every test from the same random state, independent of earlier tests."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 (for packages that use the global generator)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """Write the untrained weights of a narrow network."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    recipe = Recipe(width=8)
    save_weights(build_network("xbdcnn", recipe), path, "xbdcnn", recipe, name="tiny")
    return path
