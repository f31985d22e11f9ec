"""What every test shares: few threads, fixed seeds, no display."""

from __future__ import annotations

import os
import random

# Set before anything imports matplotlib: tests draw to memory, never to a screen.
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
import torch

# More threads than cores slow small convolutions down.
torch.set_num_threads(min(2, os.cpu_count() or 1))


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """Start every test from the same random state, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  (libraries under test may draw from the legacy state)
    torch.manual_seed(0)
