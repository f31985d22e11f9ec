"""PSNR, SNR and SSIM against scikit-image, torchmetrics and values by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from skimage import metrics as reference
from torchmetrics import functional as torch_reference

from xbdcnn import metrics
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.metrics import psnr, snr, snr_pooled, ssim, ssim_map

SHAPES = [(11, 11), (16, 40), (37, 23), (64, 64)]
RANGES = [1.0, 2.0, 255.0]


def pair(*shape: int, scale: float = 1.0, seed: int = 0) -> tuple[NDArray, NDArray]:
    """Create a smooth image with texture; return it with noise and without."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0.1, 0.9, shape[-1]) * np.linspace(0.5, 1, shape[-2])[:, None]
    clean = (ramp + 0.1 * rng.random(shape)).clip(0, 1)
    noisy = (clean + 0.1 * rng.standard_normal(shape)).clip(0, 1)
    return noisy * scale, clean * scale


def batch_of(image: NDArray) -> torch.Tensor:
    return torch.from_numpy(image)[None, None]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("data_range", RANGES)
def test_psnr_against_references(shape: tuple[int, int], data_range: float) -> None:
    noisy, clean = pair(*shape, scale=data_range)
    ours = psnr(noisy, clean, data_range)
    theirs = reference.peak_signal_noise_ratio(clean, noisy, data_range=data_range)
    assert ours == pytest.approx(theirs, abs=1e-5)
    torchs = torch_reference.image.peak_signal_noise_ratio(
        batch_of(noisy), batch_of(clean), data_range=data_range
    )
    assert ours == pytest.approx(torchs.item(), abs=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", RANGES)
def test_snr_against_torchmetrics(shape: tuple[int, int], scale: float) -> None:
    noisy, clean = pair(*shape, scale=scale)
    theirs = torch_reference.audio.signal_noise_ratio(
        torch.from_numpy(noisy).flatten(), torch.from_numpy(clean).flatten()
    )
    assert snr(noisy, clean) == pytest.approx(theirs.item(), abs=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("data_range", RANGES)
def test_gaussian_ssim_against_references(shape: tuple[int, int], data_range: float) -> None:
    noisy, clean = pair(*shape, scale=data_range)
    ours = ssim(noisy, clean, data_range=data_range)
    theirs, full = reference.structural_similarity(
        clean,
        noisy,
        data_range=data_range,
        gaussian_weights=True,
        use_sample_covariance=False,
        full=True,
    )
    assert ours == pytest.approx(theirs, abs=1e-5)
    everywhere = ssim_map(
        torch.from_numpy(noisy), torch.from_numpy(clean), data_range=data_range, border="reflect"
    )
    np.testing.assert_allclose(everywhere.numpy(), full, atol=1e-5)
    # torchmetrics has changed what it averages; its map agrees where no border is mirrored in.
    _, torchs = torch_reference.image.structural_similarity_index_measure(
        batch_of(noisy), batch_of(clean), data_range=data_range, return_full_image=True
    )
    inner = torchs[0, 0, 5:-5, 5:-5]
    ours_map = ssim_map(torch.from_numpy(noisy), torch.from_numpy(clean), data_range=data_range)
    torch.testing.assert_close(ours_map, inner, rtol=0, atol=1e-5)
    assert ours == pytest.approx(inner.mean().item(), abs=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("data_range", RANGES)
@pytest.mark.parametrize("unbiased", [True, False])
def test_uniform_ssim_against_scikit_image(
    shape: tuple[int, int], data_range: float, unbiased: bool
) -> None:
    noisy, clean = pair(*shape, scale=data_range)
    ours = ssim(noisy, clean, data_range=data_range, window="uniform", size=7, unbiased=unbiased)
    theirs = reference.structural_similarity(
        clean, noisy, data_range=data_range, use_sample_covariance=unbiased
    )
    assert ours == pytest.approx(theirs, abs=1e-5)


def test_released_range_raises_the_score() -> None:
    noisy, clean = pair(64, 64)
    strict, lenient = (ssim(noisy, clean, data_range=r) for r in (1, metrics.RELEASED_DATA_RANGE))
    assert lenient > strict + 0.05


def test_ssim_scales_with_its_range() -> None:
    noisy, clean = pair(20, 20)
    small = ssim(noisy, clean, data_range=1.0)
    large = ssim(noisy * 255, clean * 255, data_range=255.0)
    assert small == pytest.approx(large, abs=1e-9)


def test_window_and_border_change_the_score() -> None:
    noisy, clean = pair(24, 30)
    scores = [
        ssim(noisy, clean),
        ssim(noisy, clean, window="uniform", size=7),
        ssim(noisy, clean, border="reflect"),
        ssim(noisy, clean, size=7),
        ssim(noisy, clean, sigma=3.0),
    ]
    assert len({round(score, 6) for score in scores}) == len(scores)


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.float64, (2, 5, 6), elements=st.floats(0, 1, width=32)),
    st.sampled_from([1.0, 255.0]),
)
def test_snr_never_exceeds_psnr(images: NDArray, peak: float) -> None:
    restored, clean = images * peak
    if clean.any():
        assert snr(restored, clean) <= psnr(restored, clean, peak) + 1e-9


def test_difference_of_psnr_and_snr_depends_on_the_clean_image_only() -> None:
    noisy, clean = pair(16, 16)
    difference = -20 * np.log10(np.sqrt((clean**2).mean()))
    for restored in (noisy, 0.5 * noisy + 0.5 * clean, np.zeros_like(clean)):
        assert psnr(restored, clean) - snr(restored, clean) == pytest.approx(difference)


def test_psnr_and_snr_by_hand() -> None:
    clean = np.full((4, 4), 0.5)
    assert psnr(clean + 0.1, clean) == pytest.approx(20)
    assert snr(clean + 0.05, clean) == pytest.approx(20)
    assert snr(np.zeros_like(clean), clean) == pytest.approx(0)


def test_identical_images() -> None:
    _, clean = pair(12, 12)
    assert psnr(clean, clean) == snr(clean, clean) == snr_pooled(clean, clean) == np.inf
    assert ssim(clean, clean) == pytest.approx(1)


def test_pooled_snr_is_one_quotient() -> None:
    clean = np.stack([np.full((2, 2), 1.0), np.full((2, 2), 0.1)])
    restored = clean + np.array([0.1, 0.1])[:, None, None]
    # Signal energies 4 and 0.04, error energies 0.04 each.
    assert snr(restored, clean) == pytest.approx([20, 0])
    assert snr_pooled(restored, clean) == pytest.approx(10 * np.log10(4.04 / 0.08))
    assert snr_pooled(restored, clean) > snr(restored, clean).mean()
    assert snr_pooled(restored[0], clean[0]) == pytest.approx(20)


@pytest.mark.parametrize("metric", [psnr, snr, ssim])
def test_scores_of_a_stack_equal_those_of_its_images(metric) -> None:
    noisy, clean = pair(2, 3, 14, 17)
    scores = metric(noisy, clean)
    assert scores.shape == (2, 3) and scores.dtype == np.float64
    for index in np.ndindex(2, 3):
        alone = metric(noisy[index], clean[index])
        assert isinstance(alone, float)
        assert scores[index] == pytest.approx(alone, abs=1e-12)


@pytest.mark.parametrize("metric", [psnr, snr, ssim, snr_pooled])
def test_tensors_arrays_and_lists_have_equal_scores(metric) -> None:
    noisy, clean = (image.astype(np.float32) for image in pair(2, 1, 13, 13))
    tensors = torch.from_numpy(noisy).requires_grad_(), torch.from_numpy(clean)
    assert np.array_equal(metric(*tensors), metric(noisy, clean))
    assert np.array_equal(metric(noisy.tolist(), clean), metric(noisy, clean))


@pytest.mark.parametrize("metric", [psnr, snr, ssim, snr_pooled])
@pytest.mark.parametrize("shapes", [((8, 8), (8, 9)), ((1, 12, 12), (12, 12)), ((16,), (16,))])
def test_shapes_must_agree(metric, shapes) -> None:
    with pytest.raises(XbdcnnError, match=r"one shape \(\.\.\., H, W\)"):
        metric(*(np.zeros(shape) for shape in shapes))


def test_image_smaller_than_the_window_is_rejected() -> None:
    with pytest.raises(XbdcnnError, match="at least 11 pixels a side, got 9; reduce"):
        ssim(np.zeros((9, 20)), np.zeros((9, 20)))
    assert ssim(np.zeros((9, 20)), np.zeros((9, 20)), size=9) == pytest.approx(1)
