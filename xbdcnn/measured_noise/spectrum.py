"""How the noise of adjacent pixels is correlated: noise power spectrum, correlation length.

IEC 62220-1:2003, Determination of the detective quantum efficiency, Sec. 6.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from xbdcnn.detector import blur_correlation

Values = NDArray[np.floating]

_BLURS = np.arange(0.1, 1.201, 0.005)
"""Standard deviations in pixels of the blurs whose correlation is tabulated."""


def noise_power_spectrum(noise: Values, size: int = 64) -> tuple[Values, Values]:
    """NPS(f) = <|FFT(w n)|^2> / sum w^2: power of the noise at a spatial frequency.

    Mean over half-overlapping blocks of `size` pixels a side with a Hann window w, without the
    mean of each block, and over all directions. Independent noise has its variance at every
    frequency; in general the integral over the plane of frequencies is the variance.

    noise: (H, W), or (n, H, W) for n images of noise; smaller images give smaller blocks.
    Returns frequency in cycles per pixel, from 2 / size to 0.5, and the power in
    (unit of the noise)^2 pixel^2.
    """
    return _radial_mean(_cross_spectrum(noise, noise, size))


def detail_transfer(restored: Values, clean: Values, size: int = 64) -> tuple[Values, Values]:
    """T(f) = <Re FFT(w h) FFT(w g)*> / <|FFT(w g)|^2>: share of a detail that h keeps of g.

    h: restored, g: clean, both (H, W) or (n, H, W) in one unit; blocks as in
    `noise_power_spectrum`. 1 if the detail at a spatial frequency is kept, 0 if it is removed;
    independent noise in h cancels on average. Of a nonlinear method it is a property of these
    images, not of the method. The noise of g itself counts as detail.

    Returns frequency in cycles per pixel, from 2 / size to 0.5, and T, without unit.
    """
    frequency, common = _radial_mean(_cross_spectrum(restored, clean, size))
    return frequency, common / _radial_mean(_cross_spectrum(clean, clean, size))[1]


def _cross_spectrum(first: Values, second: Values, size: int) -> Values:
    """<Re FFT(w a) FFT(w b)*> / sum w^2 over half-overlapping blocks a, b of two images."""
    # (n, H, W)
    stacks = [np.atleast_3d(np.asarray(images, np.float64).T).T for images in (first, second)]
    size = min(size, *stacks[0].shape[1:]) // 2 * 2
    window = np.hanning(size + 1)[:-1]
    window = window[:, None] * window
    power, count = np.zeros((size, size)), 0
    for pair in zip(*(_rows_of_blocks(stack, size) for stack in stacks), strict=True):
        centred = (blocks - blocks.mean(axis=(1, 2), keepdims=True) for blocks in pair)
        one, other = (np.fft.fft2(blocks * window) for blocks in centred)
        power += (one * other.conj()).real.sum(axis=0)
        count += len(one)
    return power / (count * (window**2).sum())


def _rows_of_blocks(images: Values, size: int) -> Iterator[Values]:
    """Yield the half-overlapping blocks of each row of each image, (blocks, size, size)."""
    for image in images:
        blocks = sliding_window_view(image, (size, size))
        yield from blocks[:: size // 2, :: size // 2]


def _radial_mean(power: Values) -> tuple[Values, Values]:
    """Frequency and mean power of the rings of a two-dimensional spectrum, without the lowest."""
    axis = np.fft.fftfreq(len(power))
    radius = np.hypot(axis[:, None], axis)
    ring = np.rint(radius * len(power)).astype(int).ravel()
    rings = slice(2, len(power) // 2 + 1)
    count = np.bincount(ring)[rings]
    frequency = np.bincount(ring, radius.ravel())[rings] / count
    return frequency, np.bincount(ring, power.ravel())[rings] / count


def neighbour_correlation(noise: Values) -> tuple[float, float]:
    """Correlation of the noise of adjacent pixels, along x (across) and along y (down).

    noise: (H, W), or (n, H, W) for n images of noise, each with its mean subtracted. nan if an
    image is constant.
    """
    noise = np.asarray(noise, np.float64)
    noise = noise - noise.mean(axis=(-2, -1), keepdims=True)
    return (
        _correlation(noise[..., :, :-1], noise[..., :, 1:]),
        _correlation(noise[..., :-1, :], noise[..., 1:, :]),
    )


def _correlation(left: Values, right: Values) -> float:
    power = np.sqrt((left**2).mean() * (right**2).mean())
    return float((left * right).mean() / power) if power > 0 else float("nan")


def correlation_length(correlation: float) -> float:
    """Standard deviation b in pixels of the Gaussian blur of white noise with this correlation.

    correlation: of adjacent pixels. Inverts `detector.blur_correlation`; above 0.8 pixels,
    rho = exp(-1 / (4 b^2)). 0 for a correlation of 0 or less, infinite for 1.

    >>> round(correlation_length(0.2608), 2), round(correlation_length(0.7788), 2)
    (0.5, 1.0)
    """
    if correlation <= 0:
        return 0.0
    table = _correlation_table()
    if correlation <= table[-1]:
        return float(np.interp(correlation, table, _BLURS))
    return float(np.sqrt(-1 / (4 * np.log(correlation)))) if correlation < 1 else float("inf")


@lru_cache(maxsize=1)
def _correlation_table() -> Values:
    """Correlation of adjacent pixels after each of `_BLURS`."""
    return np.array([blur_correlation(blur) for blur in _BLURS])
