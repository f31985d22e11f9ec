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
from functools import partial

from xbdcnn.baselines.anscombe import apply_stabilised
from xbdcnn.baselines.block_matching import apply_bm3d
from xbdcnn.baselines.grey_levels import Image, averaged_sigma, from_grey_levels, to_grey_levels
from xbdcnn.baselines.iterative_vst import iterative_vst_bm3d
from xbdcnn.baselines.nl_pca import nl_pca


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
    grey = to_grey_levels(noisy, eta, sigma)
    return from_grey_levels(apply_bm3d(grey, averaged_sigma(noisy, eta, sigma), fast, threads))


def gat_bm3d(
    noisy: Image, *, eta: float, sigma: float, fast: bool = False, threads: int = 1
) -> Image:
    """g = D^-1(BM3D(D(f))) with D = `generalised_anscombe` (Mäkitalo and Foi 2013).

    In D(f) the noise has a variance of about 1 at every grey level, as BM3D assumes; see
    `anscombe.apply_stabilised`. The transform does not account for the clipping of f, which leaves
    a small bias near black and white. Arguments and errors as for `bm3d_denoise`.
    """
    grey = to_grey_levels(noisy, eta, sigma)
    denoise = partial(apply_bm3d, fast=fast, threads=threads)
    return from_grey_levels(apply_stabilised(denoise, grey, eta, sigma))


def non_local_means(noisy: Image, *, eta: float, sigma: float) -> Image:
    """g(x) = sum_y w(x, y) f(y) / sum_y w(x, y), non-local means (Buades et al. 2005).

    w(x, y) = exp(-max(0, d(x, y) - 2 s^2) / h^2), where d is the mean squared difference of the
    7 x 7 patches around x and y, y is in the 13 x 13 window around x, s = `averaged_sigma`, and
    h = 0.8 s. Patch, window and h / s were the best of 20 combinations on six ChestX-ray8 crops at
    five noise levels; h = 0.6 s and 1.2 s lose 0.3 and 0.1 dB on average.
    """
    from skimage.restoration import denoise_nl_means

    grey, s = to_grey_levels(noisy, eta, sigma), averaged_sigma(noisy, eta, sigma)
    restored = denoise_nl_means(
        grey, patch_size=7, patch_distance=6, h=0.8 * s, sigma=s, fast_mode=True
    )
    return from_grey_levels(restored)


def total_variation(noisy: Image, *, eta: float, sigma: float) -> Image:
    """g = argmin_u 1/2 ||u - f||^2 + w TV(u), total variation denoising (Rudin et al. 1992).

    w = 1.1 s with s = `averaged_sigma`. The factor was the best of 0.7 to 1.2 on six ChestX-ray8
    crops at five noise levels; 1.0 and 1.2 lose 0.05 dB on average. The minimum is computed by 200
    iterations of Chambolle (2004). The stopping criterion of scikit-image is disabled, since it can
    stop so early that results for similar w differ by 3 dB.
    """
    from skimage.restoration import denoise_tv_chambolle

    grey, s = to_grey_levels(noisy, eta, sigma), averaged_sigma(noisy, eta, sigma)
    # s = 0 for a black image without electronic noise, and scikit-image divides by the weight.
    weight = max(1.1 * s, 1e-6)
    return from_grey_levels(denoise_tv_chambolle(grey, weight=weight, eps=0, max_num_iter=200))


CLASSICAL: dict[str, Callable[..., Image]] = {
    "BM3D": bm3d_denoise,
    "GAT+BM3D": gat_bm3d,
    "I+VST+BM3D": iterative_vst_bm3d,
    "NLM": non_local_means,
    "NL-PCA": nl_pca,
    "TV": total_variation,
}
"""Classical methods by their label in tables and figures."""
