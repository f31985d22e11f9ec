"""The noise report of one radiograph, against simulated noise of known strength and blur."""

from __future__ import annotations

import doctest
import time

import numpy as np
import pytest
import torch

from xbdcnn import detector, noise, paper
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import builtin_crop
from xbdcnn.measured_noise import (
    CLEAR_MARGIN,
    NoiseAt,
    NoiseReport,
    edge_of_training,
    noise_report,
    report,
    spectrum,
    trained_noise,
    training_mismatches,
)

HALVED = builtin_crop(896).astype(np.float64)
FLAT = np.full((512, 512), 0.5)


def with_blurred_noise(clean: np.ndarray, strength: float, blur: float, seed: int) -> np.ndarray:
    """Add noise of a standard deviation in grey levels; blocks with clipped pixels are left out."""
    generator = torch.Generator().manual_seed(seed)
    white = torch.randn((1, 1, *clean.shape), generator=generator, dtype=torch.float64)
    added = detector.scintillator_blur(white, blur)[0, 0].numpy()
    return (clean + added * (strength / 255 / added.std())).clip(0, 1)


@pytest.fixture(scope="module")
def own() -> NoiseReport:
    """The noise that the halved built-in radiograph has itself, together with its fine anatomy."""
    return noise_report(HALVED)


