"""Noise of a detector from repeated exposures, and of a single radiograph.

Repeated exposures show the noise alone. In a single radiograph the anatomy has to be suppressed:
the variance is that of the finest diagonal detail, and the correlation that of the smoothest
blocks, in which some anatomy is left, so that it is an upper limit.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from xbdcnn.data.exposures import Exposures
from xbdcnn.measured_noise import (
    NoiseBins,
    NoiseLaw,
    correlation_length,
    fit_laws,
    neighbour_correlation,
    noise_power_spectrum,
    repeated_exposures,
    single_exposure,
)
from xbdcnn.measured_noise.blocks import cut_blocks, subtract_surfaces
from xbdcnn.measured_noise.photon_transfer import ROBUST_SPREAD, ROUNDING, haar_blocks, is_rounded

Values = NDArray[np.floating]

LEAST_NOISE = 0.01
"""Variance of the finest detail up to which a block counts as filled with one value."""

BLOCK = 32
"""Side in pixels of the blocks in which the noise of a single radiograph is correlated."""


class NoiseMeasurement(NamedTuple):
    """The measured noise of a detector.

    title; unit: of the signal, "counts", "stored values" or "grey levels"; exposures: number of
    frames or images; bins: variance by signal, after subtraction of the dark signal; laws: fitted,
    best first; electronic: standard deviation of the dark frames in `unit`, or nan; correlation: of
    adjacent pixels, (across, down); correlation_error: its standard error for independent noise;
    spectrum: frequency in cycles per pixel, and noise power divided by the variance, which is 1
    for independent noise.
    """

    title: str
    unit: str
    exposures: int
    bins: NoiseBins
    laws: list[NoiseLaw]
    electronic: float
    correlation: tuple[float, float]
    correlation_error: float
    spectrum: tuple[Values, Values]

    @property
    def length(self) -> float:
        """Correlation length in pixels, 0 if the correlation is below two standard errors."""
        mean = sum(self.correlation) / 2
        return correlation_length(mean) if mean > 2 * self.correlation_error else 0.0


def measure_exposures(exposures: Exposures, bins: int = 16) -> NoiseMeasurement:
    """Measure a detector from repeated flats and darks, (n, H, W) each, in counts."""
    flats = exposures.flats - exposures.darks.mean(axis=0)
    transfer = repeated_exposures(flats, bins)
    noise = standardised_noise(flats)
    return NoiseMeasurement(
        exposures.detector.title,
        "counts",
        len(flats),
        transfer,
        fit_laws(transfer),
        float(np.sqrt(exposures.darks.var(axis=0, ddof=1).mean())),
        neighbour_correlation(noise),
        1 / math.sqrt(noise.size),
        relative_spectrum(noise),
    )


def standardised_noise(frames: Values) -> Values:
    """Return (q - mean) / sqrt(mean) of repeated frames (n, H, W), each scaled to a common mean.

    The noise has the same strength in bright and dark areas if its variance is proportional to the
    signal. Pixels without signal, at most one count, are set to 0.
    """
    level = frames.mean(axis=(1, 2), keepdims=True)
    steady = frames * (level.mean() / level)
    mean = steady.mean(axis=0)
    return np.where(mean > 1, (steady - mean) / np.sqrt(mean.clip(min=1)), 0.0)


def relative_spectrum(noise: Values) -> tuple[Values, Values]:
    """Frequency in cycles per pixel and noise power divided by the variance, of (n, H, W).

    With fewer than 8 rows it is the spectrum along the rows instead of the mean over directions.
    """
    measure = row_spectrum if noise.shape[1] < 8 else noise_power_spectrum
    frequency, power = measure(noise)
    return frequency, power / noise.var()


def row_spectrum(noise: Values, size: int = 64) -> tuple[Values, Values]:
    """NPS(f) = <|FFT(w n)|^2> / sum w^2 along rows: noise (n, H, W), see `noise_power_spectrum`."""
    window = np.hanning(size + 1)[:-1]
    parts = sliding_window_view(noise, size, axis=-1)[:, :, :: size // 2]
    parts = parts - parts.mean(axis=-1, keepdims=True)
    power = (np.abs(np.fft.rfft(parts * window)) ** 2).mean(axis=(0, 1, 2)) / (window**2).sum()
    return np.fft.rfftfreq(size)[2:], power[2:]


def measure_radiograph(
    image: Values, title: str, unit: str = "stored values", bins: int = 16
) -> NoiseMeasurement:
    """Measure the noise of one radiograph (H, W) in its own unit, its anatomy suppressed.

    Bins whose variance is not above that of the rounding of integers are left out: their area is
    clipped or filled with one value.
    """
    image = np.asarray(image, np.float64)
    measured = single_exposure(image, bins)
    noisy = measured.variance > ROUNDING * is_rounded(image)
    measured = NoiseBins(*(values[noisy] for values in measured))
    noise = smooth_blocks(image)
    return NoiseMeasurement(
        title,
        unit,
        1,
        measured,
        fit_laws(measured),
        math.nan,
        neighbour_correlation(noise),
        1 / math.sqrt(noise.size),
        relative_spectrum(noise),
    )


def smooth_blocks(image: Values, share: float = 0.1) -> Values:
    """Return the noise of the blocks with the least anatomy: (n, BLOCK, BLOCK), of variance 1 each.

    From each block a quadratic surface is subtracted. Anatomy raises the variance of the
    remainder above that of the finest detail; the `share` of blocks with the lowest ratio is kept.
    """
    noise = subtract_surfaces(cut_blocks(image, BLOCK))
    detail = np.diff(np.diff(noise, axis=1), axis=2) / 2
    fine, variance = (detail**2).mean(axis=(1, 2)), (noise**2).mean(axis=(1, 2))
    ratio = np.where(fine > LEAST_NOISE, variance / fine.clip(min=LEAST_NOISE), np.inf)
    kept = np.argsort(ratio)[: max(1, int(share * np.isfinite(ratio).sum()))]
    return noise[kept] / np.sqrt(variance[kept])[:, None, None]


def noise_map(image: Values) -> Values:
    """Standard deviation of the noise in each block of BLOCK x BLOCK pixels of a radiograph.

    1.4826 median |d| of the block's finest diagonal detail d, in the unit of the image (H, W).
    Returns (H // BLOCK, W // BLOCK).
    """
    rows, columns = (side // BLOCK for side in image.shape)
    detail = haar_blocks(np.asarray(image, np.float64)[: rows * BLOCK, : columns * BLOCK])[1]
    blocks = detail.reshape(rows, BLOCK // 2, columns, BLOCK // 2)
    return ROBUST_SPREAD * np.median(np.abs(blocks), axis=(1, 3))
