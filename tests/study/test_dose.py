"""Simulated lower doses have the noise that they should; repeated exposures have a known error."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, median_filter

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import builtin_fields, builtin_radiograph, load_exposures
from xbdcnn.data.builtin import field_slices
from xbdcnn.measured_noise import neighbour_correlation, noise_power_spectrum, noise_report
from xbdcnn.study import dose
from xbdcnn.study.detectors import stored_chest
from xbdcnn.study.dose import (
    DoseCase,
    chest_doses,
    corrected_flats,
    display_chest,
    dose_scores,
    exposure_scores,
    lower_dose,
    unit_noise,
)

SIDE, BLUR = 384, 0.7
RAMP = np.broadcast_to(np.linspace(0.3, 0.7, SIDE), (SIDE, SIDE))
LAW = (1 + 2 * RAMP) / 255
METHODS = {
    "identity": lambda f: f,
    "blur": lambda f: gaussian_filter(f, 2),
    "median": lambda f: median_filter(f, 3),
}


def exposed() -> np.ndarray:
    """A ramp with correlated noise whose strength depends on the grey level."""
    return RAMP + LAW * unit_noise(RAMP.shape, BLUR, np.random.default_rng(0))


@pytest.fixture(scope="module")
def lower() -> np.ndarray:
    return lower_dose(exposed(), 1 / 4, np.random.default_rng(1))


def test_variance_at_a_lower_dose_is_that_of_the_law_divided_by_the_fraction(lower):
    noise = (lower - RAMP) / LAW
    for part in np.array_split(noise, 4, axis=1):  # from dark to bright
        assert part.var() == pytest.approx(4, rel=0.08)
    assert noise.var() == pytest.approx(4, rel=0.04)


def test_correlation_and_spectrum_at_a_lower_dose_are_those_of_the_exposure(lower):
    before, after = ((image - RAMP) / LAW for image in (exposed(), lower))
    np.testing.assert_allclose(
        neighbour_correlation(after), neighbour_correlation(before), atol=0.02
    )
    spectra = [noise_power_spectrum(noise)[1] for noise in (before, after)]
    low, high = slice(0, 10), slice(-10, None)
    for band in (low, high):
        assert spectra[1][band].sum() / spectra[0][band].sum() == pytest.approx(4, rel=0.15)
    assert spectra[0][low].sum() > 5 * spectra[0][high].sum()


def test_stored_integers_and_grey_levels_get_the_same_noise():
    stored = np.rint(exposed() * 65535).astype(np.uint16)
    of_stored = lower_dose(stored, 1 / 4, np.random.default_rng(1)) / 65535
    of_grey = lower_dose(stored / 65535, 1 / 4, np.random.default_rng(1))
    np.testing.assert_allclose(of_stored, of_grey, atol=1e-9)


def test_full_dose_is_the_image_itself():
    np.testing.assert_allclose(lower_dose(exposed(), 1, np.random.default_rng(0)), exposed())


@pytest.mark.parametrize("fraction", [0.0, -1.0, 1.5, np.nan])
def test_a_dose_outside_the_possible_is_an_error(fraction):
    with pytest.raises(XbdcnnError, match="choose a dose above 0, at most 1"):
        lower_dose(exposed(), fraction, np.random.default_rng(0))


def test_an_image_whose_noise_is_unknown_is_an_error():
    with pytest.raises(XbdcnnError, match="use a larger radiograph"):
        lower_dose(exposed()[:64, :64], 0.5, np.random.default_rng(0))


def test_unit_noise_has_variance_one_at_any_blur():
    for blur in (0.0, 1.0):
        assert unit_noise((64, 64), blur, np.random.default_rng(0)).std() == pytest.approx(1)


def test_display_and_fields_are_those_of_the_builtin_radiograph():
    full = display_chest(stored_chest())
    np.testing.assert_allclose(full, builtin_radiograph(), atol=1e-6)
    for field, place in zip(builtin_fields("table2"), field_slices("table2"), strict=True):
        np.testing.assert_allclose(full[place], field, atol=1e-6)


@pytest.fixture
def small_chest(monkeypatch):
    """A quarter of the built-in radiograph with one small field, to save time."""
    part = stored_chest()[480:992, 640:1152]
    monkeypatch.setattr(dose, "stored_chest", lambda: part)
    monkeypatch.setattr(dose, "field_slices", lambda split: [(slice(448), slice(448))])


def test_lower_doses_of_the_chest_have_more_noise_and_the_same_grey_level(small_chest):
    half, sixteenth = chest_doses(fractions=(1 / 2, 1 / 16))
    assert [half.image, half.fraction, sixteenth.fraction] == ["field-0", 1 / 2, 1 / 16]
    assert np.array_equal(half.full, sixteenth.full) and half.lower.dtype == np.float32
    noises = [np.std(case.lower - case.full) for case in (half, sixteenth)]
    assert noises[1] / noises[0] == pytest.approx(np.sqrt(15), rel=0.1)
    assert 0 < np.mean(sixteenth.lower - half.full) < 2 / 255  # the logarithm is concave
    levels = noise_report(half.full).levels[1], noise_report(sixteenth.lower).levels[1]
    assert levels[1].noise == pytest.approx(4 * levels[0].noise, rel=0.2)


@pytest.fixture(scope="module")
def scores():
    """Scores of a uniform scene whose noise is 2 grey levels, 8 at a sixteenth of the dose."""
    clean = np.full((256, 256), 0.5)
    noise = np.random.default_rng(3).normal(0, 2 / 255, (2, *clean.shape))
    full = clean + noise[0]
    lower = full + np.sqrt(15) * noise[1]
    case = DoseCase("flat", 1 / 16, full.astype(np.float32), lower.astype(np.float32))
    return dose_scores([case], METHODS).set_index("method")


def test_scores_of_the_unrestored_image_follow_from_the_dose(scores):
    identity = scores.loc["identity"]
    assert identity["psnr"] == pytest.approx(20 * np.log10(255 / (2 * np.sqrt(15))), abs=0.1)
    assert identity["detectability"] == pytest.approx(1 / 4, rel=0.2)
    assert identity["kept"] == pytest.approx(1, abs=0.01) and identity["anatomy"] == 0


def test_smoothing_raises_psnr_and_loses_contrast(scores):
    assert (
        scores.loc["blur", "psnr"] > scores.loc["median", "psnr"] > scores.loc["identity", "psnr"]
    )
    assert scores.loc["blur", "kept"] < 0.9
    assert (scores["detectability"] < 0.5).all()


@pytest.fixture(scope="module")
def frames():
    return corrected_flats(load_exposures("k11"))


def test_corrected_flats_are_uniform_apart_from_their_noise(frames):
    assert frames.shape == (50, 22, 26) and frames.dtype == np.float32
    assert frames.min() > 0 and frames.max() < 1
    mean = frames.mean(axis=0)
    assert mean.mean() == pytest.approx(0.5, abs=0.01)
    # The mean of 50 frames and the gain from 50 others have a fiftieth of the variance each.
    assert mean.std() < 0.4 * frames.std(axis=0).mean()


def test_a_narrow_window_makes_the_noise_strong(frames):
    wide = corrected_flats(load_exposures("k11"), window=(0.5, 1.5))
    assert frames.std(axis=0).mean() == pytest.approx(5 * wide.std(axis=0).mean(), rel=0.01)


@pytest.mark.parametrize("name", ["tooth", "savu-pco2"])
def test_detectors_with_few_rows_or_flats_are_an_error(name):
    with pytest.raises(XbdcnnError, match=r"flats of shape .*k11"):
        corrected_flats(load_exposures(name))


def test_errors_of_real_exposures_follow_from_their_noise(frames):
    rows = exposure_scores(frames, METHODS, count=10)
    assert len(rows) == 30 and set(rows["image"]) == set(range(10))
    rmse = rows.groupby("method")["rmse"].mean()
    noise = 255 * np.sqrt(frames.var(axis=0, ddof=1).mean())
    assert rmse["identity"] == pytest.approx(noise * np.sqrt(1 + 1 / 49), rel=0.05)
    assert rows["reference_noise"].mean() == pytest.approx(noise / 7, rel=0.05)
    assert rmse["blur"] < rmse["median"] < rmse["identity"]


def test_two_frames_are_too_few(frames):
    with pytest.raises(XbdcnnError, match="2 frames: give at least three"):
        exposure_scores(frames[:2], METHODS)
