"""Image quality (Sec. III): PSNR, SNR and SSIM, with every convention explicit.

Images are tensors or arrays (..., H, W); each leading index is one image and has one score. Scores
are float64 arrays of shape (...), or a float for a single (H, W) image. The functions raise
XbdcnnError if the shapes of the two images differ.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from xbdcnn._common.errors import XbdcnnError

Image = Tensor | ArrayLike
Window = Literal["gaussian", "uniform"]
Border = Literal["valid", "reflect"]
RELEASED_DATA_RANGE = 2.0
"""Data range on which the paper's SSIM values are probably based: early versions of scikit-image
assumed that float images span [-1, 1] when no range was given."""


def psnr(restored: Image, clean: Image, data_range: float = 1.0) -> NDArray[np.float64] | float:
    """PSNR = 10 log10(data_range^2 / mean (g_hat - g)^2) in dB, per image; inf if equal.

    data_range: distance between black and white, 1 for images in [0, 1].

    >>> round(psnr(np.full((4, 4), 0.6), np.full((4, 4), 0.5)), 6)
    20.0
    """
    restored, clean = _pair(restored, clean)
    error = (restored - clean).square().mean(dim=(-2, -1))
    return _scores(10 * torch.log10(data_range**2 / error))


def snr(restored: Image, clean: Image) -> NDArray[np.float64] | float:
    """SNR = 10 log10(sum g^2 / sum (g_hat - g)^2) in dB, per image; never above PSNR.

    >>> round(snr(np.full((4, 4), 0.55), np.full((4, 4), 0.5)), 6)
    20.0
    """
    restored, clean = _pair(restored, clean)
    signal = clean.square().sum(dim=(-2, -1))
    return _scores(10 * torch.log10(signal / (restored - clean).square().sum(dim=(-2, -1))))


def snr_pooled(restored: Image, clean: Image) -> float:
    """SNR in dB of all images together: one quotient of sums over the whole batch.

    The released test script pools batches of 32 patches in this way, but averages PSNR per image.

    >>> clean = np.stack([np.full((4, 4), 1.0), np.full((4, 4), 0.1)])
    >>> round(snr_pooled(clean + 0.1, clean), 2), snr(clean + 0.1, clean).round(2)
    (17.03, array([20.,  0.]))
    """
    restored, clean = _pair(restored, clean)
    return float(10 * torch.log10(clean.square().sum() / (restored - clean).square().sum()))


def ssim(
    restored: Image,
    clean: Image,
    *,
    data_range: float = 1.0,
    window: Window = "gaussian",
    size: int = 11,
    sigma: float = 1.5,
    border: Border = "valid",
    unbiased: bool = False,
) -> NDArray[np.float64] | float:
    """Mean of `ssim_map` over each image (Eq. 7); arguments and errors as there, at most 1.

    >>> image = np.random.default_rng(0).random((32, 32))
    >>> round(ssim(image, image), 6), ssim(1 - image, image) < 0
    (1.0, True)
    """
    restored, clean = _pair(restored, clean)
    values = ssim_map(
        restored,
        clean,
        data_range=data_range,
        window=window,
        size=size,
        sigma=sigma,
        border=border,
        unbiased=unbiased,
    )
    return _scores(values.mean(dim=(-2, -1)))


def ssim_map(
    restored: Tensor,
    clean: Tensor,
    *,
    data_range: float = 1.0,
    window: Window = "gaussian",
    size: int = 11,
    sigma: float = 1.5,
    border: Border = "valid",
    unbiased: bool = False,
) -> Tensor:
    """Eq. 7 at every pixel, with C1 = (0.01 data_range)^2 and C2 = (0.03 data_range)^2.

    SSIM = (2 mu_x mu_y + C1)(2 s_xy + C2) / ((mu_x^2 + mu_y^2 + C1)(s_x^2 + s_y^2 + C2))

    Args:
        restored, clean: (..., H, W), same floating dtype; differentiable.
        data_range: distance between black and white, 1 for images in [0, 1].
        window, size, sigma: local mean by an 11-pixel Gaussian of 1.5 pixels (Wang et al. 2004),
            or "uniform" over `size` pixels (scikit-image's default, size 7).
        border: "valid" keeps the pixels whose window is inside; "reflect" mirrors the border.
        unbiased: divide the local variances by n - 1 (scikit-image's default), n = size^2.

    Returns:
        (..., H - size + 1, W - size + 1) for "valid", (..., H, W) for "reflect".

    Raises:
        XbdcnnError: H or W is smaller than `size`.

    >>> ssim_map(torch.rand(2, 1, 32, 32), torch.rand(2, 1, 32, 32)).shape
    torch.Size([2, 1, 22, 22])
    """

    def local_mean(image: Tensor) -> Tensor:
        return window_mean(image, window, size, sigma, border)

    mean_x, mean_y = local_mean(restored), local_mean(clean)
    bessel = size**2 / (size**2 - 1) if unbiased else 1.0
    variance_x = bessel * (local_mean(restored.square()) - mean_x.square())
    variance_y = bessel * (local_mean(clean.square()) - mean_y.square())
    covariance = bessel * (local_mean(restored * clean) - mean_x * mean_y)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    return luminance * (2 * covariance + c2) / (variance_x + variance_y + c2)


def window_mean(image: Tensor, window: Window, size: int, sigma: float, border: Border) -> Tensor:
    """Weighted mean around each pixel of (..., H, W), as two matrix products B_H X B_W^T.

    A separable window is a banded matrix along each axis; on a CPU the products are about 20
    times faster than a one-channel convolution. Arguments, shapes and errors as for `ssim_map`.

    >>> window_mean(torch.ones(7, 7), "uniform", 5, 1.5, "valid").shape
    torch.Size([3, 3])
    """
    rows, columns = (
        _band(length, window, size, sigma, border).to(image) for length in image.shape[-2:]
    )
    return rows @ image @ columns.T


@lru_cache(maxsize=64)
def _band(length: int, window: Window, size: int, sigma: float, border: Border) -> Tensor:
    """Banded matrix that moves a 1-D window along an axis of `length` pixels; float64."""
    if length < size:
        raise XbdcnnError(f"SSIM needs at least {size} pixels a side, got {length}; reduce `size`")
    offsets = torch.arange(size, dtype=torch.float64) - size // 2
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2) if window == "gaussian" else offsets * 0 + 1
    centres = torch.arange(length) if border == "reflect" else torch.arange(length - size + 1)
    columns = centres[:, None] + torch.arange(size) - (size // 2 if border == "reflect" else 0)
    # Mirror with the edge pixel repeated: -1 -> 0, length -> length - 1.
    columns = torch.where(columns < 0, -1 - columns, columns)
    columns = torch.where(columns >= length, 2 * length - 1 - columns, columns)
    band = torch.zeros(len(centres), length, dtype=torch.float64)
    return band.scatter_add_(1, columns, (weights / weights.sum()).expand(len(centres), size))


def _pair(restored: Image, clean: Image) -> tuple[Tensor, Tensor]:
    """Return both images as float64 tensors of one shape, so that scores show no rounding."""
    first, second = (
        torch.as_tensor(image).detach().to(torch.float64) for image in (restored, clean)
    )
    if first.shape != second.shape or first.ndim < 2:
        raise XbdcnnError(
            f"images must share one shape (..., H, W), got {tuple(first.shape)} "
            f"and {tuple(second.shape)}"
        )
    return first, second


def _scores(values: Tensor) -> NDArray[np.float64] | float:
    return values.cpu().numpy() if values.ndim else float(values)
