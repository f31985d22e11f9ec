"""Which estimated levels count as at the edge of a network's training."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xbdcnn.inference.restoring import Levels
from xbdcnn.inference.trained_range import STRONGEST, WEAKEST, edge_of_training
from xbdcnn.models import BALANCED
from xbdcnn.successor import FULL

SPECIALIST = replace(FULL, noise="paper")


@pytest.mark.parametrize("recipe", [BALANCED, SPECIALIST])
@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((1.0, 10.0), None),
        ((1.7, 18.0), None),
        ((1.89, 3.0), WEAKEST),
        ((0.41, 3.0), STRONGEST),
        ((1.0, 19.8), STRONGEST),
    ],
)
def test_edges_of_the_papers_range(recipe, levels, expected):
    assert edge_of_training(Levels(*levels), recipe) == expected


@pytest.mark.parametrize(
    ("levels", "expected"),
    [((1e6, 0.1), None), ((0.3, 20.0), None), ((0.15, 20.0), STRONGEST), ((1e6, 34), STRONGEST)],
)
def test_noise_of_radiographs_has_a_strong_edge_only(levels, expected):
    assert edge_of_training(Levels(*levels), FULL) == expected
