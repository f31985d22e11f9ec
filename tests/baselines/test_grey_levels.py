from __future__ import annotations

import numpy as np
import pytest

from xbdcnn.baselines.grey_levels import averaged_sigma, equivalent_count
from xbdcnn.noise import add_hybrid_noise_numpy


def test_averaged_sigma_is_the_root_mean_variance() -> None:
    noisy = np.array([[0.2, 0.4], [0.6, 0.8]], dtype=np.float32)
    assert averaged_sigma(noisy, 0.5, 10) == pytest.approx(np.sqrt(127.5 / 0.5 + 100), rel=1e-6)


def test_averaged_sigma_matches_the_noise_of_an_image() -> None:
    g = np.linspace(0.2, 0.8, 4096, dtype=np.float32).reshape(64, 64)
    noisy = add_hybrid_noise_numpy(g, 0.4, 10, np.random.default_rng(0))
    assert averaged_sigma(noisy, 0.4, 10) == pytest.approx(255 * np.std(noisy - g), rel=0.05)


def test_equivalent_count_is_the_number_of_photons_and_falls_with_electronic_noise() -> None:
    noisy = np.full((16, 16), 100 / 255)
    assert equivalent_count(noisy, 0.4, 0) == pytest.approx(40)
    assert equivalent_count(noisy, 0.4, 15) == pytest.approx(100**2 / (100 / 0.4 + 15**2))
    assert equivalent_count(0 * noisy, 0.4, 0) == 0
