from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.exposures import DETECTORS, Exposures, load_exposures
from xbdcnn.data.source import find_source
from xbdcnn.detector import scintillator_blur
from xbdcnn.measured_noise import NoiseBins, fit_laws
from xbdcnn.measured_noise.photon_transfer import ROUNDING, undo_rounding
from xbdcnn.study import detectors
from xbdcnn.study.detector_noise import (
    BLOCK,
    NoiseMeasurement,
    measure_exposures,
    measure_radiograph,
    noise_map,
    relative_spectrum,
    row_spectrum,
    smooth_blocks,
    standardised_noise,
)

RNG = np.random.default_rng


def white_noise(*shape: int, blur: float = 0.0) -> np.ndarray:
    noise = torch.from_numpy(RNG(0).normal(size=shape))
    return scintillator_blur(noise[:, None], blur)[:, 0].numpy()


def simulated_exposures(gain: float, electronic: float, count: int = 12) -> Exposures:
    """Flats with 50 to 1000 quanta per pixel and 1 % flicker, and darks around 100 counts."""
    rng, shape = RNG(1), (count, 64, 96)
    quanta = np.linspace(50, 1000, 96) * np.linspace(0.99, 1.01, count)[:, None, None]
    flats = gain * rng.poisson(np.broadcast_to(quanta, shape)) + rng.normal(100, electronic, shape)
    return Exposures(flats, rng.normal(100, electronic, shape), None, DETECTORS["savu-pco2"])


def ramp(side: int = 256) -> np.ndarray:
    return np.add.outer(np.linspace(50, 150, side), np.linspace(0, 60, side))


def test_exposures_give_gain_electronic_noise_and_white_noise():
    measured = measure_exposures(simulated_exposures(gain=1.5, electronic=4.0))
    affine = next(law for law in measured.laws if law.name == "affine")
    assert affine.parameters[0] == pytest.approx(1.5, rel=0.03)
    assert measured.electronic == pytest.approx(4.0, rel=0.02)
    assert measured.length == 0 and np.abs(measured.correlation).max() < 0.02
    assert np.abs(measured.spectrum[1] - 1).max() < 0.1
    assert (measured.exposures, measured.unit) == (12, "counts")


def test_standardised_noise_is_as_strong_in_dark_areas_and_ignores_flicker():
    exposures = simulated_exposures(gain=1.0, electronic=0.0)
    noise = standardised_noise(exposures.flats - 100)
    assert noise[..., :20].var(axis=0, ddof=1).mean() == pytest.approx(1, rel=0.05)
    assert noise[..., -20:].var(axis=0, ddof=1).mean() == pytest.approx(1, rel=0.05)
    assert (standardised_noise(np.full((3, 2, 2), 0.5)) == 0).all()


def test_blurred_noise_has_a_correlation_length_and_a_falling_spectrum():
    noise = white_noise(8, 64, 64, blur=0.6)
    flat = np.linspace(4500, 5500, 64)  # too uniform a signal has no law
    exposures = Exposures(flat + noise, np.zeros((2, 64, 64)), None, DETECTORS["k11"])
    measured = measure_exposures(exposures)
    assert measured.length == pytest.approx(0.6, rel=0.05)
    power = measured.spectrum[1]
    assert power[0] > 2 > 0.5 > power[-1]


def test_correlation_below_two_standard_errors_has_no_length():
    bins = NoiseBins(*(np.arange(1.0, 5.0) for _ in range(3)))
    fields = ("", "counts", 2, bins, fit_laws(bins), 1.0)
    assert NoiseMeasurement(*fields, (0.02, 0.03), 0.02, (bins[0], bins[0])).length == 0
    assert NoiseMeasurement(*fields, (0.20, 0.22), 0.02, (bins[0], bins[0])).length > 0.4


def test_row_spectrum_of_white_noise_is_its_variance():
    frequency, power = row_spectrum(3 * white_noise(40, 2, 640))
    assert power.mean() == pytest.approx(9, rel=0.03) and np.abs(power / 9 - 1).max() < 0.2
    assert frequency[-1] == 0.5 and len(frequency) == len(power)


def test_spectrum_of_two_rows_is_that_along_the_rows():
    frequency, power = relative_spectrum(white_noise(20, 2, 640))
    assert len(frequency) == 31 and power.mean() == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("sigma", [0.8, 1.0, 3.0])
def test_noise_of_rounded_values_is_measured(sigma):
    image = np.rint(ramp() + RNG(2).normal(0, sigma, (256, 256)))
    variance = measure_radiograph(image, "", bins=1 << 2).bins.variance
    assert variance.mean() == pytest.approx(sigma**2 + ROUNDING, rel=0.06)


def test_only_rounded_values_get_noise_added():
    image = RNG(3).normal(size=(64, 64))
    assert undo_rounding(image) is image
    added = undo_rounding(np.rint(image)) - np.rint(image)
    assert np.abs(added).max() <= 0.5 and added.var() == pytest.approx(ROUNDING, rel=0.05)


def test_clipped_areas_are_left_out():
    image = np.rint(ramp() + RNG(4).normal(0, 2, (256, 256)))
    image[:64] = 0
    measured = measure_radiograph(image, "", bins=16)
    assert len(measured.bins.signal) == 12 and measured.bins.signal.min() > 50


