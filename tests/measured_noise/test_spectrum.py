"""Noise power spectrum and correlation of simulated noise, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from xbdcnn import detector
from xbdcnn.measured_noise import (
    correlation_length,
    detail_transfer,
    neighbour_correlation,
    noise_power_spectrum,
)


def blurred_noise(blur: float, shape: tuple[int, ...] = (4, 512, 512)) -> np.ndarray:
    generator = torch.Generator().manual_seed(0)
    white = torch.randn(shape, generator=generator, dtype=torch.float64)
    return detector.scintillator_blur(white[:, None], blur)[:, 0].numpy()


def test_white_noise_has_its_variance_at_every_frequency():
    frequency, power = noise_power_spectrum(3 * blurred_noise(0))
    np.testing.assert_allclose(power, 9, rtol=0.05)
    assert power.mean() == pytest.approx(9, rel=0.01)
    assert frequency[0] == pytest.approx(2 / 64, rel=0.1)
    assert frequency[-1] == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("blur", [0.7, 1.0, 1.5])
def test_spectrum_of_blurred_noise_falls_by_the_squared_transfer(blur):
    frequency, power = noise_power_spectrum(blurred_noise(blur))
    expected = detector.blur_transfer(torch.from_numpy(frequency), blur).numpy() ** 2
    low = frequency < 0.25  # above, the kernel of samples is not isotropic
    np.testing.assert_allclose(power[low], expected[low], rtol=0.08, atol=0.002)


def test_spectrum_integrates_to_the_variance():
    noise = blurred_noise(1.0)
    frequency, power = noise_power_spectrum(noise)
    fine = np.linspace(0, 0.5, 1000)
    rings = 2 * np.pi * fine * np.interp(fine, frequency, power)
    assert np.trapezoid(rings, fine) == pytest.approx(noise.var(), rel=0.03)


def test_one_image_and_a_stack_of_one_have_the_same_spectrum():
    noise = blurred_noise(0.5, (1, 128, 96))
    for single, stacked in zip(
        noise_power_spectrum(noise[0]), noise_power_spectrum(noise), strict=True
    ):
        np.testing.assert_array_equal(single, stacked)


def test_images_smaller_than_a_block_give_smaller_blocks():
    frequency, power = noise_power_spectrum(blurred_noise(0, (200, 22, 26)))
    assert len(frequency) == 10
    np.testing.assert_allclose(power, 1, rtol=0.1)


@pytest.mark.parametrize("blur", [0.3, 0.5, 0.7, 1.0, 1.5])
def test_correlation_length_inverts_the_blur(blur):
    lengths = [correlation_length(rho) for rho in neighbour_correlation(blurred_noise(blur))]
    assert lengths == pytest.approx([blur, blur], rel=0.05)


def test_correlation_is_measured_in_both_directions():
    white = np.random.default_rng(0).normal(size=(2, 512, 513))
    across, down = neighbour_correlation(white[..., 1:] + white[..., :-1])
    assert across == pytest.approx(0.5, abs=0.01) and abs(down) < 0.01


def test_correlation_length_in_the_limits():
    assert correlation_length(-0.3) == correlation_length(0.0) == 0.0
    assert correlation_length(1.0) == float("inf")
    assert correlation_length(np.exp(-1 / (4 * 3.0**2))) == pytest.approx(3.0)
    assert np.isnan(neighbour_correlation(np.ones((8, 8)))).all()


def test_correlation_of_a_blur_is_that_of_a_continuous_gaussian_from_one_pixel_on():
    for blur in (1.0, 2.0, 3.0):
        expected = np.exp(-1 / (4 * blur**2))
        assert detector.blur_correlation(blur) == pytest.approx(expected, rel=1e-3)


def test_a_blur_keeps_its_transfer_of_the_detail():
    white = torch.from_numpy(blurred_noise(0))[:, None]
    restored = detector.scintillator_blur(white, 1.0)[:, 0].numpy()
    frequency, kept = detail_transfer(restored, white[:, 0].numpy())
    expected = detector.blur_transfer(torch.from_numpy(frequency), 1.0).numpy()
    low = frequency < 0.25  # above, the kernel of samples is not isotropic
    np.testing.assert_allclose(kept[low], expected[low], atol=0.02)


def test_independent_noise_does_not_count_as_detail():
    clean, noise = blurred_noise(0.5, (2, 512, 512))
    _, kept = detail_transfer(0.3 * clean + noise, clean)
    assert kept.mean() == pytest.approx(0.3, abs=0.03)
