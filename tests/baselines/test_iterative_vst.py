from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from xbdcnn.baselines import iterative_vst
from xbdcnn.baselines.classical import gat_bm3d
from xbdcnn.baselines.iterative_vst import filter_combination, iterative_vst_bm3d, schedule
from xbdcnn.noise import add_hybrid_noise_numpy

pytest.importorskip("bm3d")

CASES = pytest.mark.parametrize(
    ("eta", "sigma", "weight", "y"),
    [(0.4, 5, 0.8, 120), (0.4, 20, 0.8, 60), (1.9, 20, 0.3, 200), (0.05, 0, 0.6, 130)],
)


def combination(eta: float, sigma: float, weight: float, y: float) -> np.ndarray:
    """Return lambda z + (1 - lambda) y in grey levels, (500, 500), for a constant y."""
    rng = np.random.default_rng(5)
    z = rng.poisson(eta * y, (500, 500)) / eta + sigma * rng.normal(size=(500, 500))
    return weight * z + (1 - weight) * y


def two_levels(size: int = 64) -> np.ndarray:
    image = np.full((size, size), 0.3, dtype=np.float32)
    image[:, size // 2 :] = 0.6
    return image


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2)))


@CASES
def test_bm3d_is_told_the_noise_of_the_combination(
    eta: float, sigma: float, weight: float, y: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    ratios = []

    def recorded(image: np.ndarray, sigma_psd: float, profile: object) -> np.ndarray:
        ratios.append(image.std() / sigma_psd)
        return image

    monkeypatch.setattr("bm3d.bm3d", recorded)
    filter_combination(combination(eta, sigma, weight, y), weight, eta, sigma, False, 1)
    assert ratios == [pytest.approx(1, abs=0.015)]


@CASES
def test_inverse_is_unbiased_for_the_combination(
    eta: float, sigma: float, weight: float, y: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bm3d.bm3d", lambda image, *_, **__: np.full_like(image, image.mean()))
    w = combination(eta, sigma, weight, y)
    restored = filter_combination(w, weight, eta, sigma, False, 1)
    assert restored[0, 0] == pytest.approx(y, abs=0.05 + 4 * w.std() / np.sqrt(w.size))


def test_schedule_at_known_numbers_of_photons() -> None:
    assert schedule(20.6) == [(1.0, 1), (0.8, 1)]
    assert schedule(0.65) == [(1.0, 5), (pytest.approx(0.7), 3), (pytest.approx(0.4), 1)]
    assert schedule(0) == schedule(0.04)
    assert len(schedule(0)) == 4
    assert schedule(1e9) == [(1.0, 1), (0.04, 1)]


def test_one_pass_is_bm3d_after_variance_stabilisation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iterative_vst, "schedule", lambda photons: [(1.0, 1)])
    noisy = add_hybrid_noise_numpy(two_levels(), 0.4, 10, np.random.default_rng(0))
    expected = gat_bm3d(noisy, eta=0.4, sigma=10)
    np.testing.assert_array_equal(iterative_vst_bm3d(noisy, eta=0.4, sigma=10), expected)


def test_constant_image_is_restored() -> None:
    g = np.full((64, 64), 0.5, dtype=np.float32)
    noisy = add_hybrid_noise_numpy(g, 0.4, 5, np.random.default_rng(1))
    restored = iterative_vst_bm3d(noisy, eta=0.4, sigma=5)
    # The algebraic inverse of the transform would be 1 / (4 eta) = 0.6 grey levels too dark.
    assert 255 * abs(restored.mean() - noisy.mean()) < 0.3
    assert restored.std() < noisy.std() / 10


@pytest.mark.parametrize(("eta", "lead"), [(0.01, 1.5), (0.003, 2.5)])
def test_iterations_pay_if_photons_are_few(eta: float, lead: float) -> None:
    """With a mean of 0.34 and 1.1 photons per pixel; white is far above, so that nothing clips."""
    g = two_levels() / 16
    rng = np.random.default_rng(2)
    noisy = add_hybrid_noise_numpy(g, 16 * eta, 0, rng)

    def score(denoise: Callable) -> float:
        return psnr(16 * denoise(noisy, eta=16 * eta, sigma=0), 16 * g)

    assert score(iterative_vst_bm3d) > score(gat_bm3d) + lead


def test_bins_fit_the_smallest_image() -> None:
    noisy = add_hybrid_noise_numpy(two_levels(16) / 4, 4e-4, 0, np.random.default_rng(3))
    assert iterative_vst_bm3d(noisy, eta=4e-4, sigma=0).shape == (16, 16)