@pytest.mark.parametrize("blur", [0.0, 0.3, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("strength", [0.5, 10.0])
def test_noise_of_a_flat_image_is_found(strength, blur):
    report = noise_report(with_blurred_noise(FLAT, strength, blur, seed=1))
    assert [at.noise for at in report.levels] == pytest.approx([strength] * 3, rel=0.07)
    assert report.correlation_length == pytest.approx(blur, abs=0.3 if blur < 0.4 else 0.1)


@pytest.mark.parametrize("blur", [0.0, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("strength", [4.0, 8.0, 20.0])
def test_noise_of_a_radiograph_is_found_within_15_percent(own, strength, blur):
    report = noise_report(with_blurred_noise(HALVED, strength, blur, seed=2))
    grey, found = np.array(report.levels).T
    before = np.interp(grey, own.bins.signal, own.bins.variance)
    np.testing.assert_allclose(found, np.sqrt(strength**2 + before), rtol=0.15)
    rho = detector.blur_correlation(blur)
    own_rho = detector.blur_correlation(own.correlation_length)
    mixed = (strength**2 * rho + before[1] * own_rho) / (strength**2 + before[1])
    expected = spectrum.correlation_length(float(mixed))
    assert report.correlation_length == pytest.approx(expected, abs=0.15)


@pytest.mark.parametrize("eta, sigma", [(0.4, 5.0), (0.8, 15.0), (1.9, 0.0)])
def test_noise_of_the_paper_is_found_and_counts_as_trained_for(own, eta, sigma):
    rng = np.random.default_rng(0)
    report = noise_report(noise.add_hybrid_noise_numpy(HALVED, eta, sigma, rng))
    for grey, found in report.levels:
        before = np.interp(grey, own.bins.signal, own.bins.variance)
        expected = noise.noise_variance(grey / 255, eta, sigma) + before
        assert found == pytest.approx(np.sqrt(expected), rel=0.1)
    assert training_mismatches(report) == []


def wedge(shape: tuple[int, int] = (1024, 1024)) -> np.ndarray:
    return np.linspace(0.15, 0.85, shape[1])[None].repeat(shape[0], 0)


def test_law_of_a_logarithmic_display_is_clearly_exponential():
    clean = torch.from_numpy(wedge())[None, None]
    generator = torch.Generator().manual_seed(0)
    noisy = detector.detector_noise(clean, dose=1500.0, generator=generator)[0, 0].numpy()
    report = noise_report(noisy)
    assert report.law.name == "exponential" and report.margin > CLEAR_MARGIN
    assert report.law.parameters[1] == pytest.approx(np.log(12.5) / 255, rel=0.05)
    assert report.levels[2].noise > report.levels[0].noise


@pytest.mark.parametrize("sigma, name", [(0.0, "linear"), (15.0, "affine")])
def test_law_of_eq_1_is_named(sigma, name):
    rng = np.random.default_rng(0)
    report = noise_report(noise.add_hybrid_noise_numpy(wedge(), 1.0, sigma, rng))
    assert report.law.name == name and report.law.error < 0.05
    assert report.law.parameters[0] == pytest.approx(1.0, rel=0.1)


def test_law_of_a_flat_image_is_undetermined():
    report = noise_report(with_blurred_noise(FLAT, 5, 0, seed=0))
    assert len(report.levels) == 3 and report.law is None and report.margin is None


def test_edges_in_two_fifths_of_the_blocks_hardly_count():
    striped = FLAT.copy()
    striped[:, ::64] += 0.2
    striped[::64] += 0.1
    report = noise_report(with_blurred_noise(striped, 5, 0, seed=0))
    assert report.levels[1].noise == pytest.approx(5, rel=0.1)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((16, 16)),
        np.full((300, 300), 0.5, np.float32),
        np.full((300, 300), 255, np.uint8),
        np.linspace(0.1, 0.9, 90_000).reshape(300, 300),
        np.random.default_rng(0).random((100, 100)),
        np.random.default_rng(0).integers(0, 2, (400, 400)).astype(np.float64),
    ],
    ids=["tiny", "constant", "white", "ramp", "small", "clipped"],
)
def test_noise_is_undetermined_without_enough_noisy_blocks(image):
    report = noise_report(image)
    assert report.levels == () and training_mismatches(report) == []
    assert report[1:5] == (None,) * 4
    assert report.blocks < 150


@pytest.mark.parametrize("blur", [2.5, 4.0])
def test_structure_that_is_too_smooth_for_noise_is_not_reported(blur):
    report = noise_report(with_blurred_noise(FLAT, 20, blur, seed=0))
    assert report.levels == () and report.blocks > 150


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pixel_types_agree(dtype):
    noisy = with_blurred_noise(HALVED, 8, 0, seed=0)
    top = 1 if dtype is np.float32 else np.iinfo(dtype).max
    stored = (noisy * top).round() if top > 1 else noisy
    exact, found = noise_report(noisy), noise_report(stored.astype(dtype))
    np.testing.assert_allclose(found.levels, exact.levels, rtol=0.02)


def test_arrays_that_are_no_radiograph_are_refused():
    with pytest.raises(XbdcnnError, match="in \\[0, 1\\]"):
        noise_report(np.full((300, 300), 2.0))
    with pytest.raises(XbdcnnError, match="one greyscale radiograph"):
        noise_report(np.zeros((300, 300, 3)))


def test_training_range_is_that_of_the_paper():
    low, high = trained_noise(255.0)
    assert low == pytest.approx((255 / paper.ETA_RANGE[1]) ** 0.5)
    assert high == pytest.approx((255 / paper.ETA_RANGE[0] + paper.SIGMA_RANGE[1] ** 2) ** 0.5)


@pytest.mark.parametrize(
    "strength, length, expected",
    [
        (1.0, 0.0, ["weaker"]),
        (1.0, 0.6, ["weaker", "correlated"]),
        (15.0, 0.3, []),
        (15.0, 0.6, ["correlated"]),
        (60.0, 0.0, ["stronger"]),
    ],
)
def test_mismatches_name_strength_and_correlation(strength, length, expected):
    levels = tuple(NoiseAt(grey, strength) for grey in (60.0, 127.0, 200.0))
    assert training_mismatches(NoiseReport(levels, length)) == expected


@pytest.mark.parametrize(
    "eta, sigma, training, expected",
    [
        (1.91, 0.1, "paper", "weaker"),
        (0.6, 10.0, "paper", None),
        (0.4, 20.0, "paper", "stronger"),
        (500.0, 0.5, "radiographs", None),
        (0.4, 20.0, "radiographs", None),
        (0.2, 30.0, "radiographs", "stronger"),
    ],
)
def test_estimates_at_the_edge_of_a_training_are_recognised(eta, sigma, training, expected):
    assert edge_of_training(eta, sigma, training) == expected


@pytest.mark.parametrize(
    "levels, correlation, training, expected",
    [
        ((0.6, 10.0), 0.05, "paper", None),
        ((0.6, 10.0), 0.2, "paper", "correlated"),
        ((0.4, 20.0), 0.2, "paper", "correlated"),
        ((100.0, 0.5), 0.2, "paper", "weaker"),
        ((0.6, 10.0), 0.8, "radiographs", None),
    ],
)
def test_correlation_is_an_edge_of_the_papers_training(levels, correlation, training, expected):
    assert edge_of_training(*levels, training, correlation) == expected


@pytest.mark.parametrize("module", [report, spectrum], ids=lambda module: module.__name__)
def test_docstring_examples_run(module):
    results = doctest.testmod(module)
    assert results.attempted > 0 and results.failed == 0


def test_a_large_radiograph_takes_a_few_seconds():
    image = np.random.default_rng(0).random((2500, 2000), dtype=np.float32)
    start = time.perf_counter()
    assert noise_report(image).blocks == 156 * 125
    assert time.perf_counter() - start < 10
