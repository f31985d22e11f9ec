"""Denoisers that learn nothing, behind one signature: `denoise(noisy, *, eta, sigma)`.

`noisy` is a radiograph, (H, W) floating point in [0, 1]; `eta` (photons per grey level) and
`sigma` (grey levels of the 8-bit scale) are its known noise levels. The result is float32,
(H, W), clipped to [0, 1]. All four are told the true levels, which the blind networks are not.

Every method raises `XbdcnnError` if `noisy` is not a 2-D, finite floating-point image of at
least 16 x 16 pixels, if `eta` is not positive and finite, or if `sigma` is negative or infinite.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError, require_radiograph
from xbdcnn.noise import GREY_LEVELS, noise_variance

Image = NDArray[np.floating]


def bm3d_denoise(
    noisy: Image, *, eta: float, sigma: float, fast: bool = False, threads: int = 1
) -> Image:
    """BM3D (Dabov et al. 2007) at one `averaged_sigma` for the whole image.

    BM3D expects Gaussian noise of one strength; the paper does not say which it was given, and
    the average is what can be had without a transform. `fast` takes BM3D's low-complexity
    settings: a third of the time for about 0.2 dB. More `threads` are faster, but the sums of
    several differ slightly from run to run.

    Needs the package `bm3d`, whose licence allows NON-COMMERCIAL USE ONLY; it is no dependency of
    this package but part of the extra `xbdcnn[reproduce]`. Raises `XbdcnnError` if it is missing,
    and on bad input (see the module).
    """
    grey = _grey_levels(noisy, eta, sigma)
    return _from_grey_levels(_bm3d(grey, averaged_sigma(noisy, eta, sigma), fast, threads))


def gat_bm3d(
    noisy: Image, *, eta: float, sigma: float, fast: bool = False, threads: int = 1
) -> Image:
    """BM3D between `generalised_anscombe` and its inverse (Mäkitalo and Foi 2013).

    The transform gives the noise unit variance at every grey level, which is what BM3D expects.
    The theory knows nothing of clipping, so near black and white a small bias remains. Package,
    licence, `fast`, `threads` and errors as for `bm3d_denoise`.
    """
    grey = _grey_levels(noisy, eta, sigma)
    low, high = generalised_anscombe(np.array([0.0, GREY_LEVELS]), eta, sigma)
    # BM3D's matching thresholds are made for images that span the 8-bit scale, so D has to.
    stretch = GREY_LEVELS / (high - low)
    stabilised = (generalised_anscombe(grey, eta, sigma) - low) * stretch
    denoised = _bm3d(stabilised, 1.0 * stretch, fast, threads) / stretch + low
    return _from_grey_levels(inverse_generalised_anscombe(denoised, eta, sigma))


def non_local_means(noisy: Image, *, eta: float, sigma: float) -> Image:
    """Non-local means (Buades et al. 2005): 7x7 patches, 13x13 search window, `h = 0.8 s`.

    `s` is `averaged_sigma`, also subtracted from the patch distances. Patch, window and factor
    were the best of 20 combinations on six ChestX-ray8 crops at five noise levels; 0.6 and 1.2
    lose 0.3 and 0.1 dB on average. Raises `XbdcnnError` on bad input (see the module).
    """
    from skimage.restoration import denoise_nl_means

    grey, s = _grey_levels(noisy, eta, sigma), averaged_sigma(noisy, eta, sigma)
    restored = denoise_nl_means(
        grey, patch_size=7, patch_distance=6, h=0.8 * s, sigma=s, fast_mode=True
    )
    return _from_grey_levels(restored)


def total_variation(noisy: Image, *, eta: float, sigma: float) -> Image:
    """argmin_u 1/2 ||u - f||^2 + w TV(u) (Rudin et al. 1992), with `w = 1.1 s`.

    `s` is `averaged_sigma`. The factor was the best of 0.7 to 1.2 on six ChestX-ray8 crops at
    five noise levels (1.0 and 1.2 lose 0.05 dB on average). Always 200 of Chambolle's iterations:
    the stopping rule of scikit-image can end so early that neighbouring weights differ by 3 dB.
    Raises `XbdcnnError` on bad input (see the module).
    """
    from skimage.restoration import denoise_tv_chambolle

    grey, s = _grey_levels(noisy, eta, sigma), averaged_sigma(noisy, eta, sigma)
    # A black image without thermal noise has s = 0, and scikit-image divides by the weight.
    weight = max(1.1 * s, 1e-6)
    return _from_grey_levels(denoise_tv_chambolle(grey, weight=weight, eps=0, max_num_iter=200))


CLASSICAL: dict[str, Callable[..., Image]] = {
    "BM3D": bm3d_denoise,
    "GAT+BM3D": gat_bm3d,
    "NLM": non_local_means,
    "TV": total_variation,
}
"""The classical methods by the name that tables and figures print."""


def averaged_sigma(noisy: Image, eta: float, sigma: float) -> float:
    """s = sqrt(mean(f) / eta + sigma^2) in grey levels: the noise as if it were all Gaussian.

    noisy: [0, 1]. The mean of the noisy image stands in for that of the clean one.
    """
    brightness = max(float(np.mean(noisy, dtype=np.float64)), 0.0)
    return float(np.sqrt(noise_variance(np.float64(brightness), eta, sigma)))


def generalised_anscombe(z: Image, eta: float, sigma: float) -> Image:
    """D(z) = (2/a) sqrt(max(0, a z + 3/8 a^2 + sigma^2)), where a = 1/eta is the gain.

    For z = a Poisson(y/a) + N(0, sigma^2) the variance of D is close to 1 whatever y is.
    z: grey levels (not [0, 1]), any shape; D: dimensionless. Mäkitalo and Foi 2013.
    """
    a = 1 / eta
    return 2 / a * np.sqrt(np.maximum(a * z + 3 / 8 * a**2 + sigma**2, 0.0))


def inverse_generalised_anscombe(d: Image, eta: float, sigma: float) -> Image:
    """y/a = D^2/4 + c/(4 D) - 11/(8 D^2) + 5c/(8 D^3) - 1/8 - (sigma/a)^2 with c = sqrt(3/2).

    Closed form of the exact unbiased inverse, E[D | y] -> y in grey levels >= 0, a = 1/eta. The
    algebraic inverse of D would be too dark, since the mean of a root is not the root of the
    mean. Mäkitalo and Foi 2013.
    """
    a, c = 1 / eta, np.sqrt(3 / 2)
    # E[D] of a black pixel without thermal noise; below it the powers of 1/D take over.
    d = np.maximum(d, c)
    counts = d**2 / 4 + c / (4 * d) - 11 / (8 * d**2) + 5 * c / (8 * d**3) - 1 / 8
    return a * np.maximum(counts - (sigma / a) ** 2, 0.0)


def _bm3d(image: Image, sigma: float, fast: bool, threads: int) -> Image:
    """Run BM3D on an image that spans about 0 to 255; `sigma` in the same units."""
    try:
        from bm3d import BM3DProfile, BM3DProfileLC, bm3d
    except ImportError as error:
        raise XbdcnnError(
            "BM3D needs the package bm3d (for non-commercial use only): "
            "pip install 'xbdcnn[reproduce]'"
        ) from error
    profile = BM3DProfileLC() if fast else BM3DProfile()
    profile.num_threads = threads
    # The package scales its thresholds to images in [0, 1].
    return bm3d(image / GREY_LEVELS, sigma / GREY_LEVELS, profile=profile) * GREY_LEVELS


def _grey_levels(noisy: Image, eta: float, sigma: float) -> Image:
    """Check the arguments of a method; return the image in float64 grey levels."""
    require_radiograph(noisy)
    if not np.issubdtype(noisy.dtype, np.floating):
        raise XbdcnnError(
            f"expected floating-point values in [0, 1], got {noisy.dtype}; "
            "load the image with xbdcnn.data.load_radiograph"
        )
    if not 0 < eta < np.inf:
        raise XbdcnnError(f"eta must be finite and above 0 photons per grey level, got {eta}")
    if not 0 <= sigma < np.inf:
        raise XbdcnnError(f"sigma must be finite and at least 0 grey levels, got {sigma}")
    return noisy.astype(np.float64) * GREY_LEVELS


def _from_grey_levels(grey: Image) -> NDArray[np.float32]:
    return np.clip(grey / GREY_LEVELS, 0.0, 1.0).astype(np.float32)
