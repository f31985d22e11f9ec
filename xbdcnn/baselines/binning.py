"""Square bins of pixels, in which methods for very few photons find more of them.

The mean of b x b pixels with noise (eta, sigma) has noise (b^2 eta, sigma / b): its photons are
those of all b^2 pixels, and the grey level is that of one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xbdcnn.baselines.grey_levels import Image

CORRECTIONS = 9
"""Corrections after the first interpolation, as many as Azzari and Foi (2016) make."""


def bin_means(image: Image, side: int) -> Image:
    """Return the mean of every `side` x `side` bin of an image (H, W).

    The result has ceil(H / side) x ceil(W / side) values; incomplete bins at the lower and the
    right border are filled by reflection.
    """
    missing = [(0, -size % side) for size in image.shape]
    padded = np.pad(image, missing, mode="symmetric")
    rows, columns = (size // side for size in padded.shape)
    return padded.reshape(rows, side, columns, side).mean(axis=(1, 3))


def unbin(means: Image, side: int, shape: tuple[int, int]) -> Image:
    """Interpolate bins linearly to an image of `shape`, whose bins nearly have these means.

    Linear interpolation between the centres of the bins smooths them. The difference from the given
    means is therefore interpolated and added, `CORRECTIONS` times.
    """
    if side == 1:
        return means
    rows, columns = (_interpolation(bins, side) for bins in means.shape)
    image = rows @ means @ columns.T
    for _ in range(CORRECTIONS):
        image += rows @ (means - bin_means(image, side)) @ columns.T
    return image[: shape[0], : shape[1]]


def _interpolation(bins: int, side: int) -> NDArray[np.float64]:
    """Weights (bins * side, bins) of linear interpolation, constant beyond the outer centres."""
    positions = np.clip((np.arange(bins * side) + 0.5) / side - 0.5, 0, bins - 1)
    return np.maximum(0.0, 1 - np.abs(positions[:, None] - np.arange(bins)))
