"""Input and output of the classical methods in grey levels, and the mean noise of an image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError, require_radiograph
from xbdcnn.noise import GREY_LEVELS, noise_variance

Image = NDArray[np.floating]


def to_grey_levels(noisy: Image, eta: float, sigma: float) -> Image:
    """Validate the arguments of a method; return the image (H, W) in float64 grey levels.

    Raises:
        XbdcnnError: see `baselines.classical`.
    """
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


def from_grey_levels(grey: Image) -> NDArray[np.float32]:
    """Convert a restored image to float32 and clip it to [0, 1]."""
    return np.clip(grey / GREY_LEVELS, 0.0, 1.0).astype(np.float32)


def averaged_sigma(noisy: Image, eta: float, sigma: float) -> float:
    """s = sqrt(mean(f) / eta + sigma^2), the root mean square of the noise in grey levels.

    f is in grey levels in this equation, `noisy` in [0, 1]. The mean of the noise-free image, which
    the equation needs, is replaced by that of the noisy one.
    """
    brightness = max(float(np.mean(noisy, dtype=np.float64)), 0.0)
    return float(np.sqrt(noise_variance(np.float64(brightness), eta, sigma)))


def equivalent_count(noisy: Image, eta: float, sigma: float) -> float:
    """N = (mean(f) / s)^2 with s = `averaged_sigma`: photons per pixel of an equally noisy image.

    A Poisson variable of mean N has the same ratio of mean and standard deviation. Without
    electronic noise, N = eta mean(f). f: grey levels; `noisy`: in [0, 1]; a black image has N = 0.
    """
    s = averaged_sigma(noisy, eta, sigma)
    return float((GREY_LEVELS * np.mean(noisy, dtype=np.float64) / s) ** 2) if s else 0.0
