from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.baselines.classical import CLASSICAL, bm3d_denoise, gat_bm3d
from xbdcnn.baselines.iterative_vst import iterative_vst_bm3d
from xbdcnn.baselines.nl_pca import nl_pca
from xbdcnn.noise import add_hybrid_noise_numpy

METHODS = pytest.mark.parametrize("denoise", CLASSICAL.values(), ids=CLASSICAL.keys())
WITH_BM3D = pytest.mark.parametrize("denoise", [bm3d_denoise, gat_bm3d, iterative_vst_bm3d])


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


def test_labels_of_classical_methods() -> None:
    assert list(CLASSICAL) == ["BM3D", "GAT+BM3D", "I+VST+BM3D", "NLM", "NL-PCA", "TV"]


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
    # NL-PCA has patches of rank 4, however many photons there are.
    smallest = 32 if denoise is nl_pca else 45
    assert psnr(denoise(g, eta=1e5, sigma=0), g) > smallest


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


@WITH_BM3D
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
    assert set(taken[: len(taken) // 2]) == {1}
    assert set(taken[len(taken) // 2 :]) == {2}


@WITH_BM3D
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
