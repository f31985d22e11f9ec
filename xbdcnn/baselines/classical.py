"""Classical denoising methods with one signature, `denoise(noisy, *, eta, sigma)`.

noisy: radiograph f of Eq. 1, (H, W) floating point in [0, 1]; eta (photons per grey level) and
sigma (8-bit grey levels): its true noise level, which the blind networks are not given. All return
the restored radiograph, (H, W) float32, clipped to [0, 1].

All raise XbdcnnError if `noisy` is not a finite floating-point image of at least 16 x 16 pixels in
[0, 1], if eta is not positive and finite, or if sigma is negative or not finite.

References:
    Buades, Coll and Morel, A non-local algorithm for image denoising, CVPR 2005.
    Chambolle, An algorithm for total variation minimization and applications, J. Math. Imaging
    Vis. 20, 2004.
    Dabov, Foi, Katkovnik and Egiazarian, Image denoising by sparse 3-D transform-domain
    collaborative filtering, IEEE Trans. Image Process. 16(8), 2007.
    Mäkitalo and Foi, Optimal inversion of the generalized Anscombe transformation for
    Poisson-Gaussian noise, IEEE Trans. Image Process. 22(1), 2013.
    Rudin, Osher and Fatemi, Nonlinear total variation based noise removal algorithms,
    Physica D 60, 1992.
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
    """Block matching and 3-D filtering (Dabov et al. 2007), for Gaussian noise of `averaged_sigma`.

    Groups of similar blocks are denoised by thresholding, then by Wiener filtering, of their 3-D
    transform. BM3D assumes the same noise variance in every pixel. The paper does not state which
    value it was given; here it is the mean over the image.

    Args:
        noisy, eta, sigma: see the module.
        fast: BM3D's low-complexity profile, which takes a third of the time and costs about 0.2 dB.
        threads: number of threads; with more than one, results differ in rounding from run to run.

    Raises:
        XbdcnnError: invalid input (see the module), or the package `bm3d` is not installed. Its
            licence allows NON-COMMERCIAL USE ONLY, so that only the extra `xbdcnn[reproduce]`
            installs it.
    """
    grey = _to_grey_levels(noisy, eta, sigma)
    return _from_grey_levels(_bm3d(grey, averaged_sigma(noisy, eta, sigma), fast, threads))


def gat_bm3d(
    noisy: Image, *, eta: float, sigma: float, fast: bool = False, threads: int = 1
) -> Image:
    """BM3D of the image transformed by D, then the inverse of D (Mäkitalo and Foi 2013).

    D is `generalised_anscombe`. In D(f) the noise has a variance of about 1 at every grey level, as
    BM3D assumes. The transform does not account for the clipping of f, which leaves a small bias
    near black and white. Arguments and errors as for `bm3d_denoise`.
    """
    grey = _to_grey_levels(noisy, eta, sigma)
    low, high = generalised_anscombe(np.array([0.0, GREY_LEVELS]), eta, sigma)
    # BM3D's thresholds for block matching are tuned for images that span the 8-bit scale.
    stretch = GREY_LEVELS / (high - low)
    stabilised = (generalised_anscombe(grey, eta, sigma) - low) * stretch
    denoised = _bm3d(stabilised, 1.0 * stretch, fast, threads) / stretch + low
    return _from_grey_levels(inverse_generalised_anscombe(denoised, eta, sigma))


def non_local_means(noisy: Image, *, eta: float, sigma: float) -> Image:
    """g(x) = sum_y w(x, y) f(y) / sum_y w(x, y), non-local means (Buades et al. 2005).

    w(x, y) = exp(-max(0, d(x, y) - 2 s^2) / h^2), where d is the mean squared difference of the
    7 x 7 patches around x and y, y is in the 13 x 13 window around x, s = `averaged_sigma`, and
    h = 0.8 s. Patch, window and h / s were the best of 20 combinations on six ChestX-ray8 crops at
    five noise levels; h = 0.6 s and 1.2 s lose 0.3 and 0.1 dB on average.
    """
    from skimage.restoration import denoise_nl_means

    grey, s = _to_grey_levels(noisy, eta, sigma), averaged_sigma(noisy, eta, sigma)
    restored = denoise_nl_means(
        grey, patch_size=7, patch_distance=6, h=0.8 * s, sigma=s, fast_mode=True
    )
    return _from_grey_levels(restored)


def total_variation(noisy: Image, *, eta: float, sigma: float) -> Image:
    """g = argmin_u 1/2 ||u - f||^2 + w TV(u), total variation denoising (Rudin et al. 1992).

    w = 1.1 s with s = `averaged_sigma`. The factor was the best of 0.7 to 1.2 on six ChestX-ray8
    crops at five noise levels; 1.0 and 1.2 lose 0.05 dB on average. The minimum is computed by 200
    iterations of Chambolle (2004). The stopping criterion of scikit-image is disabled, since it can
    stop so early that results for similar w differ by 3 dB.
    """
    from skimage.restoration import denoise_tv_chambolle

    grey, s = _to_grey_levels(noisy, eta, sigma), averaged_sigma(noisy, eta, sigma)
    # s = 0 for a black image without electronic noise, and scikit-image divides by the weight.
    weight = max(1.1 * s, 1e-6)
    return _from_grey_levels(denoise_tv_chambolle(grey, weight=weight, eps=0, max_num_iter=200))


CLASSICAL: dict[str, Callable[..., Image]] = {
    "BM3D": bm3d_denoise,
    "GAT+BM3D": gat_bm3d,
    "NLM": non_local_means,
    "TV": total_variation,
}
"""Classical methods by their label in tables and figures."""


def averaged_sigma(noisy: Image, eta: float, sigma: float) -> float:
    """s = sqrt(mean(f) / eta + sigma^2), the root mean square of the noise in grey levels.

    f is in grey levels in this equation, `noisy` in [0, 1]. The mean of the noise-free image, which
    the equation needs, is replaced by that of the noisy one.
    """
    brightness = max(float(np.mean(noisy, dtype=np.float64)), 0.0)
    return float(np.sqrt(noise_variance(np.float64(brightness), eta, sigma)))


def generalised_anscombe(z: Image, eta: float, sigma: float) -> Image:
    """D(z) = (2/a) sqrt(max(0, a z + 3/8 a^2 + sigma^2)), the generalised Anscombe transform.

    a = 1/eta is the gain in grey levels per photon. For z = a Poisson(y/a) + N(0, sigma^2), which
    is Eq. 1 in grey levels, the variance of D(z) is close to 1 for every y.
    z, sigma: grey levels; z of any shape; D(z): dimensionless. Mäkitalo and Foi 2013.
    """
    a = 1 / eta
    return 2 / a * np.sqrt(np.maximum(a * z + 3 / 8 * a**2 + sigma**2, 0.0))


def inverse_generalised_anscombe(d: Image, eta: float, sigma: float) -> Image:
    """y/a = D^2/4 + c/(4 D) - 11/(8 D^2) + 5c/(8 D^3) - 1/8 - (sigma/a)^2 with c = sqrt(3/2).

    Closed-form approximation of the exact unbiased inverse, which maps D = E[D(z) | y] to y.
    a = 1/eta; d: dimensionless, any shape; y: grey levels >= 0. The algebraic inverse is biased
    towards black, since the square root is concave. Mäkitalo and Foi 2013.
    """
    a, c = 1 / eta, np.sqrt(3 / 2)
    # E[D] = c at y = 0 without electronic noise; below c, the powers of 1/D diverge.
    d = np.maximum(d, c)
    counts = d**2 / 4 + c / (4 * d) - 11 / (8 * d**2) + 5 * c / (8 * d**3) - 1 / 8
    return a * np.maximum(counts - (sigma / a) ** 2, 0.0)


def _bm3d(image: Image, sigma: float, fast: bool, threads: int) -> Image:
    """Apply BM3D to an image with values of about 0 to 255; `sigma` has the same unit."""
    try:
        from bm3d import BM3DProfile, BM3DProfileLC, bm3d
    except ImportError as error:
        raise XbdcnnError(
            "BM3D needs the package bm3d (for non-commercial use only): "
            "pip install 'xbdcnn[reproduce]'"
        ) from error
    profile = BM3DProfileLC() if fast else BM3DProfile()
    profile.num_threads = threads
    # The package expects images in [0, 1].
    return bm3d(image / GREY_LEVELS, sigma / GREY_LEVELS, profile=profile) * GREY_LEVELS


def _to_grey_levels(noisy: Image, eta: float, sigma: float) -> Image:
    """Validate the arguments of a method; return the image in float64 grey levels."""
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
    """Convert a restored image to float32 and clip it to [0, 1]."""
    return np.clip(grey / GREY_LEVELS, 0.0, 1.0).astype(np.float32)
