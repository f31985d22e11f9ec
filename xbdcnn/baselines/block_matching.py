"""The package `bm3d`, called the same way by every method that is built on BM3D."""

from __future__ import annotations

import numpy as np

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.baselines.anscombe import generalised_anscombe, inverse_generalised_anscombe
from xbdcnn.baselines.grey_levels import Image
from xbdcnn.noise import GREY_LEVELS


def apply_bm3d(image: Image, sigma: float, fast: bool, threads: int) -> Image:
    """Apply BM3D to an image (H, W) with values of about 0 to 255; `sigma` has the same unit.

    fast, threads: see `classical.bm3d_denoise`.

    Raises:
        XbdcnnError: the package `bm3d` is not installed.
    """
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


def apply_stabilised_bm3d(
    image: Image, eta: float, sigma: float, white: float, fast: bool, threads: int
) -> Image:
    """BM3D of the image transformed by D, `generalised_anscombe`, then the inverse of D.

    image (H, W) and sigma: grey levels; white: the grey level of white; eta: photons per grey
    level. Returns grey levels >= 0. fast, threads and errors: see `classical.bm3d_denoise`.
    """
    low, high = generalised_anscombe(np.array([0.0, white]), eta, sigma)
    # BM3D's thresholds for block matching are tuned for images that span the 8-bit scale.
    stretch = GREY_LEVELS / (high - low)
    stabilised = (generalised_anscombe(image, eta, sigma) - low) * stretch
    denoised = apply_bm3d(stabilised, 1.0 * stretch, fast, threads) / stretch + low
    return inverse_generalised_anscombe(denoised, eta, sigma)
