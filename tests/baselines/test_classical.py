from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.baselines.classical import (
    CLASSICAL,
    averaged_sigma,
    bm3d_denoise,
    gat_bm3d,
    generalised_anscombe,
    inverse_generalised_anscombe,
)
from xbdcnn.noise import add_hybrid_noise_numpy

METHODS = pytest.mark.parametrize("denoise", CLASSICAL.values(), ids=CLASSICAL.keys())
LEVELS = pytest.mark.parametrize(("eta", "sigma"), [(0.4, 5), (0.8, 15), (1.9, 0), (0.4, 20)])


def phantom(height: int = 80, width: int = 64) -> np.ndarray:
    """Return a ramp with a smooth disc, an edge and a fine stripe pattern, in [0.15, 0.9]."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    disc = 0.25 / (1 + np.exp(np.hypot(y - 30, x - 30) - 18))
    stripes = 0.03 * np.sin(x * 0.9 + y * 0.4)
    return (0.2 + 0.3 * x / width + 0.1 * (y > 50) + disc + stripes).astype(np.float32)


def add_noise(g: np.ndarray, eta: float, sigma: float, clip: bool = True) -> np.ndarray:
    return add_hybrid_noise_numpy(g, eta, sigma, np.random.default_rng(7), clip=clip)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    # The offset keeps the value finite if a method returns the image itself.
    return float(-10 * np.log10(np.mean((a.astype(np.float64) - b) ** 2) + 1e-12))


def unclipped_grey(y: float, eta: float, sigma: float, count: int = 300_000) -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.poisson(eta * y, count) / eta + rng.normal(0, 1, count) * sigma


def test_labels_of_classical_methods() -> None:
    assert list(CLASSICAL) == ["BM3D", "GAT+BM3D", "NLM", "TV"]


def test_averaged_sigma_is_the_root_mean_variance() -> None:
    noisy = np.array([[0.2, 0.4], [0.6, 0.8]], dtype=np.float32)
    assert averaged_sigma(noisy, 0.5, 10) == pytest.approx(np.sqrt(127.5 / 0.5 + 100), rel=1e-6)


def test_averaged_sigma_matches_the_noise_of_an_image() -> None:
    g = phantom()
    noisy = add_noise(g, 0.4, 10)
    assert averaged_sigma(noisy, 0.4, 10) == pytest.approx(255 * np.std(noisy - g), rel=0.05)


@LEVELS
@pytest.mark.parametrize("y", [20, 60, 120, 200, 250])
def test_anscombe_gives_unit_variance(eta: float, sigma: float, y: float) -> None:
    stabilised = generalised_anscombe(unclipped_grey(y, eta, sigma), eta, sigma)
    assert stabilised.var() == pytest.approx(1, abs=0.03)


def test_generalised_transform_without_electronic_noise_is_that_of_anscombe() -> None:
    counts = np.arange(20.0)
    np.testing.assert_allclose(generalised_anscombe(counts, 1, 0), 2 * np.sqrt(counts + 3 / 8))


@LEVELS
@pytest.mark.parametrize("y", [10, 60, 120, 200, 250])
def test_inverse_is_unbiased(eta: float, sigma: float, y: float) -> None:
    z = unclipped_grey(y, eta, sigma)
    restored = inverse_generalised_anscombe(generalised_anscombe(z, eta, sigma).mean(), eta, sigma)
    assert restored == pytest.approx(y, abs=0.05 + 4 * z.std() / np.sqrt(z.size))


def test_algebraic_inverse_would_be_biased() -> None:
    eta, y = 0.4, 120
    mean = generalised_anscombe(unclipped_grey(y, eta, 0), eta, 0).mean()
    algebraic = (mean**2 / 4 - 3 / 8) / eta
    assert algebraic == pytest.approx(y - 1 / (4 * eta), abs=0.15)
    assert abs(inverse_generalised_anscombe(mean, eta, 0) - y) < 0.15


@LEVELS
def test_inverse_is_monotonic_and_starts_at_black(eta: float, sigma: float) -> None:
    d = np.linspace(0, 60, 5000)
    y = inverse_generalised_anscombe(d, eta, sigma)
    assert np.isfinite(y).all()
    assert y[0] == pytest.approx(0, abs=1e-12)
    assert (np.diff(y) >= -1e-12).all()


@METHODS
@pytest.mark.parametrize(("eta", "sigma", "gain"), [(0.4, 5, 5.5), (0.8, 15, 5.5), (1.9, 0, 2.5)])
def test_raises_psnr(denoise: Callable, eta: float, sigma: float, gain: float) -> None:
    g = phantom()
    noisy = add_noise(g, eta, sigma)
    before = noisy.copy()
    restored = denoise(noisy, eta=eta, sigma=sigma)
    assert restored.shape == g.shape
    assert restored.dtype == np.float32
    assert restored.min() >= 0
    assert restored.max() <= 1
    assert np.array_equal(noisy, before)
    assert psnr(restored, g) > psnr(noisy, g) + gain


@METHODS
def test_image_without_noise_is_nearly_unchanged(denoise: Callable) -> None:
    g = phantom()
    assert psnr(denoise(g, eta=1e5, sigma=0), g) > 45


@METHODS
def test_smallest_and_odd_shapes_are_kept(denoise: Callable) -> None:
    for shape in [(16, 16), (17, 31)]:
        assert denoise(add_noise(phantom(*shape), 0.8, 5), eta=0.8, sigma=5).shape == shape


@METHODS
def test_black_image_stays_black(denoise: Callable) -> None:
    black = np.zeros((24, 24), dtype=np.float32)
    restored = denoise(black, eta=0.4, sigma=0)
    assert np.isfinite(restored).all()
    assert restored.max() < 1e-3


def test_anscombe_transform_raises_psnr_if_brightness_varies() -> None:
    g = phantom(96, 96)
    g[:, :48] *= 0.1
    noisy = add_noise(g, 0.2, 0)
    gat, direct = (f(noisy, eta=0.2, sigma=0) for f in (gat_bm3d, bm3d_denoise))
    assert psnr(gat, g) > psnr(direct, g) + 0.5


def test_fast_bm3d_differs_slightly() -> None:
    g = phantom()
    noisy = add_noise(g, 0.8, 5)
    slow, fast = (bm3d_denoise(noisy, eta=0.8, sigma=5, fast=f) for f in (False, True))
    assert not np.array_equal(slow, fast)
    assert psnr(fast, g) == pytest.approx(psnr(slow, g), abs=1.5)


@pytest.mark.parametrize("denoise", [bm3d_denoise, gat_bm3d])
def test_bm3d_uses_one_thread_by_default(
    denoise: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default bm3d uses all threads, and results then differ from run to run."""
    taken = []

    def recorded(image, sigma, profile):
        taken.append(profile.num_threads)
        return image

    monkeypatch.setattr("bm3d.bm3d", recorded)
    for options in ({}, {"threads": 2}):
        denoise(np.full((16, 16), 0.5), eta=0.8, sigma=5, **options)
    assert taken == [1, 2]