def test_white_noise_of_a_radiograph_is_found_white():
    measured = measure_radiograph(ramp() + RNG(5).normal(0, 2, (256, 256)), "ramp")
    assert np.abs(measured.correlation).max() < 0.05 and math.isnan(measured.electronic)


def test_smooth_blocks_avoid_anatomy():
    image = ramp(320) + RNG(6).normal(0, 2, (320, 320))
    image[:, :160] += 20 * np.sin(np.arange(160) / 3)
    noise = smooth_blocks(image, share=0.2)
    assert noise.shape == (20, BLOCK, BLOCK)
    assert (noise**2).mean(axis=(1, 2)) == pytest.approx(1)
    assert abs((noise[:, :, 1:] * noise[:, :, :-1]).mean()) < 0.05


def test_noise_map_shows_where_the_noise_is():
    sigma = np.where(np.arange(256) < 128, 1.0, 4.0)
    shown = noise_map(ramp() + RNG(7).normal(size=(256, 256)) * sigma)
    assert shown.shape == (8, 8)
    assert shown[:, :4] == pytest.approx(1, rel=0.3) and shown[:, 4:] == pytest.approx(4, rel=0.3)
    assert shown[:, :4].mean() == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize(
    ("name", "slope", "electronic"),
    [("savu-pco2", 0.84, 3.0), ("savu-pco3", 0.84, 2.9), ("tooth", 0.65, 3.1), ("k11", 1.56, 2.8)],
)
def test_real_detectors_have_poisson_noise_with_a_gain(name, slope, electronic):
    bins, _, dark = measure_exposures(load_exposures(name))[3:6]
    bright = bins.signal > 10_000
    ratio = bins.variance[bright].mean() / bins.signal[bright].mean()
    assert ratio == pytest.approx(slope, rel=0.03)
    assert dark == pytest.approx(electronic, rel=0.02)


@pytest.mark.parametrize(
    ("name", "across", "down"),
    [("savu-pco2", 0, 0), ("savu-pco3", 0, 0), ("tooth", 0.11, 0.20), ("k11", 0, 0)],
)
def test_noise_of_one_real_detector_is_correlated(name, across, down):
    measured = measure_exposures(load_exposures(name))
    assert measured.correlation == pytest.approx((across, down), abs=0.02)
    assert (measured.length > 0.4) == (name == "tooth")


def test_signal_to_noise_of_the_built_in_radiograph_rises_from_white_to_dark():
    assert detectors.stored_snr(8) == pytest.approx((42, 249), rel=0.02)
    assert detectors.stored_snr(16) == pytest.approx((42, 358), rel=0.02)


def test_variance_in_the_window_of_the_header_rises_with_the_photons_missing():
    measured, predicted = detectors.header_window_ratio()
    assert measured == pytest.approx(2.9, abs=0.1) and predicted == pytest.approx(0.8, abs=0.01)


def test_variance_in_the_logarithmic_display_rises_faster_than_the_grey_level():
    law = detectors.displayed_power_law()
    assert law.name == "power" and law.parameters[1] == pytest.approx(2.3, abs=0.05)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three 8-bit radiographs with noise of 1, 2 and 3 grey levels."""
    path = tmp_path_factory.mktemp("radiographs")
    (path / "images").mkdir()
    for sigma in (1, 2, 3):
        noisy = np.rint(ramp() + RNG(sigma).normal(0, sigma, (256, 256))).astype(np.uint8)
        Image.fromarray(noisy).save(path / "images" / f"{sigma}.png")
    table = pd.DataFrame({"image": [f"{k}.png" for k in (1, 2, 3)], "patient_id": [1, 2, 3]})
    table.assign(split="test").to_csv(path / "manifest.csv", index=False)
    return path


def test_row_of_a_source_is_the_median_of_its_images(folder):
    row = detectors.median_row(detectors.measured_images(find_source(folder)))
    assert row["exposures"] == 3 and row["unit"] == "grey levels"
    assert row["noise few"] == pytest.approx(2, rel=0.1)
    assert row["detector"] == folder.name and math.isnan(row["SNR few"])


@pytest.mark.slow
def test_table_has_one_row_per_detector(folder):
    table = detectors.measure_detectors(find_source("builtin"))
    assert len(table) == len(DETECTORS) + 3
    undetermined = set(table.loc[table["law"] == "undetermined", "detector"])
    assert undetermined == {DETECTORS[name].title for name in ("tooth", "k11")}
    assert (table.filter(like="behind").min(axis=1) == 0).all()
    chest = table.set_index("detector").loc["built-in CR, displayed"]
    assert chest["noise few"] > 5 * chest["noise many"]
    assert len(detectors.measure_detectors(find_source(folder), count=2)) == len(table) + 1


def test_missing_radiograph_names_the_extra(monkeypatch):
    monkeypatch.setattr("pydicom.data.get_testdata_file", lambda name, download: None)
    with pytest.raises(XbdcnnError, match=r"RG3_UNCR\.dcm: .*xbdcnn\[train\]"):
        detectors.stored_extremity()
