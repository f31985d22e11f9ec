"""Photon transfer: the variance of the noise as a function of the signal.

J. R. Janesick, Photon Transfer, SPIE Press 2007.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.noise import GREY_LEVELS

Values = NDArray[np.floating]

ROBUST_SPREAD = 1.4826
"""Standard deviation of a normal variable, divided by the median of its absolute values."""

ROBUST_EFFICIENCY = 0.3675
"""Variance of the sample standard deviation divided by that of `ROBUST_SPREAD` times the median:
the median of n values is as precise as the standard deviation of 0.37 n."""

ROUNDING = 1 / 12
"""Variance of rounding to integers, and of the uniform noise that `undo_rounding` adds."""

_FEWEST_BLOCKS = 30


class NoiseBins(NamedTuple):
    """Noise variance by signal: one entry per bin, each (bins,) float64.

    signal: mean signal, in the unit of the images; variance: of the noise, in its square; samples:
    number of independent values behind each variance, its degrees of freedom.
    """

    signal: NDArray[np.float64]
    variance: NDArray[np.float64]
    samples: NDArray[np.float64]


class PhotonTransfer(NamedTuple):
    """Photon transfer curve: noise variance against mean signal, and the fitted line.

    mean: (bins,) grey levels; variance: (bins,) grey levels^2; pixels: (bins,) their number;
    eta: photons per grey level from the slope; sigma: grey levels from the intercept.
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    pixels: NDArray[np.int64]
    eta: float
    sigma: float


def mean_variance(
    clean: NDArray[np.floating], noisy: NDArray[np.floating], bins: int = 64
) -> PhotonTransfer:
    """Estimate eta and sigma from a clean and a noisy image by the photon transfer method.

    Groups pixels by clean grey level and fits Var(f - g) = mean / eta + sigma^2, each bin weighted
    by the inverse variance of its estimate. Bins within four standard deviations of black or white
    are left out, because clipping changes their variance. Images in [0, 1]; XbdcnnError if their
    shapes differ or fewer than two bins are left. J. R. Janesick, Photon Transfer, SPIE 2007.
    """
    _require(clean.shape == noisy.shape, "shape")
    level = GREY_LEVELS * np.asarray(clean, np.float64).ravel()
    error = GREY_LEVELS * np.asarray(noisy, np.float64).ravel() - level
    group = np.minimum((level / GREY_LEVELS * bins).astype(int), bins - 1)
    count = np.bincount(group, minlength=bins)
    used = count > 30
    mean = np.bincount(group, level, bins)[used] / count[used]
    bias = np.bincount(group, error, bins)[used] / count[used]
    variance = np.bincount(group, error**2, bins)[used] / count[used] - bias**2
    return _with_fitted_line(mean, variance, count[used])


def two_exposures(
    first: NDArray[np.floating], second: NDArray[np.floating], bins: int = 64
) -> PhotonTransfer:
    """Estimate eta and sigma from two noisy images of one scene; needs no clean image.

    The scene cancels in the difference, so that Var(f) = Var(first - second) / 2, in bins of equal
    number of pixels by the mean of both. The line is fitted as by `mean_variance`. Images (H, W) in
    [0, 1]; XbdcnnError if their shapes differ or fewer than two bins are left. J. R. Janesick,
    Photon Transfer, SPIE 2007.
    """
    _require(first.shape == second.shape, "pair")
    found = repeated_exposures(GREY_LEVELS * np.stack([first, second]).astype(np.float64), bins)
    return _with_fitted_line(found.signal, found.variance, found.samples.astype(np.int64))


def _with_fitted_line(
    mean: NDArray[np.float64], variance: NDArray[np.float64], pixels: NDArray[np.int64]
) -> PhotonTransfer:
    """Fit variance = mean / eta + sigma^2 to the bins that clipping does not change."""
    spread = 4 * np.sqrt(variance)
    free = (mean > spread) & (mean < GREY_LEVELS - spread) & (variance > 0)
    _require(free.sum() >= 2, "contrast")
    precision = np.sqrt(pixels[free]) / variance[free]
    slope, intercept = np.polyfit(mean[free], variance[free], 1, w=precision)
    eta = 1 / slope if slope > 0 else np.inf
    return PhotonTransfer(mean, variance, pixels, eta, float(np.sqrt(max(intercept, 0.0))))


