"""What every test shares: few threads, fixed seeds, no display."""

from __future__ import annotations

import os
import random
from pathlib import Path

from xbdcnn.inference.weights import build_network, save_weights

# Set before anything imports matplotlib: tests draw to memory, never to a screen.
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
import torch

from xbdcnn.models import Recipe

# More threads than cores slow small convolutions down.
torch.set_num_threads(min(2, os.cpu_count() or 1))


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """Start every test from the same random state, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """Untrained weights of a narrow network: enough to tell files from files."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    recipe = Recipe(width=8)
    save_weights(build_network("xbdcnn", recipe), path, "xbdcnn", recipe, name="tiny")
    return path
