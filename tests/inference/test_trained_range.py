"""Warnings of estimates at the edge of a network's training, with the remedy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from torch import nn

from xbdcnn.inference.restoring import Levels, Pretrained
from xbdcnn.inference.trained_range import AVERAGE, EDGES, GENERALIST, REMEDIES, edge_warning
from xbdcnn.measured_noise import training_mismatches
from xbdcnn.measured_noise.report import NoiseAt, NoiseReport
from xbdcnn.models import BALANCED
from xbdcnn.successor import FULL

X_BDCNN, SPECIALIST, GENERAL = (
    Pretrained(nn.Identity(), recipe, {"name": "mine"})
    for recipe in (BALANCED, replace(FULL, noise="paper"), FULL)
)


@pytest.mark.parametrize(
    ("network", "levels", "correlation", "edge", "remedy"),
    [
        (X_BDCNN, (1.91, 0.4), 0.0, "weaker", GENERALIST),
        (X_BDCNN, (0.27, 21.5), 0.0, "stronger", AVERAGE),
        (SPECIALIST, (100.0, 1.0), 0.5, "weaker", GENERALIST),
        (SPECIALIST, (0.6, 10.0), 0.5, "correlated", GENERALIST),
        (GENERAL, (0.3, 30.0), 0.0, "stronger", AVERAGE),
    ],
)
def test_an_estimate_at_an_edge_comes_with_a_remedy(network, levels, correlation, edge, remedy):
    warning = edge_warning(network, Levels(*levels), correlation)
    assert warning.startswith(f"warning: {EDGES[edge].format('mine')}; ")
    assert warning.endswith(f", so {remedy}")


@pytest.mark.parametrize(
    ("network", "levels", "correlation"),
    [
        (X_BDCNN, (0.6, 10.0), 0.0),
        (SPECIALIST, (0.6, 10.0), 0.05),
        (GENERAL, (1e6, 0.1), 0.0),
        (GENERAL, (0.4, 20.0), 0.8),
    ],
)
def test_no_warning_inside_the_training(network, levels, correlation):
    assert edge_warning(network, Levels(*levels), correlation) == ""


def test_no_warning_without_an_estimate():
    assert edge_warning(X_BDCNN, None) == ""


@pytest.mark.parametrize("training", ["paper", "radiographs"])
def test_every_mismatch_with_a_training_has_a_remedy(training):
    extremes = [NoiseReport((NoiseAt(127.0, noise),) * 3, 9.0) for noise in (0.01, 90.0)]
    found = {name for report in extremes for name in training_mismatches(report, training)}
    assert found == REMEDIES[training].keys()
