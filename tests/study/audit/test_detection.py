"""The experiment on detectability with methods whose effect on a signal is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import find_source
from xbdcnn.data.source import Source
from xbdcnn.models import Denoised
from xbdcnn.noise import noise_variance
from xbdcnn.study import equal_dose, observers
from xbdcnn.study.audit import detection, experiments
from xbdcnn.study.scoring import BEFORE

METHODS = {
    "blur": lambda f, eta, sigma: Denoised(gaussian_filter(f, 3)),
    "half": lambda f, eta, sigma: Denoised(0.25 + 0.5 * f),
}


@pytest.fixture(scope="module")
def source() -> Source:
    return find_source("builtin")


@pytest.fixture
def table(source, monkeypatch):
    monkeypatch.setattr(detection, "collect_methods", lambda *args, only: dict(METHODS))
    return detection.detectability(source, count=2, draws=3, etas=(1.6, 409.6))


def test_fields_are_within_the_grey_range_and_from_the_image(source):
    image = source.images("test")[0]
    field = detection.quiet_field(image, np.random.default_rng(0))
    assert field.shape == (112, 112) and field.min() >= 0.1 and field.max() <= 0.9
    with pytest.raises(XbdcnnError, match=r"no field of 112 pixels within 0\.1 to 0\.9"):
        detection.quiet_field(np.zeros((130, 130), np.float32), np.random.default_rng(0), tries=3)


def test_windows_of_the_signals_do_not_overlap_and_are_inside():
    centres = detection.places()
    assert len(centres) == 9 and detection.STEP > 2 * observers.HALF
    assert centres.min() >= observers.HALF and centres.max() < 112 - observers.HALF


@pytest.mark.parametrize("name", ["disc", "nodule"])
def test_signals_have_the_stated_contrast_at_all_places_only(name):
    flat = np.full((112, 112), 0.5, np.float32)
    added = 255 * (detection.with_signals(flat, name, 0.4) - flat)
    contrast = detection.signal_contrast(name, 0.4)
    assert [added[tuple(c)] for c in detection.places()] == pytest.approx([contrast] * 9, rel=1e-4)
    assert np.abs(added[:14]).max() < 0.05 * contrast
    np.testing.assert_array_equal(detection.with_signals(flat, detection.ABSENT, 0.4), flat)


def test_unrestored_images_have_the_detectability_and_error_of_theory(table):
    before = table[(table["method"] == BEFORE)]
    assert len(table) == 2 * 3 * 2 * 2 and set(before["signal"]) == {"disc", "nodule"}
    for (eta, signal), rows in before.groupby(["eta", "signal"]):
        variance = noise_variance(rows["mean"].mean() / 255, eta, 1.0)
        shape = detection.SIGNALS[signal]
        ideal = observers.white_noise_d_prime(shape, rows["contrast"].iloc[0], variance)
        found = rows["matched_response"].mean() / np.sqrt(rows["matched_variance"].mean())
        assert found == pytest.approx(ideal, rel=0.25)  # 54 pairs
        assert rows["mse"].mean() == pytest.approx(variance, rel=0.1)
        assert rows["pixel_variance"].mean() == pytest.approx(variance, rel=0.1)


def test_a_blur_gains_contrast_to_noise_and_no_detectability(table):
    scores = equal_dose.summarise(table, "nodule").pivot_table(
        index=["method", "eta"], columns="score", values="value"
    )
    blurred = scores.loc["blur", 1.6]
    assert blurred["cnr ratio"] > 2 and blurred["gain"] > 3
    assert blurred["matched ratio"] < 1.05 and blurred["hotelling ratio"] < 1.3  # 54 pairs
    assert scores.loc["blur", 409.6]["gain"] < 0


def test_less_contrast_of_image_and_noise_changes_the_error_only(table):
    scores = equal_dose.summarise(table, "disc").set_index(["method", "eta", "score"])["value"]
    for score in ("cnr ratio", "matched ratio", "hotelling ratio", "unknown ratio"):
        assert scores["half", 1.6, score] == pytest.approx(1, abs=1e-3)
    assert scores["half", 409.6, "gain"] < -10


def test_the_measurement_is_an_experiment_with_the_compared_networks():
    assert experiments.EXPERIMENTS["detectability"] is detection.detectability
    assert detection.METHODS == ("specialist", "generalist", "xbdcnn", "dncnn", "GAT+BM3D")