@pytest.mark.parametrize("denoise", [bm3d_denoise, gat_bm3d])
def test_message_for_missing_bm3d_names_the_extra(
    denoise: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bm3d", None)
    with pytest.raises(XbdcnnError, match=r"xbdcnn\[reproduce\]") as caught:
        denoise(phantom(), eta=0.8, sigma=5)
    assert "non-commercial" in str(caught.value)
    assert "\n" not in str(caught.value)


@METHODS
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eta": 0}, "eta"),
        ({"eta": -1}, "eta"),
        ({"eta": np.nan}, "eta"),
        ({"sigma": -1}, "sigma"),
        ({"sigma": np.inf}, "sigma"),
        ({"noisy": phantom()[None]}, "shape"),
        ({"noisy": phantom(15, 64)}, "16"),
        ({"noisy": np.full((32, 32), np.nan, dtype=np.float32)}, "finite"),
        ({"noisy": np.zeros((32, 32), dtype=np.uint8)}, "uint8"),
    ],
)
def test_bad_input_is_refused(denoise: Callable, change: dict, message: str) -> None:
    arguments = {"noisy": phantom(), "eta": 0.8, "sigma": 5} | change
    with pytest.raises(XbdcnnError, match=message) as caught:
        denoise(arguments.pop("noisy"), **arguments)
    assert "\n" not in str(caught.value)
