"""What the commands say about the estimated noise, and their warnings."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from xbdcnn.cli.wording import describe_levels, edge_warning, format_estimate
from xbdcnn.inference.restoring import Levels
from xbdcnn.inference.successor import NoiseEstimate

ESTIMATE = NoiseEstimate(Levels(0.6, 10.0), Levels(0.55, 9.0), Levels(0.66, 11.0), 0.25, 0.1)
IMAGE = np.zeros((16, 16), np.float32)


def test_an_estimate_is_told_with_intervals_and_the_noise_at_mid_grey():
    assert format_estimate(ESTIMATE) == (
        "eta 0.6 [0.55, 0.66], sigma 10 [9, 11], correlation 0.25 +- 0.10, "
        "17.7 grey levels of noise at mid grey"
    )


def test_an_unlimited_eta_is_told_as_inf():
    unlimited = ESTIMATE._replace(highest=Levels(4e11, 2.0))
    assert "eta 0.6 [0.55, inf]" in format_estimate(unlimited)


def test_a_level_estimator_is_asked_unless_levels_are_given():
    network = SimpleNamespace(measure=lambda image: ESTIMATE, level_error=None)
    levels = Levels(0.6, 10.0)
    assert describe_levels(network, IMAGE, levels, given=False) == format_estimate(ESTIMATE)
    assert describe_levels(network, IMAGE, levels, given=True) == "eta 0.60, sigma 10.0 (as given)"
    del network.measure
    assert "not measured" in describe_levels(network, IMAGE, levels, given=False)


@pytest.mark.parametrize(
    ("levels", "training", "words"),
    [
        ((1.91, 0.0), "paper", "weaker than mine was trained for; it may remove more structure"),
        ((0.3, 30.0), "radiographs", "stronger than mine was trained for; it may leave noise"),
    ],
)
def test_estimates_at_the_edge_of_the_training_come_with_a_remedy(levels, training, words):
    network = SimpleNamespace(name="mine", training_noise=training)
    text = edge_warning(network, Levels(*levels))
    assert text.startswith("; warning: the noise may be ") and words in text


def test_no_warning_inside_the_training_and_without_an_estimate():
    network = SimpleNamespace(name="mine", training_noise="paper")
    assert edge_warning(network, Levels(0.6, 10.0)) == edge_warning(network, None) == ""
