"""Noise of an image from the quietest of its blocks of 16x16 pixels.

A quadratic surface is subtracted from each block, and the fifth of the blocks with the least
variance is used, so that anatomy counts little. What both steps remove from the noise as well is
known from simulated noise of known blur.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbdcnn.noise import GREY_LEVELS

Values = NDArray[np.floating]
Indices = NDArray[np.intp]

BLOCK = 16
"""Side of a block in pixels."""

QUIET = 0.2
"""Share of the blocks, those with the least variance, that are used."""

LEAST_NOISE = 1e-3
"""Grey levels below which a block counts as free of noise, e.g. a label or a filled border."""

BLURS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0, 1.2, 1.4, 1.7)
"""Standard deviations in pixels of the Gaussian blurs of the simulated noise."""

_SIMULATED_SIDE = 32 * BLOCK


class Blocks(NamedTuple):
    """Mean of each block, and variance and covariance of adjacent pixels after the subtraction.

    Each (blocks,), in grey levels and their square.
    """

    mean: Values
    variance: Values
    covariance: Values

    def quietest(self, group: Indices) -> Indices:
        """Return the share `QUIET` of a group of blocks that has the least variance."""
        order = np.argsort(self.variance[group], kind="stable")
        return group[order[: max(1, round(QUIET * len(group)))]]

    def correlation(self, chosen: Indices) -> float:
        """Return the median correlation of adjacent pixels over the chosen blocks."""
        return float(np.median(self.covariance[chosen] / self.variance[chosen]))


class Simulated(NamedTuple):
    """What is left of noise of known blur, for each of `BLURS`, each (blurs,).

    correlation: of adjacent pixels in the quietest blocks; blur: pixels; share: variance of these
    blocks divided by that of the noise.
    """

    correlation: Values
    blur: Values
    share: Values


def measure_blocks(image: NDArray) -> Blocks:
    """Measure the blocks of an image (H, W) that are neither clipped nor free of noise.

    image: uint8 or uint16 over the full range, or floating point in [0, 1].
    """
    top = 1.0 if np.issubdtype(image.dtype, np.floating) else float(np.iinfo(image.dtype).max)
    tiles = _tiles(image)
    inside = (tiles.min(axis=1) > 0) & (tiles.max(axis=1) < top)
    blocks = _residuals(tiles[inside] * (GREY_LEVELS / top))
    return Blocks(*(values[blocks.variance > LEAST_NOISE**2] for values in blocks))


@lru_cache(maxsize=1)
def simulated_noise() -> Simulated:
    """Measure 1024 blocks of white noise after each of `BLURS`, as those of an image."""
    side = _SIMULATED_SIDE
    white = np.fft.fft2(np.random.default_rng(0).normal(size=(side, side)))
    rows = []
    for blur in BLURS:
        transfer = np.fft.fft(_periodic_gaussian(blur, side))
        noise = np.fft.ifft2(white * transfer[:, None] * transfer).real
        blocks = _residuals(_tiles(noise))
        chosen = blocks.quietest(np.arange(len(blocks.mean)))
        share = np.median(blocks.variance[chosen]) / noise.var()
        rows.append((blocks.correlation(chosen), blur, share))
    return Simulated(*np.array(rows).T)


def _tiles(image: NDArray) -> NDArray:
    """Cut an image into its whole blocks, (blocks, 256)."""
    rows, columns = (side // BLOCK for side in image.shape)
    tiles = image[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return tiles.swapaxes(1, 2).reshape(-1, BLOCK * BLOCK)


def _residuals(tiles: Values) -> Blocks:
    """Subtract a quadratic surface from each block (blocks, 256) and measure what is left."""
    tiles, surface = tiles.astype(np.float64), _quadratic_surfaces()
    left = (tiles - (tiles @ surface) @ surface.T).reshape(-1, BLOCK, BLOCK)
    across = (left[:, :, :-1] * left[:, :, 1:]).mean(axis=(1, 2))
    down = (left[:, :-1] * left[:, 1:]).mean(axis=(1, 2))
    return Blocks(tiles.mean(axis=1), (left**2).mean(axis=(1, 2)), (across + down) / 2)


@lru_cache(maxsize=1)
def _quadratic_surfaces() -> Values:
    """Orthonormal basis of the quadratic surfaces on a block, (256, 6)."""
    x, y = np.meshgrid(*[np.linspace(-1, 1, BLOCK)] * 2)
    powers = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    return np.linalg.qr(powers.reshape(-1, 6))[0]


def _periodic_gaussian(blur: float, side: int) -> Values:
    """Sampled Gaussian around index 0 of a periodic axis, (side,), of sum 1; 0: no blur."""
    distance = np.minimum(np.arange(side), side - np.arange(side))
    kernel = np.exp(-0.5 * (distance / max(blur, 1e-6)) ** 2)
    return kernel / kernel.sum()
