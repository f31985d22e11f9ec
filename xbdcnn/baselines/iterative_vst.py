"""I+VST+BM3D: variance stabilisation of noisy image and estimate combined (Azzari and Foi 2016).

With the noisy image z and the estimate u of the pass before, pass i filters the combination

    w = lambda_i z + (1 - lambda_i) u,    lambda_1 = 1 > ... > lambda_K,

whose noise is weaker than that of z and yet of known law. If u is taken for the noise-free image y,
then w / lambda^2 has the mean y / lambda^2 and, with the noise variance y/eta + sigma^2 of z,

    Var(w / lambda^2) = (y/eta + sigma^2) / lambda^2 = (y / lambda^2) / eta + (sigma / lambda)^2,

which is the noise of Eq. 1 with sigma / lambda in place of sigma. D, `generalised_anscombe`, with
this value gives it a variance of 1, BM3D with a standard deviation of 1 removes it, and lambda^2
times the unbiased inverse of D is the next estimate. With eta = 1 and sigma = 0, D is the transform
2 sqrt(w / lambda^2 + 3/8) of Azzari and Foi, who treat Poisson noise only; sigma / lambda is ours.
The first passes filter the means of bins, so that low frequencies are estimated from more photons.

Ours, too: bins are interpolated linearly, not by splines; and the inverse neglects that the third
moment of w / lambda^2 is not that of Poisson noise. Azzari and Foi tabulate their inverse; for y
photons the difference is at most (1 - lambda) lambda^3 / (8 y) <= 0.013 / y photons.

Reference:
    Azzari and Foi, Variance stabilization for noisy + estimate combination in iterative Poisson
    denoising, IEEE Signal Process. Lett. 23(8), 2016. Their software: iterVSTpoisson 1.00 in the
    package invansc 3.00, for non-profit use.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from xbdcnn._common.errors import SMALLEST_SIDE
from xbdcnn.baselines.anscombe import apply_stabilised
from xbdcnn.baselines.binning import bin_means, unbin
from xbdcnn.baselines.block_matching import apply_bm3d
from xbdcnn.baselines.grey_levels import Image, equivalent_count, from_grey_levels, to_grey_levels
from xbdcnn.noise import GREY_LEVELS


class Schedule(NamedTuple):
    """Passes at one level of light: how many, lambda of the last, side of the first bins."""

    passes: int
    last_weight: float
    first_bin: int


FEWEST_PHOTONS = 0.04
"""Photons per pixel of the first entry of `SCHEDULES`."""

SCHEDULES = tuple(
    Schedule(*entry)
    for entry in (
        (4, 0.08, 9),
        (4, 0.02, 7),
        (4, 0.10, 7),
        (3, 0.20, 5),
        (3, 0.40, 5),
        (3, 0.30, 3),
        (3, 0.52, 3),
        (2, 0.62, 1),
        (2, 0.70, 1),
        (2, 0.80, 1),
        (2, 0.04, 1),
        (2, 0.04, 1),
        (2, 0.02, 1),
        (2, 0.02, 1),
        (2, 0.02, 1),
        (2, 0.04, 1),
    )
)
"""What Azzari and Foi found best on their training images, at 0.04, 0.08, ... 1,300 photons.

From 41 photons on, lambda of the second pass is so small that it filters little but the estimate.
On validation crops of ChestX-ray8, two passes lose 0.1 dB against `gat_bm3d` at 30 to 50 photons;
three gain 0.3 dB at 2.7 photons and 2.7 dB at 0.7, four gain 8 dB at 0.1.
"""


def iterative_vst_bm3d(
    noisy: Image, *, eta: float, sigma: float, fast: bool = False, threads: int = 1
) -> Image:
    """Filter `noisy` in the passes of `schedule`; see the module.

    Arguments and errors as for `classical.bm3d_denoise`, which states them, and the time of as many
    calls as there are passes.
    """
    grey = to_grey_levels(noisy, eta, sigma)
    estimate = grey
    for weight, side in schedule(equivalent_count(noisy, eta, sigma)):
        # The package bm3d crashes on images of 8 x 8 pixels.
        side = min(side, min(grey.shape) // SMALLEST_SIDE)
        combination = bin_means(weight * grey + (1 - weight) * estimate, side)
        restored = filter_combination(
            combination, weight, eta * side**2, sigma / side, fast, threads
        )
        estimate = unbin(restored, side, grey.shape)
    return from_grey_levels(estimate)


def schedule(photons: float) -> list[tuple[float, int]]:
    """Return lambda and the side of the bins for each pass, at a number of photons per pixel.

    lambda falls linearly from 1, the side by 2 from pass to pass. Azzari and Foi average the
    entries of `SCHEDULES` with weights from quantiles of the image; here it is the entry with the
    nearest number of photons, and `equivalent_count` counts for fewer photons if there is Gaussian
    noise.
    """
    level = np.log2(max(photons, FEWEST_PHOTONS) / FEWEST_PHOTONS)
    passes, last, first_bin = SCHEDULES[min(round(level), len(SCHEDULES) - 1)]
    weights = np.linspace(1.0, last, passes)
    return [(float(w), max(1, first_bin - 2 * i)) for i, w in enumerate(weights)]


def filter_combination(
    combination: Image, weight: float, eta: float, sigma: float, fast: bool, threads: int
) -> Image:
    """Filter w = lambda z + (1 - lambda) u, (H, W) in grey levels, with lambda = `weight`.

    eta, sigma: noise level of z. Returns grey levels. fast, threads: as for `iterative_vst_bm3d`.
    """
    scale = weight**2
    denoise = partial(apply_bm3d, fast=fast, threads=threads)
    return scale * apply_stabilised(
        denoise, combination / scale, eta, sigma / weight, GREY_LEVELS / scale
    )