def repeated_exposures(frames: Values, bins: int = 16) -> NoiseBins:
    """Var(q) in bins of the mean over repeated exposures of one object; needs no clean image.

    frames: (n, H, W), n >= 2, with the dark signal subtracted. Each frame is divided by its mean
    relative to that of all frames, so that the flicker of the beam is not counted as noise. The
    bins have equal numbers of pixels. XbdcnnError for fewer frames or a mean that is not positive.
    """
    frames = np.asarray(frames, np.float64)
    _require(frames.ndim == 3 and len(frames) >= 2, "frames")
    level = frames.mean(axis=(1, 2), keepdims=True)
    _require(bool((level > 0).all()), "level")
    steady = frames * (level.mean() / level)
    signal, variance = steady.mean(axis=0).ravel(), steady.var(axis=0, ddof=1).ravel()
    groups = equal_groups(signal, bins)
    return NoiseBins(
        np.array([signal[group].mean() for group in groups]),
        np.array([variance[group].mean() for group in groups]),
        np.array([(len(frames) - 1.0) * len(group) for group in groups]),
    )


def single_exposure(image: Values, bins: int = 16) -> NoiseBins:
    """Var(q) of one image in bins of the local mean, from the finest diagonal Haar detail.

    d = (a - b - c + d) / 2 of blocks of 2x2 pixels has the variance of independent noise and
    contains little anatomy; its robust spread 1.4826 median |d| ignores the edges that it does
    contain. Noise that is correlated between adjacent pixels is underestimated, see
    `correlation_length`. The bins have equal numbers of blocks, at least 30 if the image allows.
    Integers are measured after `undo_rounding`, whose variance is subtracted again; rounding itself
    counts as noise.

    image: (H, W), any unit, at least 2x2 pixels, else XbdcnnError.
    A. Foi et al., IEEE Trans. Image Process. 17, 1737 (2008), with a Haar filter.
    """
    image = np.asarray(image, np.float64)
    mean, detail = haar_blocks(undo_rounding(image))
    added = ROUNDING * is_rounded(image)
    groups = equal_groups(mean, min(bins, len(mean) // _FEWEST_BLOCKS))
    return NoiseBins(
        np.array([mean[group].mean() for group in groups]),
        np.array([robust_variance(detail[group]) - added for group in groups]),
        np.array([ROBUST_EFFICIENCY * len(group) for group in groups]),
    )


def is_rounded(image: Values) -> bool:
    """Tell whether all values are integers, within the precision of float32."""
    return bool(np.abs(image - np.rint(image)).max() < 1e-4)


def undo_rounding(image: Values, seed: int = 0) -> Values:
    """Add noise, uniform in (-1/2, 1/2), to integers; its variance is `ROUNDING`.

    The detail of integers has few different values, and its median would be one of them. An image
    of other values is returned as it is.
    """
    if not is_rounded(image):
        return image
    return image + np.random.default_rng(seed).uniform(-0.5, 0.5, image.shape)


def haar_blocks(image: Values) -> tuple[Values, Values]:
    """Mean and diagonal detail (a - b - c + d) / 2 of the blocks of 2x2 pixels, each (blocks,)."""
    _require(image.ndim == 2 and min(image.shape) >= 2, "image")
    even = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
    a, b, c, d = even[::2, ::2], even[::2, 1::2], even[1::2, ::2], even[1::2, 1::2]
    return ((a + b + c + d) / 4).ravel(), ((a - b - c + d) / 2).ravel()


def robust_variance(values: Values) -> float:
    """(1.4826 median |v|)^2, the variance of normal values around 0; outliers hardly change it."""
    return float((ROBUST_SPREAD * np.median(np.abs(values))) ** 2)


def equal_groups(signal: Values, bins: int) -> list[NDArray[np.intp]]:
    """Return the indices of the values in order of size, in `bins` groups of equal number."""
    return np.array_split(np.argsort(signal, kind="stable"), min(max(bins, 1), len(signal)))


_ERRORS = {
    "shape": "clean and noisy image must have the same shape",
    "contrast": "too few grey levels free of clipping to fit a line; use a larger region",
    "pair": "both exposures must have the same shape",
    "frames": "give at least two exposures as one array (n, H, W)",
    "level": "each exposure must have a positive mean; do not subtract dark frames from themselves",
    "image": "give one image (H, W) of at least 2x2 pixels",
}


def _require(holds: bool, name: str) -> None:
    if not holds:
        raise XbdcnnError(_ERRORS[name])
