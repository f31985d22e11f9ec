"""The generalised Anscombe transform and its inverse (Mäkitalo and Foi 2013).

Reference:
    Mäkitalo and Foi, Optimal inversion of the generalized Anscombe transformation for
    Poisson-Gaussian noise, IEEE Trans. Image Process. 22(1), 2013.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from xbdcnn.baselines.grey_levels import Image
from xbdcnn.noise import GREY_LEVELS


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


def apply_stabilised(
    denoise: Callable[[Image, float], Image],
    image: Image,
    eta: float,
    sigma: float,
    white: float = GREY_LEVELS,
) -> Image:
    """Return D^-1(N(s (D(z) - D(0)), s) / s + D(0)) with s = 255 / (D(white) - D(0)).

    N is a method for Gaussian noise of constant variance, D `generalised_anscombe`. s scales the
    range from black to white to the 8-bit scale, for which such methods are tuned; the noise then
    has a standard deviation of about s.

    Args:
        denoise: N, which is given an image (H, W) of about 0 to 255 and the standard deviation of
            its noise.
        image: z, (H, W) in grey levels.
        eta: photons per grey level.
        sigma: electronic noise in grey levels.
        white: grey level of white in `image`.

    Returns:
        The restored image, (H, W) in grey levels >= 0.
    """
    black, brightest = generalised_anscombe(np.array([0.0, white]), eta, sigma)
    scale = GREY_LEVELS / (brightest - black)
    stabilised = (generalised_anscombe(image, eta, sigma) - black) * scale
    return inverse_generalised_anscombe(denoise(stabilised, scale) / scale + black, eta, sigma)
